"""The metrics of what the loop does: counted when it happens, by the loop's telemetry.

Rule: every label has a fixed set of values, and every series exists from the start. Reasons come from the tables of the
policy; any other is `Other`, because a task's own words may be anything.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import CommitRecord, FailureRecord, TaskType
from podreduce_operator.model.decisions import Phase
from podreduce_operator.policy.attempt_record import JOB_FAILED, SUSPENDED
from podreduce_operator.policy.failure_classes import CLASSES
from podreduce_operator.process.label_values import OTHER, bound

__all__ = ["ACTIVE_PHASES", "STOP_REASONS", "LoopMetrics"]

COMMITTED = "Committed"
MOST_BYTES = 2**63
STAGES = ("input", "shuffle", "output")

ACTIVE_PHASES = tuple(str(phase) for phase in Phase if phase not in {Phase.COMPLETE, Phase.FAILED})
"""The phases that a job leaves without a new runId."""

FAILURE_REASONS = frozenset({OTHER}.union(*(known.reasons for known in CLASSES)))

STOP_REASONS: Mapping[str, str] = {
    JOB_FAILED: "JobFailed",
    SUSPENDED: "Suspended",
    "beaten by a twin": "BeatenByTwin",
    "gang is broken": "GangBroken",
    "job ended": "JobEnded",
    "output lost": "OutputLost",
}
"""By the reasons of deletions that stop an attempt. Other deletions follow an attempt's end."""

STARTED_OR_NOT = frozenset({"Pending", "Running"})

PASS_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
PHASE_SECONDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0)
SKEW_RATIOS = (1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)


class LoopMetrics:
    """Counters and histograms in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._passes = Histogram(
            "podreduce_reconcile_seconds", "How long a pass over one job took.", buckets=PASS_SECONDS, registry=registry
        )
        self._phases = Histogram(
            "podreduce_job_phase_seconds",
            "How long a job was in a phase, counted when it leaves it. "
            "Left out if this operator did not see the phase begin.",
            ["phase"],
            buckets=PHASE_SECONDS,
            registry=registry,
        )
        self._attempts = Counter(
            "podreduce_attempts",
            "Attempts that have ended, by what became of them.",
            ["type", "outcome", "reason"],
            registry=registry,
        )
        self._bytes = Counter(
            "podreduce_data_bytes",
            "Bytes that committed attempts have read as input, written to the shuffle, and written to the output.",
            ["stage"],
            registry=registry,
        )
        self._skew = Histogram(
            "podreduce_partition_skew_ratio",
            "The bytes of a job's largest partition, divided by their mean, counted when its shuffle is frozen.",
            buckets=SKEW_RATIOS,
            registry=registry,
        )
        for phase in ACTIVE_PHASES:
            self._phases.labels(phase)
        for kind, (outcome, reason) in product(TaskType, list_ends()):
            self._attempts.labels(kind.value, outcome, reason)
        for stage in STAGES:
            self._bytes.labels(stage)

    def take_pass(self, seconds: float) -> None:
        """Count a pass of the loop."""
        self._passes.observe(seconds)

    def take_phase(self, phase: str, seconds: float) -> None:
        """Count a job that has left a phase."""
        if phase in ACTIVE_PHASES:
            self._phases.labels(phase).observe(seconds)

    def take_attempt(self, record: CommitRecord | FailureRecord) -> None:
        """Count an attempt that has committed or failed, and the bytes of a commit."""
        kind = record.task.type
        if isinstance(record, FailureRecord):
            self._attempts.labels(kind.value, "failed", bound(record.reason, FAILURE_REASONS)).inc()
            return
        self._attempts.labels(kind.value, "succeeded", COMMITTED).inc()
        if kind is TaskType.MAP:
            self._bytes.labels("input").inc(possible(record.bytes_in))
        self._bytes.labels("shuffle" if record.part is None else "output").inc(possible(record.bytes_out))

    def take_stop(self, record: AttemptRecord) -> None:
        """Count an attempt that is stopped before its end."""
        reason = STOP_REASONS.get(record.why_deleted)
        if reason is not None and record.phase in STARTED_OR_NOT:
            self._attempts.labels(record.task.type.value, "stopped", reason).inc()

    def take_shuffle(self, partition_bytes: Sequence[int]) -> None:
        """Count a frozen shuffle. One without data has no skew."""
        if sum(partition_bytes) > 0:
            self._skew.observe(max(partition_bytes) * len(partition_bytes) / sum(partition_bytes))


def possible(count: int) -> int:
    """Return the count if it can be one: a record lies in a bucket, where others may write."""
    return min(max(count, 0), MOST_BYTES)


def list_ends() -> list[tuple[str, str]]:
    """Return all that may become of an attempt: the outcome and the reason."""
    failures = [("failed", reason) for reason in sorted(FAILURE_REASONS)]
    stops = [("stopped", reason) for reason in sorted(STOP_REASONS.values())]
    return [("succeeded", COMMITTED), *failures, *stops]
