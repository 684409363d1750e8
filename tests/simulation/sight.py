"""What one operator knows of the records of the runs: all there is where it lists, what it expects where it does not.

Rule: mirrors `records.RunRecords.refresh`; the choice of what is expected is the product's own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.model.pods import PodView
from podreduce_operator.runs.expected_commits import Expectation
from tests.simulation.object_store import RunPrefix

__all__ = ["Sight"]


@dataclass(slots=True)
class Sight:
    """One operator's knowledge of one run. An operator that dies takes it along.

    Attributes:
        outdated: the attempts whose commits are of older generations.
        is_whole: it was listed in this pass.
        started_over: the generation with which the run has started over.
    """

    commits: dict[TaskRef, CommitRecord] = field(default_factory=dict)
    failures: Mapping[TaskRef, tuple[FailureRecord, ...]] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)
    is_whole: bool = False
    started_over: int = 0
    _listed_at: float = -math.inf
    _expectation: Expectation = field(default_factory=Expectation)

    def refresh(self, run: RunPrefix, pods: Sequence[PodView], *, now: float, interval_seconds: float) -> None:
        """Read what has come since the last time; at least once in an interval, all there is."""
        if run.plan is None:
            return
        expected = self._expectation.look_for(pods, self.commits, self._failed)
        self.is_whole = expected is None or now >= self._listed_at + interval_seconds
        if self.is_whole:
            self.commits, self.failures, self._listed_at = run.commits.copy(), run.failures.copy(), now
            newest = {commit.attempt_id for commit in run.commits.values()}
            self.outdated = {commit.attempt_id for commit in run.all_commits.values()} - newest
        else:
            for task, generation in expected or ():
                self._take(run.all_commits.get((task, generation)))
        self._expectation.settle(pods, self.commits, self._failed)

    def create_failure(self, run: RunPrefix, record: FailureRecord, *, suffix: str = "") -> None:
        """Record a failure; that it is recorded already means that another operator acts here."""
        if run.create_failure(record, suffix=suffix):
            known = (*self.failures.get(record.task, ()), record)
            self.failures = {**self.failures, record.task: tuple(sorted(known, key=attrgetter("finished_at")))}
        else:
            self._listed_at = -math.inf

    @property
    def _failed(self) -> set[str]:
        return {failure.attempt_id for failures in self.failures.values() for failure in failures}

    def _take(self, commit: CommitRecord | None) -> None:
        if commit is None:
            return
        known = self.commits.get(commit.task)
        if known is None or known.generation < commit.generation:
            self.commits[commit.task] = commit
            self.outdated.update(() if known is None else (known.attempt_id,))
        else:
            self.outdated.add(commit.attempt_id)
