"""What a pod says of its attempts, put into the records that outlive it.

Rule: pure. How far an attempt has come tells whether there is anything to keep that is not kept yet.
"""

from collections.abc import Mapping
from dataclasses import replace

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import CommitRecord, TaskRef
from podreduce.contract.texts import cut_middle
from podreduce_operator.model.pods import PodPhase, PodView, Stage

__all__ = [
    "JOB_FAILED",
    "STOPPED_TOLD",
    "SUSPENDED",
    "describe_attempt",
    "is_stopped",
    "kept_stage",
    "past_attempts",
    "stage_of",
]

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
    if record.phase == PodPhase.SUCCEEDED:
        return Stage.DONE
    return Stage.CREATED if record.phase == PodPhase.PENDING else Stage.STARTED


def is_stopped(record: AttemptRecord) -> bool:
    """Tell whether the operator has stopped the attempt while it ran: then it has not failed, whatever it ends with."""
    return record.why_deleted in (JOB_FAILED, SUSPENDED)


def past_attempts(pod: PodView, commits: Mapping[TaskRef, CommitRecord]) -> list[PodView]:
    """Return the pod as it was at the end of each turn before the present one: the task was done, and nothing else."""
    views = []
    for sequence, task in enumerate(pod.tasks[: pod.sequence]):
        turn = replace(pod, task=task, sequence=sequence, phase=PodPhase.SUCCEEDED, deleting=False, outcome=None)
        turn = replace(turn, finished_at=None, exit_code=None, reason="", message="", disrupted=False)
        commit = commits.get(task)
        if commit is not None and commit.attempt_id == turn.attempt_id:
            turn = replace(turn, started_at=commit.started_at, finished_at=commit.finished_at)
        views.append(turn)
    return views


def describe_attempt(pod: PodView, now: float, why_deleted: str = "") -> AttemptRecord:
    """Return what is known of the pod's attempt now, in its own words if it left some; `why_deleted` if it is to go.

    One that had its turn after others waited for no node and no start: it was created when it started.
    """
    turn_at = pod.started_at if pod.sequence else None
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
        created_at=pod.created_at if turn_at is None else turn_at,
        scheduled_at=pod.scheduled_at if turn_at is None else turn_at,
        started_at=pod.started_at,
        finished_at=pod.finished_at,
        deleted_at=now if is_gone else None,
        why_deleted=why_deleted,
        exit_code=pod.exit_code,
        reason=speaker.reason,
        message=cut_middle(speaker.message, MAX_MESSAGE),
        cpu_millis=pod.requests.cpu_millis,
        memory_bytes=pod.requests.memory_bytes,
    )
