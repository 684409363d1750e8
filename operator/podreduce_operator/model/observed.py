"""What `observe` found and `decide` gets.

Rule: frozen data; properties only read its fields. No clients, no clock. Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.pods import AttemptProgress, PodView, Stage

__all__ = [
    "Fault",
    "HeavyKeyView",
    "Observed",
    "PinnedDigests",
    "PlanSummary",
    "PostMortemView",
    "PublishedOutput",
    "RunState",
    "SeenProgram",
    "ShuffleSummary",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What the status says about the run. It is the only state besides the store and the pods.

    Attributes:
        terminal: `Complete`, `Failed` or None; `reason` and `message` are those of this condition.
        is_publishing: whether the run may have begun to publish; written before it begins. None: the status does not
            say, because an earlier release wrote it.
        has_post_mortem: the post-mortem of the ended run is written.
        is_cleaned_up: nothing is left of the ended run except its output.
        has_leftovers: the store refused to be tidied when the ended run was last looked at.
    """

    run_id: str
    started_at: float | None = None
    terminal: str | None = None
    reason: str = ""
    message: str = ""
    completed_at: float | None = None
    is_publishing: bool | None = None
    has_post_mortem: bool = False
    is_cleaned_up: bool = False
    has_leftovers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralPods:
    """Why the tasks of a job do not share one pod, although `execution: Auto` allows it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedDigests:
    """Digests of what a plan pins: the spec, and the text of the program; None if that is in a module."""

    spec: str
    program: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProgram:
    """The text of a job's ConfigMap as it is now, compared for a `generation` of the job.

    Attributes:
        digest: None if it could not be read; then `reason` and `message` say why.
        permanent: reading again does not help: it is not there.
    """

    generation: int
    digest: str | None
    reason: str = ""
    message: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """What `decide` needs from the plan, with the fields of the spec that the plan pins.

    Attributes:
        partitions: None if the packing chooses the number, 0 for a map-only job.
        is_small: one pod may run all tasks.
        several_pods: what forbids that; None if nothing does, or if the author asked for a pod for each task.
        has_chaos: its tasks fail on purpose.
        pinned: the digests of what it pins.
    """

    digest: str
    objects: int
    bytes: int
    shards: int
    imbalance_bytes: float
    partitions: int | None
    tasks_per_pod: int | Literal["Auto"] = 1
    is_small: bool = False
    several_pods: SeveralPods | None = None
    has_chaos: bool = False
    pinned: PinnedDigests | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleSummary:
    """The newest frozen shuffle manifest. `map_generations[i]` is the generation of map i in it."""

    generation: int
    partitions: int
    map_generations: tuple[int, ...]
    partition_bytes: tuple[int, ...]
    imbalance_bytes: float
    hash_imbalance_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyKeyView:
    """A key with much of the shuffled data: its share of the bytes, and its partition once known."""

    key: str
    share: float
    partition: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedOutput:
    """The complete output: `_SUCCESS` exists and the manifest is this run's. `bytes` are those of its records."""

    uri: str
    records: int
    bytes: int
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortemView:
    """The URIs of the run's post-mortem and of the table of all attempts."""

    uri: str
    attempts_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An action or observation that failed, with a message for the job's author.

    `permanent`: repeating does not help, so the job fails. Otherwise it is tried again after a pause.
    """

    reason: str
    message: str
    permanent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything known about one job at one moment.

    Attributes:
        run_id: the current run: the one in the spec. While the run in the status is past its commit intent, that one.
        run_hash: the hash on the pods of this run.
        superseded: the run in progress that a new runId replaced, until it is discarded.
        pods: all pods of this job (same owner UID), of any run.
        commits: the newest generation's commit of each committed task.
        counters: what tasks count themselves, by group and name, added up over the commits.
        failures: every failure record, by task. Of all but the newest the texts are cut.
        progress: what running attempts have reported, by attempt id.
        skew: the heaviest keys, the heaviest first.
        quarantine_uri: where the skipped records are, if the maps skip any.
        has_intent: the commit intent exists, so the run can only go forward.
        has_intermediates: blobs, staged parts or the claim on the output are left.
        has_records: anything is left below the run's prefix.
        kept: the stage of each attempt when this process last kept it. A new process starts with none and keeps
            every attempt again.
        faults: what failed in the last attempt to act.
        troubled_since: since when this process has seen such faults without a break (seconds since the epoch).
        seen_program: the program's text in its ConfigMap, if this pass has compared it.
        is_store_unreadable: the store was not read, so empty fields say nothing about it.
        is_at_rest: the store was not read because the status says that nothing in it is due.
    """

    job: JobView
    run_id: str
    run_hash: str
    run: RunState
    superseded: str | None = None
    plan: PlanSummary | None = None
    pods: tuple[PodView, ...] = ()
    commits: Mapping[TaskRef, CommitRecord] = field(default_factory=dict)
    counters: Mapping[tuple[str, str], int] = field(default_factory=dict)
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
    limits: Limits = field(default_factory=Limits)
    faults: tuple[Fault, ...] = ()
    troubled_since: float | None = None
    seen_program: SeenProgram | None = None
    is_store_unreadable: bool = False
    is_at_rest: bool = False

    @property
    def run_pods(self) -> list[PodView]:
        """The pods of the current run."""
        return [pod for pod in self.pods if pod.run_hash == self.run_hash]

    @property
    def active_pods(self) -> list[PodView]:
        """The run's pods that are running or will run."""
        return [pod for pod in self.run_pods if pod.is_active]

    @property
    def foreign_pods(self) -> list[PodView]:
        """The pods of the job's other runs."""
        return [pod for pod in self.pods if pod.run_hash != self.run_hash]
