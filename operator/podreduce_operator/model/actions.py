"""The actions on a job. `apply` carries them out, and each is safe to repeat."""

from dataclasses import dataclass

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import FailureRecord, TaskRef, TaskType
from podreduce_operator.model.pods import Gang

__all__ = [
    "Action",
    "CommitOutput",
    "CreatePod",
    "DeleteJob",
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
        more_tasks: the tasks that its pod takes after `task`, one after another.
        memory_factor: multiplies the requested memory.
        slow_node: set for the twin of a slow attempt: the node of that attempt.
        gang: the pods that are admitted together with this one; None if it is admitted alone.
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
        """Whether the pod takes reduces whose manifest is not frozen yet."""
        return self.task.type is TaskType.MAP and any(task.type is TaskType.REDUCE for task in self.more_tasks)

    def __str__(self) -> str:
        more = f"..{self.more_tasks[-1]}" if self.more_tasks else ""
        more += "" if self.memory_factor == 1.0 else f" memory x{self.memory_factor:g}"
        more += "" if self.slow_node is None else " twin"
        more += "" if self.gang is None else f" of {self.gang.size}"
        return f"create({self.task}#{self.ordinal}{more})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod:
    """Delete the pod with this name, if it still has this UID.

    Attributes:
        task: the task of the pod's current attempt; `sequence` is the task's place in the pod.
        save_log: keep the last log lines, under the current attempt.
        force: do not wait for the pod's node.
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
    """Record a failed attempt in the store, before its pod is deleted.

    `if_waiting`: according to a pod list, which may be old, the attempt never started. Record it only if the cluster
    confirms this.
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
    """Write what is known of these attempts to the store, in one object."""

    attempts: tuple[AttemptRecord, ...]

    def __str__(self) -> str:
        return f"keep({len(self.attempts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeShuffle:
    """Write the shuffle manifest of this generation.

    The first manifest packs the buckets; later ones keep the packing. `parallelism`: how many reduces may run at a
    time.
    """

    generation: int
    parallelism: int

    def __str__(self) -> str:
        return f"freeze({self.generation})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOutput:
    """Write the commit intent. If there is one already, publish the parts that it names."""

    def __str__(self) -> str:
        return "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveIntermediates:
    """After the run's end, remove its blobs and staged parts and release its claim on the output."""

    def __str__(self) -> str:
        return "clean"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRun:
    """Abort another run of this job. Remove its staged parts, its claim and everything below its prefix."""

    run_id: str

    def __str__(self) -> str:
        return f"discard({self.run_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePostMortem:
    """After the run's end, write the post-mortem object and the table of all attempts.

    `attempts`: the attempts whose pods still exist, as they are now.
    """

    attempts: tuple[AttemptRecord, ...]

    def __str__(self) -> str:
        return "post-mortem"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRun:
    """After ttlSecondsAfterFinished, or before the job is deleted, remove everything below the run's prefix."""

    def __str__(self) -> str:
        return "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """After deleteAfterFinishedSeconds, delete the MapReduceJob. Nothing that it stored is left but the output."""

    def __str__(self) -> str:
        return "delete job"


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
    | DeleteJob
)
