"""What the loop passes around: the world as observed, and the decision taken on it.

Rule: frozen data, no behaviour beyond reading itself; no clients, no clock. Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import CommitRecord, FailureRecord, TaskOutcome, TaskRef, TaskType
from podreduce_operator.spec import JobSpec

__all__ = [
    "Action",
    "AttemptProgress",
    "CommitOutput",
    "CreatePod",
    "Decision",
    "DeletePod",
    "DiscardRun",
    "Fault",
    "FreezeShuffle",
    "Gang",
    "HeavyKeyView",
    "JobKey",
    "JobView",
    "KeepAttempts",
    "Limits",
    "Observed",
    "PendingDeadlines",
    "Phase",
    "PlanRun",
    "PlanSummary",
    "PodPhase",
    "PodView",
    "PostMortemView",
    "PublishedOutput",
    "RecordFailure",
    "RemoveIntermediates",
    "RemoveRun",
    "Requests",
    "RunState",
    "ShuffleSummary",
    "Stage",
    "Verdict",
    "WritePostMortem",
]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobKey:
    """Which MapReduceJob, by name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A MapReduceJob as read: its identity, its labels, its spec decoded and raw, its last status."""

    key: JobKey
    uid: str
    generation: int
    spec: JobSpec
    raw_spec: Mapping[str, Any]
    status: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False


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
class PendingDeadlines:
    """How long pods may wait before the job fails, by what they wait for; None is for ever.

    Attributes:
        absent_seconds: an image, Secret or ConfigMap that is not there: it may be applied a little later.
        image_seconds: an image that cannot be pulled for another reason, such as a registry that is away.
        unschedulable_seconds: a node.
    """

    absent_seconds: float | None = 30.0
    image_seconds: float | None = 600.0
    unschedulable_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the installation allows a job.

    Attributes:
        parallelism: how many pods may be active at once (locally: the cores).
        speculates: slow tasks may get a second attempt; on one machine that helps nobody.
        packs: pods are dear, so that several tasks may share one of the operator's own accord (`Auto`).
        chaos: `spec.chaos` is allowed.
        pending: how long pods may wait.
        post_mortem_of: which ends of a run get a post-mortem (locally only failures: the rest is thrown away).
    """

    parallelism: int = 1000
    speculates: bool = True
    packs: bool = True
    chaos: bool = False
    pending: PendingDeadlines = PendingDeadlines()
    post_mortem_of: frozenset[str] = frozenset({"Complete", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What the status remembers of the run: the only state besides the store and the pods.

    Attributes:
        terminal: `Complete`, `Failed` or None; with `reason` and `message` of that condition.
    """

    run_id: str
    started_at: float | None = None
    terminal: str | None = None
    reason: str = ""
    message: str = ""
    completed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """What `decide` needs of the plan, with the fields of the spec that it pins.

    `partitions` is None where the packing chooses, 0 for a map-only job. `is_small`: one pod may run all of it.
    """

    digest: str
    objects: int
    bytes: int
    shards: int
    imbalance_bytes: float
    partitions: int | None
    tasks_per_pod: int | Literal["Auto"] = 1
    is_small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleSummary:
    """The newest frozen shuffle manifest. `map_generations[i]` is the generation of map i that it names."""

    generation: int
    partitions: int
    map_generations: tuple[int, ...]
    partition_bytes: tuple[int, ...]
    imbalance_bytes: float
    hash_imbalance_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyKeyView:
    """A key with much of the shuffled data: its share of the bytes, and its partition once that is known."""

    key: str
    share: float
    partition: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedOutput:
    """The output, complete: `_SUCCESS` is there and the manifest is this run's."""

    uri: str
    records: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortemView:
    """The run's story is written: where it lies, and where the table of all attempts."""

    uri: str
    attempts_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An action or an observation that could not be done, in words for the job's author.

    `permanent`: repeating will not help, the job fails. Otherwise it is tried again after a pause.
    """

    reason: str
    message: str
    permanent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One job's world at one moment.

    Attributes:
        run_id: the run that counts now: the spec's, or the status' while that one is past its commit intent.
        run_hash: the hash that this run's pods carry.
        superseded: the run in progress that a new runId replaced and that is not discarded yet.
        pods: all pods of this job (same owner UID), of whatever run.
        commits: the newest generation's commit of each committed task.
        failures: every failure record, by task.
        progress: what running attempts have reported, by attempt id.
        skew: the heaviest keys, the heaviest first.
        quarantine_uri: where the records are that its maps skip, if they skip any.
        has_intent: the point of no return is passed.
        has_intermediates: blobs, staged parts or the output's claim are left.
        has_records: anything at all is left below the run's prefix.
        kept: how far each attempt had come when this process last kept what is known of it; a new process knows of
            none, and keeps once more.
        faults: what the last attempt to act ran into.
        is_blind: the store could not be read, so that its absent fields say nothing.
    """

    job: JobView
    run_id: str
    run_hash: str
    run: RunState
    superseded: str | None = None
    plan: PlanSummary | None = None
    pods: tuple[PodView, ...] = ()
    commits: Mapping[TaskRef, CommitRecord] = field(default_factory=dict)
    failures: Mapping[TaskRef, tuple[FailureRecord, ...]] = field(default_factory=dict)
    progress: Mapping[str, AttemptProgress] = field(default_factory=dict)
    shuffle: ShuffleSummary | None = None
    skew: tuple[HeavyKeyView, ...] = ()
    quarantine_uri: str = ""
    has_intent: bool = False
    published: PublishedOutput | None = None
    has_intermediates: bool = False
    has_records: bool = False
    kept: Mapping[str, Stage] = field(default_factory=dict)
    post_mortem: PostMortemView | None = None
    limits: Limits = Limits()
    faults: tuple[Fault, ...] = ()
    is_blind: bool = False

    @property
    def run_pods(self) -> list[PodView]:
        """The pods of the run that counts."""
        return [pod for pod in self.pods if pod.run_hash == self.run_hash]

    @property
    def active_pods(self) -> list[PodView]:
        """The run's pods that run, or will."""
        return [pod for pod in self.run_pods if pod.is_active]

    @property
    def foreign_pods(self) -> list[PodView]:
        """The job's pods that belong to other runs of it."""
        return [pod for pod in self.pods if pod.run_hash != self.run_hash]


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


class Phase(StrEnum):
    """Where a run stands; shown, and never read back."""

    PLANNING = "Planning"
    MAPPING = "Mapping"
    REDUCING = "Reducing"
    COMMITTING = "Committing"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the decision says about the run: its phase, and why.

    Attributes:
        map_total: how many map tasks, `reduce_total` reduces; None while unknown.
        next_attempt_at: when the next delayed attempt is due.
    """

    phase: Phase
    reason: str = ""
    message: str = ""
    map_total: int | None = None
    reduce_total: int | None = None
    next_attempt_at: float | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.phase in (Phase.COMPLETE, Phase.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now, what to say about it, and when to look again (seconds; None: on the next event)."""

    actions: tuple[Action, ...]
    verdict: Verdict
    wake_after: float | None = None

    def __str__(self) -> str:
        """Return the decision log's line: `Mapping: create(m-0#1) create(m-1#1); wake 5.0s`."""
        acts = " ".join(map(str, self.actions)) or "-"
        reason = f"/{self.verdict.reason}" if self.verdict.reason else ""
        wake = "" if self.wake_after is None else f"; wake {self.wake_after:.1f}s"
        return f"{self.verdict.phase}{reason}: {acts}{wake}"
