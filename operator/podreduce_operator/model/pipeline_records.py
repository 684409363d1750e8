"""What a pipeline's store keeps: the run as it was pinned, and a record for each complete step.

Rule: frozen data. Both are JSON in the bucket, and outlive the jobs.
"""

from dataclasses import dataclass
from typing import Any

from podreduce.contract.numbers import Amount, Index, Name, Total
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = ["PinnedListing", "PinnedPipeline", "PinnedSource", "PinnedStep", "Place", "StepRecord"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A step, and the iteration of its loop; 0 outside of loops."""

    step: Name
    iteration: Index = 0

    def __str__(self) -> str:
        return f"{self.step}/{self.iteration}" if self.iteration else self.step


class PinnedSource(Wire, frozen=True, kw_only=True):
    """A program in a ConfigMap, as it was when the run began."""

    config_map: Name
    key: Name
    text: str


class PinnedListing(Wire, frozen=True, kw_only=True):
    """The objects that some URIs named when the run began.

    Attributes:
        uris: as the spec has them, with their parameters not filled in.
        digest: of the objects' names, sizes and ETags.
        bytes: how large the objects are.
    """

    uris: tuple[str, ...]
    digest: Name
    bytes: Total


class PinnedStep(Wire, frozen=True, kw_only=True):
    """A step as this run does it.

    Attributes:
        spec_digest: of what its output depends on besides its input; None if it is never reused.
        reason: why it is never reused.
        recorded_digest: what the record of its output has, for later runs.
        is_owned: whether this pipeline wrote what lies at the step's `output.uri`, so that it may be replaced.
    """

    name: Name
    spec_digest: Name | None = None
    reason: str = ""
    recorded_digest: Name | None = None
    is_owned: bool = False


class PinnedPipeline(Wire, frozen=True, kw_only=True):
    """`plan/pipeline.json`: what a run does, whatever is edited later. `spec` has its defaults."""

    schema: int = SCHEMA_VERSION
    uid: Name
    run_id: Name
    spec: dict[str, Any]
    sources: tuple[PinnedSource, ...] = ()
    steps: tuple[PinnedStep, ...] = ()
    listings: tuple[PinnedListing, ...] = ()


class StepRecord(Wire, frozen=True, kw_only=True):
    """What is known of a complete step. It outlives its job and its data.

    Attributes:
        job_uid: the job that made it.
        input_digest: of what the job read, as its manifest says.
        output_digest: of the parts that it wrote.
        listing: the digest of its output's objects as they were listed then, as a job that reads them lists them.
        run_id: the run that made it, of the pipeline with this name and UID. The pipelines of a schedule may have their
            records in common. A record without a UID is the pipeline's own.
        slot_seconds: how long its tasks ran, together.
        counters: by `group/name`.
        files: how many files the program wrote beside the records.
        values: the numbers that conditions of a loop read from its output, by key.
        times: how often it was made in that run. It is made again if somebody replaces its output.
    """

    schema: int = SCHEMA_VERSION
    place: Place
    job_uid: Name
    spec_digest: Name | None
    input_digest: str
    output_digest: Name
    listing: Name = ""
    output_uri: str
    output_format: Name = ""
    run_id: Name
    pipeline: str = ""
    pipeline_uid: str = ""
    records: Total
    bytes: Total
    bytes_in: Total
    files: Total = 0
    slot_seconds: float
    seconds: float = 0.0
    counters: dict[str, int] = {}
    values: dict[str, tuple[Any, ...]] = {}
    times: Amount = 1

    def is_of_pipeline(self, uid: str) -> bool:
        """Tell whether a run of this pipeline made it."""
        return self.pipeline_uid in {"", uid}

    def is_of(self, pipeline_uid: str, run_id: str) -> bool:
        """Tell whether this run of this pipeline made it."""
        return self.run_id == run_id and self.is_of_pipeline(pipeline_uid)
