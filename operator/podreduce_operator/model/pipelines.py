"""A MapReducePipeline, the jobs of its steps, and what is decided about them.

Rule: frozen data. Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.resources import ResourceView

__all__ = [
    "CreateStep",
    "Data",
    "DeleteStepJob",
    "PinPipeline",
    "PipelineAction",
    "PipelineDecision",
    "PipelineObserved",
    "PipelinePhase",
    "PipelineRunState",
    "PipelineVerdict",
    "PipelineView",
    "PublishLoop",
    "RecordStep",
    "RemoveData",
    "SetShare",
    "SetSuspend",
    "StepDigests",
    "StepJob",
]


class Data(StrEnum):
    """What lies at the place of a recorded output."""

    PRESENT = "Present"
    GONE = "Gone"
    REPLACED = "Replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDigests:
    """What reuse needs to know of a step. It is fixed when the run begins.

    Attributes:
        spec: of what its output depends on; None if it is never reused, and `reason` says why.
        listings: of the objects behind each list of URIs.
        bytes_in: the size of these objects.
    """

    spec: str | None
    reason: str = ""
    listings: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    bytes_in: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView(ResourceView):
    """A MapReducePipeline, with its decoded spec."""

    spec: PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRunState:
    """What the status says about the run.

    Attributes:
        terminal: `Complete`, `Failed` or None; `reason` and `message` are those of this condition.
    """

    run_id: str
    started_at: float | None = None
    terminal: str | None = None
    reason: str = ""
    message: str = ""
    completed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepJob:
    """The MapReduceJob of a step.

    Attributes:
        run: the hash of the run that it belongs to.
        ended: `Complete` or `Failed`; None while it has not ended. `reason` and `message` say why it failed.
        share: its `parallelism`. `active`: its pods that run or start.
        wanted: how many tasks its wave has left.
        bytes_left: what its maps have still to read.
        seconds: how long its run has taken, or took. `progress`: its tasks, such as `maps 3/8`.
        suspended: its `suspend`.
        deleting: it is being deleted. Until it is gone it may still write its output.
        keeps_maps: it keeps its map output after its end, for later iterations of its loop.
    """

    name: str
    uid: str
    place: Place
    run: str
    ended: str | None = None
    reason: str = ""
    message: str = ""
    share: int = 1
    active: int = 0
    wanted: int = 1
    bytes_left: int = 0
    seconds: float = 0.0
    progress: str = ""
    suspended: bool = False
    deleting: bool = False
    keeps_maps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineObserved:
    """Everything known about one pipeline at one moment. Steps are known by their nodes' names, as `Place` writes them.

    Attributes:
        run_hash: the hash on the jobs of the current run.
        digests: by step, as pinned when the run began; empty before.
        jobs: the jobs of all steps, of any run.
        records: of the complete steps, of any run.
        data: what is left of the recorded outputs.
        published: the digest of what lies at the URI of each step that is in a loop.
        parallelism: how many tasks of all steps may run at a time.
        faults: what failed in the last attempt to act.
        is_store_unreadable: the store was not read, so records and data say nothing.
        holds_steps: no other pipeline of the same schedule has begun to use the records and outputs since.
    """

    pipeline: PipelineView
    run: PipelineRunState
    run_hash: str
    parallelism: int
    digests: Mapping[str, StepDigests] = field(default_factory=dict)
    jobs: tuple[StepJob, ...] = ()
    records: Mapping[str, StepRecord] = field(default_factory=dict)
    data: Mapping[str, Data] = field(default_factory=dict)
    published: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    is_store_unreadable: bool = False
    holds_steps: bool = True

    def is_own(self, record: StepRecord) -> bool:
        """Tell whether the current run made what a record is about."""
        return record.is_of(self.pipeline.uid, self.run.run_id)

    @property
    def run_jobs(self) -> list[StepJob]:
        """The jobs of the current run."""
        return [job for job in self.jobs if job.run == self.run_hash]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPipeline:
    """Check all steps, and write the spec and the programs as this run uses them."""

    def __str__(self) -> str:
        return "pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStep:
    """Make the job of a step with this `parallelism`; `maps_from` names the job whose map output it may read."""

    place: Place
    share: int
    maps_from: str | None = None

    def __str__(self) -> str:
        return f"create({self.place} x{self.share})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetShare:
    """Change a job's `parallelism`."""

    job: StepJob
    share: int

    def __str__(self) -> str:
        return f"share({self.job.place} x{self.share})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSuspend:
    """Suspend a job, or let it go on."""

    job: StepJob
    suspend: bool

    def __str__(self) -> str:
        return f"{'suspend' if self.suspend else 'resume'}({self.job.place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteStepJob:
    """Delete a job, if it still has its UID."""

    job: StepJob
    why: str

    def __str__(self) -> str:
        return f"delete({self.job.place} {self.why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStep:
    """Write the record of a complete step, from its job's manifest."""

    job: StepJob

    def __str__(self) -> str:
        return f"record({self.job.place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishLoop:
    """Copy the last output of a loop's step to its URI."""

    place: Place

    def __str__(self) -> str:
        return f"publish({self.place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveData:
    """Remove the output of a step that is not a result."""

    place: Place

    def __str__(self) -> str:
        return f"remove({self.place})"


PipelineAction = (
    PinPipeline | CreateStep | SetShare | SetSuspend | DeleteStepJob | RecordStep | PublishLoop | RemoveData
)


class PipelinePhase(StrEnum):
    """The run's phase. It is written to the status and never read back."""

    STARTING = "Starting"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineVerdict:
    """The run's phase, with a reason and a message.

    Attributes:
        states: what the status says of each step: Waiting, Running, Complete, Reused, Failed, NotReached.
        critical_path: the steps of the longest way that is left, and `seconds_left` on it.
    """

    phase: PipelinePhase
    reason: str = ""
    message: str = ""
    states: Mapping[str, str] = field(default_factory=dict)
    critical_path: tuple[str, ...] = ()
    seconds_left: float = 0.0

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.phase in (PipelinePhase.COMPLETE, PipelinePhase.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDecision:
    """What to do now, what the status says, and when to look again (in seconds; None: on the next event)."""

    verdict: PipelineVerdict
    actions: tuple[PipelineAction, ...] = ()
    wake_after: float | None = None

    def __str__(self) -> str:
        acts = " ".join(map(str, self.actions)) or "-"
        reason = f"/{self.verdict.reason}" if self.verdict.reason else ""
        wake = "" if self.wake_after is None else f"; wake {self.wake_after:.1f}s"
        return f"{self.verdict.phase}{reason}: {acts}{wake}"
