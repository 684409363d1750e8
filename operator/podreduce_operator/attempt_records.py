"""What a pod says of its attempt, put into the record that outlives it.

Rule: pure. How far an attempt has come tells whether there is anything to keep that is not kept yet.
"""

from podreduce.contract.attempts import AttemptRecord
from podreduce_operator.model import PodPhase, PodView, Stage

__all__ = ["JOB_FAILED", "STOPPED_TOLD", "SUSPENDED", "describe_attempt", "is_stopped", "kept_stage", "stage_of"]

MAX_MESSAGE = 1000

JOB_FAILED = "job failed"
"""Why an attempt was stopped that still ran when its run failed."""

SUSPENDED = "suspended"
"""Why one was stopped that ran when its job was suspended."""

STOPPED_TOLD = 10
"""Of how many such attempts the log is kept and told: of those that had run longest, which may have held the run up."""


def stage_of(pod: PodView) -> Stage:
    """Return how far the pod's attempt has come."""
    if pod.deleting:
        return Stage.GONE
    return Stage.CREATED if pod.phase is PodPhase.PENDING else Stage.STARTED


def kept_stage(record: AttemptRecord) -> Stage:
    """Return how far the attempt had come that was kept."""
    if record.deleted_at is not None:
        return Stage.GONE
    return Stage.CREATED if record.phase == PodPhase.PENDING else Stage.STARTED


def is_stopped(record: AttemptRecord) -> bool:
    """Tell whether the operator has stopped the attempt while it ran: then it has not failed, whatever it ends with."""
    return record.why_deleted in (JOB_FAILED, SUSPENDED)


def describe_attempt(pod: PodView, now: float, why_deleted: str = "") -> AttemptRecord:
    """Return what is known of the pod's attempt now, in its own words if it left some; `why_deleted` if it is to go."""
    is_gone = pod.deleting or bool(why_deleted)
    speaker = pod if pod.outcome is None else pod.outcome
    return AttemptRecord(
        task=pod.task,
        generation=pod.generation,
        ordinal=pod.ordinal,
        attempt_id=pod.attempt_id,
        pod_name=pod.name,
        kept_at=now,
        phase=str(pod.phase),
        node=pod.node,
        created_at=pod.created_at,
        scheduled_at=pod.scheduled_at,
        started_at=pod.started_at,
        finished_at=pod.finished_at,
        deleted_at=now if is_gone else None,
        why_deleted=why_deleted,
        exit_code=pod.exit_code,
        reason=speaker.reason,
        message=speaker.message[:MAX_MESSAGE],
        cpu_millis=pod.requests.cpu_millis,
        memory_bytes=pod.requests.memory_bytes,
    )
