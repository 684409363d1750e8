"""Builds a run's post-mortem: its plan, how it ended, its attempts, and the messages of failed ones.

Rule: pure. Its size is limited for any number of attempts; the table has all of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from podreduce.contract.layout import ATTEMPTS_TABLE_KEY
from podreduce.contract.plan import Plan
from podreduce.contract.post_mortem import (
    Attempt,
    AttemptResult,
    AttemptTotals,
    FailedAttempt,
    PlanFacts,
    PostMortem,
    StoppedAttempt,
)
from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce.contract.texts import cut_middle
from podreduce_operator.history.attempt_results import moment
from podreduce_operator.model.observed import RunState
from podreduce_operator.policy.attempt_record import JOB_FAILED, STOPPED_TOLD
from podreduce_operator.policy.counter_totals import group_totals, total_counters

__all__ = ["MAX_COUNTERS", "MAX_FAILURES", "EndedRun", "Tally", "build_post_mortem"]

MAX_TIMELINE = 2000
MAX_FAILURES = 50
MAX_MESSAGE = 200
MAX_COUNTERS = 2000
"""A program has at most 1,000 names in a task, and nearly always the same ones in all."""

Placed: TypeAlias = tuple[int, Attempt]
"""An attempt's position in time order, and the attempt."""


