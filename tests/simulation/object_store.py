"""A model of the object store: what each run left below its prefix, and the output they share.

Rule: creates are conditional, the first one wins; everything read is as it stands at that moment (S3 is consistent).
"""

from dataclasses import dataclass, field

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.model.observed import PlanSummary

__all__ = ["Manifest", "ObjectStore", "Output", "RunPrefix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A frozen shuffle manifest: by map index, the generation and the attempt whose blob counts."""

    generation: int
    partitions: int
    map_generations: tuple[int, ...]
    blobs: tuple[str, ...]


@dataclass(slots=True)
class RunPrefix:
    """What lies below one run's prefix.

    Attributes:
        attempts: what was kept of each attempt, by its id, the last word last.
        post_mortem: the ids of the attempts that the story tells of, once it is written.
        was_discarded: the judge's memory, not the store's; so is `was_removed`, after the ttl.
    """

    plan: PlanSummary | None = None
    pages: bool = False
    commits: dict[TaskRef, CommitRecord] = field(default_factory=dict)
    all_commits: dict[tuple[TaskRef, int], CommitRecord] = field(default_factory=dict)
    failures: dict[TaskRef, tuple[FailureRecord, ...]] = field(default_factory=dict)
    failure_ids: set[str] = field(default_factory=set)
    manifests: list[Manifest] = field(default_factory=list)
    intent: dict[TaskRef, str] | None = None
    blobs: set[str] = field(default_factory=set)
    attempts: dict[str, list[AttemptRecord]] = field(default_factory=dict)
    has_table: bool = False
    post_mortem: frozenset[str] | None = None
    was_discarded: bool = False
    was_removed: bool = False

    @property
    def has_objects(self) -> bool:
        """Whether anything lies there."""
        return bool(
            self.pages
            or self.plan
            or self.all_commits
            or self.failures
            or self.manifests
            or self.blobs
            or self.attempts
            or self.has_table
            or self.intent is not None
            or self.post_mortem is not None
        )

    def create_commit(self, commit: CommitRecord) -> bool:
        """Create the commit of a task's generation, unless there is one."""
        key = (commit.task, commit.generation)
        if key in self.all_commits:
            return False
        self.all_commits[key] = commit
        known = self.commits.get(commit.task)
        if known is None or known.generation < commit.generation:
            self.commits[commit.task] = commit
        return True

    def create_failure(self, record: FailureRecord, *, suffix: str = "") -> bool:
        """Create an attempt's failure record, unless there is one."""
        if record.attempt_id + suffix in self.failure_ids:
            return False
        self.failure_ids.add(record.attempt_id + suffix)
        known = (*self.failures.get(record.task, ()), record)
        self.failures[record.task] = tuple(sorted(known, key=lambda failure: failure.finished_at))
        return True

    def keep(self, record: AttemptRecord) -> None:
        """Take what is known of an attempt."""
        self.attempts.setdefault(record.attempt_id, []).append(record)

    def known_attempts(self) -> set[str]:
        """Return the ids of all attempts that left a trace."""
        committed = {commit.attempt_id for commit in self.all_commits.values()}
        failed = {failure.attempt_id for failures in self.failures.values() for failure in failures}
        return {*self.attempts, *committed, *failed}

    def clear(self) -> None:
        """Delete all of it."""
        self.plan, self.intent, self.pages = None, None, False
        self.has_table, self.post_mortem = False, None
        records = (self.commits, self.all_commits, self.failures, self.failure_ids, self.attempts)
        for held in (*records, self.manifests, self.blobs):
            held.clear()


@dataclass(slots=True)
class Output:
    """The output prefix. `parts` and `staged` map a task to the attempts whose bytes lie there, by run.

    `published` is the judge's memory of each `_SUCCESS` that was written.
    """

    claim: str | None = None
    staged: dict[str, set[tuple[TaskRef, str]]] = field(default_factory=dict)
    parts: dict[TaskRef, tuple[str, str]] = field(default_factory=dict)
    manifest: str | None = None
    success: bool = False
    published: list[str] = field(default_factory=list)

    @property
    def holds_output(self) -> bool:
        """Whether something lies there that is neither claim nor staging."""
        return bool(self.parts) or self.success or self.manifest is not None

    def is_published(self, run_id: str) -> bool:
        """Tell whether the output is complete and that run's."""
        return self.success and self.manifest == run_id


@dataclass(slots=True)
class ObjectStore:
    """One job's work prefix, by run, and its output."""

    runs: dict[str, RunPrefix] = field(default_factory=dict)
    output: Output = field(default_factory=Output)

    def run(self, run_id: str) -> RunPrefix:
        """Return the prefix of that run; an empty one if it left nothing."""
        found = self.runs.get(run_id)
        if found is None:
            found = self.runs[run_id] = RunPrefix()
        return found
