"""Names and labels of pods: functions of the job, the run and the attempt, and nothing else.

Rule: pure. A pod's name is a lock: whoever creates it second gets a conflict, so no attempt is started twice.
Names stay within 63 characters (they become host names) however long the job's name is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from podreduce.contract.task import TaskRef, TaskType

__all__ = [
    "GENERATION_LABEL",
    "JOB_LABEL",
    "MANAGED_BY_LABEL",
    "ORDINAL_LABEL",
    "RUN_HASH_LABEL",
    "TASK_INDEX_LABEL",
    "TASK_TYPE_LABEL",
    "AttemptLabels",
    "bounded_name",
    "gang_name",
    "hash_run",
    "job_selector",
    "managed_selector",
    "parse_labels",
    "pod_labels",
    "pod_name",
]

JOB_LABEL = "podreduce.dev/job"
RUN_HASH_LABEL = "podreduce.dev/run-hash"
TASK_TYPE_LABEL = "podreduce.dev/task-type"
TASK_INDEX_LABEL = "podreduce.dev/task-index"
ORDINAL_LABEL = "podreduce.dev/ordinal"
GENERATION_LABEL = "podreduce.dev/generation"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "podreduce"

MAX_NAME_CHARACTERS = 63
HASH_CHARACTERS = 10
"""Forty bits: among the runs of one job name, a collision is out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLabels:
    """What a pod's labels say of its attempt."""

    run_hash: str
    task: TaskRef
    ordinal: int
    generation: int


def hash_run(uid: str, run_id: str) -> str:
    """Return the hash of a job's UID and runId: it tells runs apart, also those of jobs of one name."""
    return short_hash(f"{uid}/{run_id}")


def pod_name(job: str, run_hash: str, task: TaskRef, ordinal: int) -> str:
    """Return the name of the task's attempt with that ordinal: `wordcount-1f0c9a2b3d-m-3-1`."""
    ending = f"-{run_hash}-{task}-{ordinal}"
    return bounded_name(job, MAX_NAME_CHARACTERS - len(ending)).replace(".", "-") + ending


def gang_name(job: str, run_hash: str, attempts: Iterable[tuple[TaskRef, int]]) -> str:
    """Return the name of the gang of these attempts: tasks and ordinals. No other gang of the run has it."""
    ending = f"-{run_hash}-{short_hash(' '.join(f'{task}-{ordinal}' for task, ordinal in attempts))}"
    return bounded_name(job, MAX_NAME_CHARACTERS - len(ending)).replace(".", "-") + ending


def bounded_name(name: str, limit: int = MAX_NAME_CHARACTERS) -> str:
    """Return `name`, or, if it is longer than `limit`, as much of it as leaves room for its hash."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - HASH_CHARACTERS - 1].rstrip('-.')}-{short_hash(name)}"


def pod_labels(job: str, attempt: AttemptLabels) -> dict[str, str]:
    """Return the labels of an attempt's pod; `parse_labels` reads them back."""
    return {
        MANAGED_BY_LABEL: MANAGED_BY,
        JOB_LABEL: bounded_name(job),
        RUN_HASH_LABEL: attempt.run_hash,
        TASK_TYPE_LABEL: attempt.task.type.value,
        TASK_INDEX_LABEL: str(attempt.task.index),
        ORDINAL_LABEL: str(attempt.ordinal),
        GENERATION_LABEL: str(attempt.generation),
    }


def parse_labels(labels: Mapping[str, str]) -> AttemptLabels | None:
    """Read what `pod_labels` wrote; None if a label is missing or was tampered with."""
    try:
        return AttemptLabels(
            run_hash=labels[RUN_HASH_LABEL],
            task=TaskRef(type=TaskType(labels[TASK_TYPE_LABEL]), index=int(labels[TASK_INDEX_LABEL])),
            ordinal=int(labels[ORDINAL_LABEL]),
            generation=int(labels[GENERATION_LABEL]),
        )
    except (KeyError, ValueError):
        return None


def job_selector(job: str) -> str:
    """Return the label selector of all pods of the jobs of that name."""
    return f"{managed_selector()},{JOB_LABEL}={bounded_name(job)}"


def managed_selector() -> str:
    """Return the label selector of every task's pod."""
    return f"{MANAGED_BY_LABEL}={MANAGED_BY},{RUN_HASH_LABEL}"


def short_hash(text: str) -> str:
    """Return `HASH_CHARACTERS` hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
