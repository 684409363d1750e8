"""The pods of a job: the requested ones and the observed ones.

Rule: frozen data; properties only read its fields. No clients, no clock. Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce_operator.model.jobs import JobView

__all__ = ["AttemptProgress", "Gang", "PodPhase", "PodRequest", "PodView", "Requests", "Stage"]

MAX_DIGITS = 10


class PodPhase(StrEnum):
    """A pod's phase, as Kubernetes names it."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Stage(IntEnum):
    """How far an attempt has come. Each new stage is written to the store."""

    CREATED = 1
    STARTED = 2
    DONE = 3
    """The attempt is over, and its pod continues with the next task."""
    GONE = 4
    """The pod is being deleted or is about to be."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod's container requests: thousandths of a core, and bytes. None if it requests none."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """A named group of `size` pods that are all admitted at the same time."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One attempt's pod. Up to ten thousand are held in memory, so they share equal values.

    A pod may take several tasks, one after another. `task` is its current one: the first, until
    `task_sequences` has found a later one.

    Attributes:
        task: the current task; `sequence` is its place in `tasks`.
        tasks: all tasks of a pod that takes several; empty if it takes only `task`.
        gang: the group it is admitted with; None if it is admitted alone.
        run_hash: the run and job it belongs to; see `pod_names`.
        reason: why it waits or ended, as the kubelet says it (`OOMKilled`, `ErrImagePull`, `Evicted`); or empty.
        node: the node's name; empty before it has one.
        scheduled_at: when it got its node.
        started_at: when its task started.
        vanishes_at: if it is being deleted, when its grace period ends.
        disrupted: it has the condition DisruptionTarget, or was lost with its node.
        conditions: type and status of each, for the job's failure policy.
        outcome: what the task wrote in its termination message.
        lingers: its task has ended, and other containers of it still run.
    """

    name: str
    uid: str
    run_hash: str
    task: TaskRef
    ordinal: int
    generation: int
    phase: PodPhase
    created_at: float
    tasks: tuple[TaskRef, ...] = ()
    sequence: int = 0
    gang: Gang | None = None
    deleting: bool = False
    node: str = ""
    scheduled_at: float | None = None
    started_at: float | None = None
    vanishes_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    disrupted: bool = False
    conditions: tuple[tuple[str, str], ...] = ()
    requests: Requests = Requests()
    outcome: TaskOutcome | None = None
    lingers: bool = False

    @property
    def attempt_id(self) -> str:
        """The id of its current attempt."""
        return f"{self.uid}-{self.sequence}"

    @property
    def attempt_ids(self) -> tuple[str, ...]:
        """The ids of all its attempts, in order: one for each of its tasks."""
        return tuple(f"{self.uid}-{number}" for number in range(len(self.tasks) or 1))

    def has_attempt(self, attempt_id: str) -> bool:
        """Tell whether the id is one of `attempt_ids`, without building them."""
        uid, _, number = attempt_id.rpartition("-")
        is_number = number.isascii() and number.isdecimal() and len(number) < MAX_DIGITS and str(int(number)) == number
        return uid == self.uid and is_number and int(number) < (len(self.tasks) or 1)

    @property
    def all_tasks(self) -> tuple[TaskRef, ...]:
        """All its tasks, in order."""
        return self.tasks or (self.task,)

    @property
    def tasks_ahead(self) -> tuple[TaskRef, ...]:
        """Its current task and the ones after it."""
        return self.all_tasks[self.sequence :]

    @property
    def is_finished(self) -> bool:
        """Whether its container has ended."""
        return self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    @property
    def is_active(self) -> bool:
        """Whether it is running or will run."""
        return not self.is_finished and not self.deleting


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress:
    """An attempt's last report. Times are the operator's.

    Attributes:
        fraction: how much of the task is done, from 0 to 1.
        reported_at: when the last report arrived.
        changed_at: when the reported counts last changed.
        records: how many input records it has read.
    """

    fraction: float
    reported_at: float
    changed_at: float
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequest:
    """A pod to create.

    Attributes:
        name: it is unique, so only one operator can create this attempt.
        environment: what its task reads. The cluster adds the pod's UID.
        memory_factor: multiplies the memory that the pod templates request.
        slow_node: a node to avoid if possible.
        gang: the pods that are admitted together with it.
    """

    name: str
    job: JobView
    run_hash: str
    ordinal: int
    environment: TaskEnvironment
    memory_factor: float = 1.0
    slow_node: str | None = None
    gang: Gang | None = None
    spec: Mapping[str, Any]
    """The spec as pinned by the plan: image, pod templates, storage."""
