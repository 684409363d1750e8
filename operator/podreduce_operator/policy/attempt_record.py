"""Turns what a pod says about its attempts into records that remain after the pod is deleted.

Rule: pure. An attempt's stage tells whether there is something new to keep.
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
"""Why an attempt was stopped: its run failed while it was running."""

SUSPENDED = "suspended"
"""Why an attempt was stopped: its job was suspended while it was running."""

STOPPED_TOLD = 10
"""How many stopped attempts have their log kept and reported. They ran longest and may have delayed the run."""


def stage_of(pod: PodView) -> Stage:
    """Return how far the pod's attempt has come."""
    if pod.deleting:
        return Stage.GONE
    return Stage.CREATED if pod.phase is PodPhase.PENDING else Stage.STARTED


def kept_stage(record: AttemptRecord) -> Stage:
    """Return the stage of a kept attempt."""
    if record.deleted_at is not None:
        return Stage.GONE
    if record.phase == PodPhase.SUCCEEDED:
        return Stage.DONE
    return Stage.CREATED if record.phase == PodPhase.PENDING else Stage.STARTED


def is_stopped(record: AttemptRecord) -> bool:
    """Tell whether the operator stopped the running attempt. Then it has not failed, whatever its exit code."""
    return record.why_deleted in (JOB_FAILED, SUSPENDED)


def past_attempts(pod: PodView, commits: Mapping[TaskRef, CommitRecord]) -> list[PodView]:
    """Return the pod as it was after each earlier task: the task had succeeded, and nothing else is known."""
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
    """Return what is known of the pod's attempt, with the attempt's own reason and message if it left any.

    `why_deleted` is set if the pod is about to be deleted. An attempt that is not the first in its pod counts as
    created when it started, because it did not wait for a node.
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
