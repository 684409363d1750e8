"""The world as `observe` found it: what `decide` is given.

Rule: frozen data, no behaviour beyond reading itself; no clients, no clock. Times are seconds since the epoch.
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
    "PlanSummary",
    "PostMortemView",
    "PublishedOutput",
    "RunState",
    "ShuffleSummary",
]


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
    limits: Limits = field(default_factory=Limits)
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
