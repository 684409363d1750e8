"""What attempts leave behind: outcomes, commits, failures."""

from typing import Any

from podreduce.contract.task import (
    BlobRef,
    CommitRecord,
    FailureRecord,
    LostOutput,
    PartRef,
    QuarantineRef,
    TaskOutcome,
    TaskRef,
    TaskType,
)
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task

__all__ = ["make_commit", "make_failure", "make_outcome", "make_quarantine"]


def make_outcome(reason: str = "ProgramError", message: str = "boom", **fields: Any) -> TaskOutcome:
    return TaskOutcome(reason=reason, message=message, **fields)


def make_commit(
    task: TaskRef | None = None, *, generation: int = 0, attempt_id: str | None = None, **fields: Any
) -> CommitRecord:
    """A commit: a map's names a blob, a reduce's a part. Without `attempt_id` it is by the pod of `make_pod`."""
    task = task or map_task()
    pod = make_pod(task)
    attempt_id = attempt_id or pod.attempt_id
    blob = BlobRef(key=f"data/map/{task.index}/{attempt_id}", bytes=10, footer_offset=5, footer_crc32=0)
    part = PartRef(key=f"_podreduce-{JOB_UID}-1/{task}-{attempt_id}", bytes=10, records=1, sha256="0" * 64)
    is_map = task.type is TaskType.MAP
    defaults: dict[str, Any] = {
        "pod_name": pod.name,
        "started_at": 0.0,
        "finished_at": 50.0,
        "records_in": 1,
        "bytes_in": 10,
        "records_out": 1,
        "bytes_out": 10,
        "blob": blob if is_map else None,
        "part": None if is_map else part,
    }
    return CommitRecord(task=task, generation=generation, attempt_id=attempt_id, **(defaults | fields))


def make_quarantine(records: int = 1) -> QuarantineRef:
    return QuarantineRef(key="quarantine/m-0-pod-0.jsonl", records=records, kept=min(records, 1000))


def make_failure(
    task: TaskRef | None = None,
    *,
    ordinal: int = 1,
    counted: bool = True,
    reason: str = "ProgramError",
    finished_at: float = 100.0,
    lost: tuple[TaskRef, int] | None = None,
    ends_job: bool = False,
    **fields: Any,
) -> FailureRecord:
    """The record of a failed attempt of `make_pod`; `lost` is the task and the generation of an output."""
    pod = make_pod(task, ordinal=ordinal)
    defaults: dict[str, Any] = {"generation": 0, "attempt_id": pod.attempt_id, "message": "boom"}
    return FailureRecord(
        task=pod.task,
        pod_name=pod.name,
        ordinal=ordinal,
        counted=counted,
        ends_job=ends_job,
        reason=reason,
        finished_at=finished_at,
        lost=None if lost is None else LostOutput(task=lost[0], generation=lost[1]),
        **(defaults | fields),
    )
