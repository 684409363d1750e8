"""A run's history after its end: `post-mortem.json`, mainly for people, and the rows of `attempts.parquet`.

Rule: its size is bounded for any job, except for the table, which has every attempt. Readers need nothing else of the
run: the ttl deletes the run's records, but not this.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = ["Attempt", "AttemptResult", "AttemptTotals", "FailedAttempt", "PlanFacts", "PostMortem", "StoppedAttempt"]


class AttemptResult(StrEnum):
    """What became of an attempt."""

    COMMITTED = "Committed"
    """Its output is the task's output."""
    LOST = "Lost"
    """It committed, and its output was lost later."""
    FAILED = "Failed"
    BEATEN = "Beaten"
    """Another attempt of its task committed first."""
    STOPPED = "Stopped"
    """The operator deleted it: `why_deleted` gives the reason."""
    VANISHED = "Vanished"
    """Its pod was seen, and then disappeared without a result."""


class Attempt(Wire, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt, as far as known: an entry of the timeline, and a row of the table.

    Attributes:
        task: `m-3` or `r-0`.
        counted: for a failed one, whether it used up one of its task's attempts.
        phase: its pod's phase when last seen, as Kubernetes names it.
        started_at: when its container started; if it committed, when the program started, by the task's own clock.
        finished_at: when its container ended; if it committed, the time of the commit, by the task's own clock.
        deleted_at: when its pod's deletion was decided or first seen; `why_deleted` is empty if others did it.
        pending_seconds: from its creation until it had a node; `starting_seconds` from then until its start;
            `running_seconds` from its start to its finish, or to its deletion if it did not finish.
        cpu_requested: in cores.
        records_in: only if it committed; the same for all fields after it.
    """

    task: str
    attempt: str
    result: AttemptResult
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    counted: bool | None = None
    created_at: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deleted_at: datetime | None = None
    why_deleted: str = ""
    pending_seconds: float | None = None
    starting_seconds: float | None = None
    running_seconds: float | None = None
    node: str = ""
    phase: str = ""
    generation: int = 0
    ordinal: int | None = None
    attempt_id: str
    cpu_requested: float | None = None
    memory_requested_bytes: int | None = None
    records_in: int | None = None
    bytes_in: int | None = None
    records_out: int | None = None
    bytes_out: int | None = None
    spills: int | None = None
    bad_records: int | None = None


class PlanFacts(Wire, frozen=True, kw_only=True):
    """What was planned. `partitions` is None if the run ended before their number was known."""

    digest: str
    objects: int
    bytes: int
    shards: int
    partitions: int | None
    imbalance_bytes: float
    input_format: str
    output_uri: str
    output_format: str


class AttemptTotals(Wire, frozen=True, kw_only=True):
    """Counts of all attempts. `left_out`: how many are only in the table, because the timeline is full."""

    attempts: int
    by_result: dict[str, int]
    pending_seconds: float
    starting_seconds: float
    running_seconds: float
    left_out: int


class FailedAttempt(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """A failed attempt's details: the record that raised, the lines of the traceback, the last lines of its log."""

    task: str
    attempt: str
    finished_at: datetime | None = None
    reason: str
    message: str
    record: str = ""
    traceback: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


class StoppedAttempt(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt that was still running when its run failed: since when, where, and the last lines of its log."""

    task: str
    attempt: str
    started_at: datetime | None = None
    node: str = ""
    log: tuple[str, ...] = ()


class PostMortem(Wire, frozen=True, kw_only=True):
    """The history of one run.

    Attributes:
        verdict: `Complete` or `Failed`, with `reason` and `message` of that condition.
        conditions: all conditions of the job's status.
        timeline: in order of time. A large run leaves attempts out: those that did not commit come first, then the
            longest.
        failures: the last failed attempts, in order of time.
        stopped: the longest-running of the attempts that were still running when the run failed.
        table: the key of the table of all attempts, relative to this object.
        counters: group → name → total over the committed attempts, with names that the status leaves out or cuts.
    """

    schema: int = SCHEMA_VERSION
    job: JobIdentity
    verdict: str
    reason: str
    message: str
    started_at: datetime | None
    ended_at: datetime | None
    plan: PlanFacts
    conditions: tuple[dict[str, Any], ...]
    totals: AttemptTotals
    timeline: tuple[Attempt, ...]
    failures: tuple[FailedAttempt, ...]
    stopped: tuple[StoppedAttempt, ...] = ()
    counters: dict[str, dict[str, int]] = {}
    table: str