@dataclass(slots=True)
class Tally:
    """What the post-mortem keeps of all attempts. They are added in groups, ordered by time. Its size is limited.

    Attributes:
        failed: the last failed attempts, ordered by their end.
        stopped: the attempts that were stopped when the run failed: those that ran longest, the longest first.
    """

    by_result: Counter[str] = field(default_factory=Counter)
    pending_seconds: float = 0.0
    starting_seconds: float = 0.0
    running_seconds: float = 0.0
    failed: list[Attempt] = field(default_factory=list)
    stopped: list[Attempt] = field(default_factory=list)
    _others: list[Placed] = field(default_factory=list)
    _longest: list[Placed] = field(default_factory=list)

    def add(self, attempts: Sequence[Attempt]) -> None:
        """Add the next attempts."""
        placed = list(enumerate(attempts, self.by_result.total()))
        committed = [each for each in placed if each[1].result is AttemptResult.COMMITTED]
        others = [each for each in placed if each[1].result is not AttemptResult.COMMITTED]
        self._others = [*self._others, *others][-MAX_TIMELINE:]
        self._longest = nlargest(MAX_TIMELINE, [*self._longest, *committed], key=running_seconds)
        self.failed = last_failed([*self.failed, *attempts])
        self.stopped = longest_stopped([*self.stopped, *attempts])
        self.by_result.update(str(attempt.result) for attempt in attempts)
        self.pending_seconds += sum(attempt.pending_seconds or 0.0 for attempt in attempts)
        self.starting_seconds += sum(attempt.starting_seconds or 0.0 for attempt in attempts)
        self.running_seconds += sum(attempt.running_seconds or 0.0 for attempt in attempts)

    @property
    def timeline(self) -> list[Attempt]:
        """The attempts in the timeline, ordered by time.

        If there are too many, it has the last ones that did not commit, and the committed ones that took longest.
        """
        committed = self.by_result[AttemptResult.COMMITTED]
        others = self._others[-max(MAX_TIMELINE // 2, MAX_TIMELINE - committed) :]
        longest = self._longest[: MAX_TIMELINE - len(others)]
        return [attempt for _, attempt in sorted([*others, *longest], key=itemgetter(0))]

    @property
    def totals(self) -> AttemptTotals:
        """The totals over all attempts."""
        return AttemptTotals(
            attempts=self.by_result.total(),
            by_result=dict(self.by_result),
            pending_seconds=round(self.pending_seconds, 3),
            starting_seconds=round(self.starting_seconds, 3),
            running_seconds=round(self.running_seconds, 3),
            left_out=self.by_result.total() - len(self.timeline),
        )


def running_seconds(placed: Placed) -> float:
    """Return how long an attempt ran."""
    return placed[1].running_seconds or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """What the post-mortem says beside the attempts.

    Attributes:
        plan_digest: the SHA-256 of the plan's bytes.
        partitions: the number of reduce tasks, if the shuffle was frozen.
        state: how the run ended.
        conditions: the conditions in the status.
        commits: the records of the committed tasks.
        counters: what these tasks counted themselves, added up by group and name.
        failures: the failure records by attempt id.
        logs: the last log lines by attempt id.
    """

    plan: Plan
    plan_digest: str
    partitions: int | None
    state: RunState
    conditions: Sequence[Mapping[str, Any]]
    commits: Iterable[CommitRecord]
    counters: Mapping[tuple[str, str], int]
    failures: Mapping[str, FailureRecord]
    logs: Mapping[str, Sequence[str]]


def build_post_mortem(run: EndedRun, tally: Tally) -> PostMortem:
    """Return the post-mortem of an ended run with these attempts."""
    plan, state = run.plan, run.state
    return PostMortem(
        job=plan.job,
        verdict=state.terminal or "",
        reason=state.reason,
        message=state.message,
        started_at=moment(state.started_at),
        ended_at=moment(state.completed_at),
        plan=describe_plan(plan, run.plan_digest, plan.partitions if run.partitions is None else run.partitions),
        conditions=tuple(dict(condition) for condition in run.conditions),
        totals=tally.totals,
        timeline=tuple(shorten(attempt) for attempt in tally.timeline),
        failures=tuple(describe_failed(attempt, run.failures, run.logs) for attempt in tally.failed),
        stopped=tuple(describe_stopped(attempt, run.logs) for attempt in tally.stopped),
        counters=group_totals(total_counters(run.commits, run.counters), MAX_COUNTERS),
        table=ATTEMPTS_TABLE_KEY,
    )


def describe_plan(plan: Plan, digest: str, partitions: int | None) -> PlanFacts:
    """Return the plan in numbers."""
    return PlanFacts(
        digest=digest,
        objects=plan.objects,
        bytes=plan.bytes,
        shards=plan.shards,
        partitions=partitions,
        imbalance_bytes=plan.imbalance_bytes,
        input_format=plan.inputs[0].input_format if len(plan.inputs) == 1 else plan.input_format,
        output_uri=plan.output_uri,
        output_format=plan.output_format,
    )


def shorten(attempt: Attempt) -> Attempt:
    """Return the attempt with a short message, for the timeline. The table has the whole message."""
    if len(attempt.message) <= MAX_MESSAGE:
        return attempt
    return msgspec.structs.replace(attempt, message=cut_middle(attempt.message, MAX_MESSAGE))


def last_failed(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the last failed attempts, ordered by their end."""
    failed = [attempt for attempt in attempts if attempt.result is AttemptResult.FAILED and attempt.finished_at]
    return sorted(failed, key=lambda attempt: (attempt.finished_at, attempt.attempt_id))[-MAX_FAILURES:]


def longest_stopped(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that were stopped when the run failed: those that ran longest, the longest first."""
    stopped = [
        attempt
        for attempt in attempts
        if attempt.result is AttemptResult.STOPPED and attempt.why_deleted == JOB_FAILED and attempt.started_at
    ]
    return sorted(stopped, key=lambda attempt: (attempt.started_at, attempt.attempt))[:STOPPED_TOLD]


def describe_failed(
    attempt: Attempt, failures: Mapping[str, FailureRecord], logs: Mapping[str, Sequence[str]]
) -> FailedAttempt:
    """Return the messages of a failed attempt. Without a failure record, only the pod's messages are known."""
    failure = failures.get(attempt.attempt_id)
    return FailedAttempt(
        task=attempt.task,
        attempt=attempt.attempt,
        finished_at=attempt.finished_at,
        reason=attempt.reason,
        message=attempt.message,
        record="" if failure is None else failure.record,
        traceback=() if failure is None else tuple(failure.traceback.splitlines()),
        log=tuple(logs.get(attempt.attempt_id, ())),
    )


def describe_stopped(attempt: Attempt, logs: Mapping[str, Sequence[str]]) -> StoppedAttempt:
    """Return a stopped attempt, with its last log lines."""
    return StoppedAttempt(
        task=attempt.task,
        attempt=attempt.attempt,
        started_at=attempt.started_at,
        node=attempt.node,
        log=tuple(logs.get(attempt.attempt_id, ())),
    )
