"""What can be done about a job: each action is carried out by `apply`, and is safe to repeat."""

from dataclasses import dataclass

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import FailureRecord, TaskRef, TaskType
from podreduce_operator.model.pods import Gang

__all__ = [
    "Action",
    "CommitOutput",
    "CreatePod",
    "DeletePod",
    "DiscardRun",
    "FreezeShuffle",
    "KeepAttempts",
    "PlanRun",
    "RecordFailure",
    "RemoveIntermediates",
    "RemoveRun",
    "WritePostMortem",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """List the input, claim the output, cut the shards, write the plan."""

    def __str__(self) -> str:
        return "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePod:
    """Start an attempt. A reduce reads the shuffle manifest of `shuffle_generation`.

    Attributes:
        more_tasks: what its pod takes after `task`, one after another.
        memory_factor: what its requested memory is multiplied by.
        slow_node: it is the twin of an attempt that is slow, on that node.
        gang: those with which its pod is to be admitted; None if by itself.
    """

    task: TaskRef
    ordinal: int
    generation: int
    more_tasks: tuple[TaskRef, ...] = ()
    shuffle_generation: int | None = None
    memory_factor: float = 1.0
    slow_node: str | None = None
    gang: Gang | None = None

    @property
    def awaits_shuffle(self) -> bool:
        """Whether its pod takes reduces whose manifest is not frozen yet."""
        return self.task.type is TaskType.MAP and any(task.type is TaskType.REDUCE for task in self.more_tasks)

    def __str__(self) -> str:
        more = f"..{self.more_tasks[-1]}" if self.more_tasks else ""
        more += "" if self.memory_factor == 1.0 else f" memory x{self.memory_factor:g}"
        more += "" if self.slow_node is None else " twin"
        more += "" if self.gang is None else f" of {self.gang.size}"
        return f"create({self.task}#{self.ordinal}{more})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod:
    """Delete the pod of that name if it still has that UID, keeping its last log lines where `save_log`.

    They are kept as those of the attempt that it stands for, whose place in the pod is `sequence`. `force`: do not wait
    for its node.
    """

    name: str
    uid: str
    task: TaskRef
    why: str
    sequence: int = 0
    save_log: bool = False
    force: bool = False

    def __str__(self) -> str:
        return f"delete({self.task} {self.why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFailure:
    """Make a failed attempt durable before its pod goes.

    `if_waiting`: it never started, as far as a list says, which may be old: only if the cluster itself says so, too.
    """

    record: FailureRecord
    if_waiting: bool = False

    def __str__(self) -> str:
        lost = "" if self.record.lost is None else f" {self.record.lost.task}"
        free = "" if self.record.counted else ", free"
        waits = ", if it waits" if self.if_waiting else ""
        return f"record({self.record.task} {self.record.reason}{lost}{free}{waits})"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAttempts:
    """Make durable what is known of these attempts, in one object."""

    attempts: tuple[AttemptRecord, ...]

    def __str__(self) -> str:
        return f"keep({len(self.attempts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeShuffle:
    """Write the shuffle manifest of that generation; the first packs the buckets, later ones keep the packing.

    `parallelism`: how many reduces may run at a time.
    """

    generation: int
    parallelism: int

    def __str__(self) -> str:
        return f"freeze({self.generation})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOutput:
    """Write the commit intent; where it is seen, publish what it names."""

    def __str__(self) -> str:
        return "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveIntermediates:
    """After the run's end: remove its blobs and staged parts, and release the output's claim."""

    def __str__(self) -> str:
        return "clean"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRun:
    """Abort another run of this job: remove its staged parts, its claim and everything below its prefix."""

    run_id: str

    def __str__(self) -> str:
        return f"discard({self.run_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePostMortem:
    """After the run's end: tell its story in one object, and all its attempts in one table.

    `attempts`: those whose pods are still there, as they are now.
    """

    attempts: tuple[AttemptRecord, ...]

    def __str__(self) -> str:
        return "post-mortem"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRun:
    """After ttlSecondsAfterFinished: remove everything below the run's prefix."""

    def __str__(self) -> str:
        return "remove"


Action = (
    PlanRun
    | CreatePod
    | DeletePod
    | RecordFailure
    | KeepAttempts
    | FreezeShuffle
    | CommitOutput
    | RemoveIntermediates
    | WritePostMortem
    | DiscardRun
    | RemoveRun
)
