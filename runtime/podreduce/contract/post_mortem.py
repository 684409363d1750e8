"""A run's story after its end: `post-mortem.json`, for people first, and the rows of `attempts.parquet`.

Rule: of bounded size whatever the job's, but for the table, which has every attempt. What reads it (a person, a query,
a later diagnosis) needs nothing else of the run: its records go after the ttl, and so does this.
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
    """Its output is its task's."""
    LOST = "Lost"
    """It committed, and its output was lost later."""
    FAILED = "Failed"
    BEATEN = "Beaten"
    """Another attempt of its task committed first."""
    STOPPED = "Stopped"
    """The operator deleted it: `why_deleted` says why."""
    VANISHED = "Vanished"
    """Its pod was seen, and then was gone without a word."""


class Attempt(Wire, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt, as far as it is known: an entry of the timeline, and a row of the table.

    Attributes:
        task: `m-3` or `r-0`.
        counted: of a failed one, whether it used up one of its task's attempts.
        phase: its pod's when last seen, in Kubernetes' words.
        started_at: when its container started; of one that committed, the program, by the task's own clock.
        finished_at: when its container ended; of one that committed, the commit, by the task's own clock.
        deleted_at: when its pod's deletion was decided or first seen; `why_deleted` is empty if others did it.
        pending_seconds: from its creation until it had a node; `starting_seconds` from then until its start;
            `running_seconds` from its start to its finish, or, without one, to its deletion.
        cpu_requested: in cores.
        records_in: of one that committed, as is all that follows.
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
    """What was planned. `partitions` is None where the run ended before it was known how many there would be."""

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
    """All attempts in numbers. `left_out`: how many are in the table only, because the timeline is full."""

    attempts: int
    by_result: dict[str, int]
    pending_seconds: float
    starting_seconds: float
    running_seconds: float
    left_out: int


class FailedAttempt(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """A failed attempt's own words: the record that raised, the lines of the traceback, the last lines of its log."""

    task: str
    attempt: str
    finished_at: datetime | None = None
    reason: str
    message: str
    record: str = ""
    traceback: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


class StoppedAttempt(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt that still ran when its run failed: since when, where, and the last lines of its log."""

    task: str
    attempt: str
    started_at: datetime | None = None
    node: str = ""
    log: tuple[str, ...] = ()


class PostMortem(Wire, frozen=True, kw_only=True):
    """The story of one run.

    Attributes:
        verdict: `Complete` or `Failed`, with `reason` and `message` of that condition.
        conditions: of the job's status, all of them.
        timeline: in order of time. In a large run those that did not commit go first, then those that took longest.
        failures: the last failed attempts, in order of time.
        stopped: of the attempts that still ran when the run failed, those that had run longest.
        table: the key, beside this object, of the table of all attempts.
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
    table: str
