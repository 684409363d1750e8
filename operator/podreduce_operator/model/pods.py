"""The pods of a job: what is asked for, and what was found.

Rule: frozen data, no behaviour beyond reading itself; no clients, no clock. Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce_operator.model.jobs import JobView

__all__ = ["AttemptProgress", "Gang", "PodPhase", "PodRequest", "PodView", "Requests", "Stage"]


class PodPhase(StrEnum):
    """A pod's phase, in Kubernetes' words."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Stage(IntEnum):
    """How far an attempt has come, as far as it matters to what is kept of it."""

    CREATED = 1
    STARTED = 2
    DONE = 3
    """Its turn is over, and its pod goes on to the next task."""
    GONE = 4
    """Its pod is being deleted, or is about to be."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod's container asks its node for: thousandths of a core, bytes; None where it does not say."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """Pods that are admitted together, or not yet: `size` of them, under a name of their own."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One attempt's pod. Ten thousand of them are held in memory: what they have in common is one object.

    A pod may take several tasks, one after another; it stands for one of them at a time, the first until `sequences`
    has said which.

    Attributes:
        task: which task it stands for; `sequence` is that task's place among `tasks`.
        tasks: all tasks of a pod that takes several; empty for one that has but `task`.
        gang: those with which it waits to be admitted, or was; None if by itself.
        run_hash: which run of which job it belongs to; see `names`.
        reason: why it waits or why it ended, in the kubelet's words (`OOMKilled`, `ErrImagePull`, `Evicted`); or empty.
        node: its node's name; empty before it has one. `scheduled_at`: when it got it; `started_at`: when its task did.
        vanishes_at: of one that is being deleted, when its grace is over.
        disrupted: it has the condition DisruptionTarget, or was lost with its node.
        conditions: type and status of each, for the job's own failure policy.
        outcome: what the task itself said in its termination message.
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

    @property
    def attempt_id(self) -> str:
        """The id of the attempt that it stands for."""
        return f"{self.uid}-{self.sequence}"

    @property
    def attempt_ids(self) -> tuple[str, ...]:
        """The ids of all attempts that it may make, in order."""
        return tuple(f"{self.uid}-{number}" for number in range(len(self.tasks) or 1))

    @property
    def all_tasks(self) -> tuple[TaskRef, ...]:
        """Every task that it takes, in order."""
        return self.tasks or (self.task,)

    @property
    def tasks_ahead(self) -> tuple[TaskRef, ...]:
        """The task that it stands for and those that it takes after it."""
        return self.all_tasks[self.sequence :]

    @property
    def is_finished(self) -> bool:
        """Whether its container has ended."""
        return self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    @property
    def is_active(self) -> bool:
        """Whether it runs, or will."""
        return not self.is_finished and not self.deleting


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress:
    """How far an attempt is, as it last reported: `fraction` from 0 to 1.

    `changed_at` is when its counts last differed from those before, by the operator's clock; `reported_at` likewise.
    """

    fraction: float
    reported_at: float
    changed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequest:
    """A pod to create: its name is the lock, `environment` what its task is told (its UID comes from the cluster).

    `memory_factor`: what the memory that its templates ask for is multiplied by. `slow_node`: where it had better not
    be. `gang`: the pods with which it is to be admitted.
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
    """The spec as the plan pinned it: image, pod templates, storage."""
