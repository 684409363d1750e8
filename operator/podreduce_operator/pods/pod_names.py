"""Names and labels of pods. They depend only on the job, the run and the attempt.

Rule: pure. A pod's name is a lock: the second create gets a conflict, so no attempt is started twice. Names have at
most 63 characters, because they become host names, even if the job's name is longer.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from podreduce.contract.numbers import MOST_INDEX
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
"""Forty bits: a collision among the runs of one job name is practically impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLabels:
    """What a pod's labels say about its attempt."""

    run_hash: str
    task: TaskRef
    ordinal: int
    generation: int


def hash_run(uid: str, run_id: str) -> str:
    """Return the hash of a job's UID and runId. It identifies a run, even among jobs with the same name."""
    return short_hash(f"{uid}/{run_id}")


def pod_name(job: str, run_hash: str, task: TaskRef, ordinal: int) -> str:
    """Return the pod name of a task's attempt, such as `wordcount-1f0c9a2b3d-m-3-1`."""
    ending = f"-{run_hash}-{task}-{ordinal}"
    return bounded_name(job, MAX_NAME_CHARACTERS - len(ending)).replace(".", "-") + ending


def gang_name(job: str, run_hash: str, attempts: Iterable[tuple[TaskRef, int]]) -> str:
    """Return the name of the gang of these attempts (task and ordinal). It is unique in the run."""
    ending = f"-{run_hash}-{short_hash(' '.join(f'{task}-{ordinal}' for task, ordinal in attempts))}"
    return bounded_name(job, MAX_NAME_CHARACTERS - len(ending)).replace(".", "-") + ending


def bounded_name(name: str, limit: int = MAX_NAME_CHARACTERS) -> str:
    """Return `name`. If it is longer than `limit`, cut it and append its hash."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - HASH_CHARACTERS - 1].rstrip('-.')}-{short_hash(name)}"


def pod_labels(job: str, attempt: AttemptLabels) -> dict[str, str]:
    """Return the labels of an attempt's pod. `parse_labels` reads them."""
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
    """Read the labels from `pod_labels`; None if a label is missing or was changed."""
    try:
        return AttemptLabels(
            run_hash=labels[RUN_HASH_LABEL],
            task=TaskRef(type=TaskType(labels[TASK_TYPE_LABEL]), index=read_number(labels[TASK_INDEX_LABEL])),
            ordinal=read_number(labels[ORDINAL_LABEL]),
            generation=read_number(labels[GENERATION_LABEL]),
        )
    except (KeyError, ValueError):
        return None


def read_number(text: str) -> int:
    """Read a number of a label.

    Raises:
        ValueError: no attempt has it: anybody may create pods with such labels.
    """
    number = int(text)
    if not 0 <= number <= MOST_INDEX:
        raise ValueError(f"{text} is not the number of a task or attempt")
    return number


def job_selector(job: str) -> str:
    """Return the label selector for all pods of jobs with this name."""
    return f"{managed_selector()},{JOB_LABEL}={bounded_name(job)}"


def managed_selector() -> str:
    """Return the label selector for the pods of all tasks."""
    return f"{MANAGED_BY_LABEL}={MANAGED_BY},{RUN_HASH_LABEL}"


def short_hash(text: str) -> str:
    """Return `HASH_CHARACTERS` hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
