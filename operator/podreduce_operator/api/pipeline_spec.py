"""A MapReducePipeline's spec as typed values. Rule: pure. The spec has the CRD's defaults before it is decoded here.

A step's own job fields (map, reduce, retries, image and so on) stay as they are written: they become the spec of its
job. Here are the fields that the pipeline itself reads.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from podreduce.contract.plan import DEFAULT_INPUT
from podreduce_operator.api.spec import DEFAULT_SECRET, CsvSpec, Fields, ProgramSpec, SpecError, StorageSpec

__all__ = [
    "LIVE_FIELDS",
    "FirstInput",
    "LoopSpec",
    "PipelineSpec",
    "StepInput",
    "StepOutput",
    "StepSpec",
    "UntilSpec",
    "decode_pipeline_spec",
]


LIVE_FIELDS = frozenset(
    {
        "activeDeadlineSeconds",
        "intermediates",
        "onStepFailure",
        "parallelism",
        "runId",
        "suspend",
        "ttlSecondsAfterFinished",
    }
)
"""Fields of the spec that take effect at once. A run pins all others."""


class FirstInput(Fields, frozen=True, kw_only=True):
    """What the first iteration reads in place of the one before: exactly one of the two."""

    from_: str | None = msgspec.field(default=None, name="from")
    uris: tuple[str, ...] | None = None


class StepInput(Fields, frozen=True, kw_only=True):
    """An input of a step: exactly one of objects, another step, or a step of the iteration before."""

    name: str | None = None
    uris: tuple[str, ...] | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    previous: str | None = None
    first: FirstInput | None = None
    format: str | None = None
    record_length: int | None = None
    csv: CsvSpec | None = None

    @property
    def read_uris(self) -> tuple[str, ...]:
        """The objects that it reads, in the first iteration or always."""
        return self.uris or (self.first.uris if self.first is not None else None) or ()

    @property
    def read_steps(self) -> tuple[str, ...]:
        """The steps that it reads: that of every other iteration first."""
        first = None if self.first is None else self.first.from_
        return tuple(name for name in (self.from_, self.previous, first) if name is not None)

    @property
    def known_name(self) -> str:
        """Its name, by default that of the step that it reads."""
        return self.name or next(iter(self.read_steps), DEFAULT_INPUT)


class StepOutput(Fields, frozen=True, kw_only=True):
    """Where a step's output goes; without a URI to a place of the operator's."""

    uri: str | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()
    record_length: int | None = None
    if_exists: Literal["ReplaceOwn", "Replace", "Fail"] = "ReplaceOwn"

    @property
    def written_format(self) -> str:
        """The format of its parts. People read what has a URI; other steps read the rest."""
        return self.format or ("Pairs" if self.uri is None else "Text")


class StepSpec(Fields, frozen=True, kw_only=True):
    """A step, as far as the pipeline reads it."""

    name: str
    inputs: tuple[StepInput, ...]
    side_inputs: tuple[StepInput, ...] = ()
    depends_on: tuple[str, ...] = ()
    output: StepOutput = StepOutput()
    program: ProgramSpec | None = None
    class_name: str | None = None
    parameters: dict[str, str] = {}
    inherit_parameters: tuple[str, ...] | None = None
    reuse: Literal["Unchanged", "Never"] | None = None
    parallelism: int | None = None

    @property
    def all_inputs(self) -> tuple[StepInput, ...]:
        """The inputs and the side inputs."""
        return (*self.inputs, *self.side_inputs)


class UntilSpec(Fields, frozen=True, kw_only=True):
    """A condition that ends a loop: exactly one of counter, output and value."""

    step: str
    operator: Literal["Less", "LessOrEqual", "Equal", "GreaterOrEqual", "Greater"]
    than: int | str
    counter: str | None = None
    output: Literal["Records", "Bytes"] | None = None
    value: str | None = None
    of: Literal["Value", "Change", "RelativeChange"] = "Value"


class LoopSpec(Fields, frozen=True, kw_only=True):
    """Consecutive steps that are repeated."""

    name: str
    steps: tuple[str, ...]
    max_iterations: int
    min_iterations: int = 1
    until: tuple[UntilSpec, ...] = ()
    at_limit: Literal["Accept", "Fail"] = "Accept"
    keep: Literal["Last", "All"] = "Last"


class PipelineSpec(Fields, frozen=True, kw_only=True):
    """The steps of a pipeline, its loops, and how it runs."""

    steps: tuple[StepSpec, ...]
    on_step_failure: Literal["FinishRunning", "Stop", "FinishPossible"]
    reuse: Literal["Unchanged", "Never"]
    intermediates: Literal["UntilTTL", "WhileNeeded"]
    run_id: str
    suspend: bool
    ttl_seconds_after_finished: int
    loops: tuple[LoopSpec, ...] = ()
    program: ProgramSpec | None = None
    parameters: dict[str, str] = {}
    storage: StorageSpec = StorageSpec(secret_ref=DEFAULT_SECRET)
    parallelism: int | None = None
    active_deadline_seconds: int | None = None

    def step(self, name: str) -> StepSpec | None:
        """Return the step with this name."""
        return next((step for step in self.steps if step.name == name), None)

    def loop_of(self, step: str) -> LoopSpec | None:
        """Return the loop that repeats a step."""
        return next((loop for loop in self.loops if step in loop.steps), None)


def decode_pipeline_spec(raw: Mapping[str, Any]) -> PipelineSpec:
    """Return the spec as typed values.

    Raises:
        SpecError: it does not match the CRD of this version.
    """
    try:
        return msgspec.convert(raw, PipelineSpec)
    except msgspec.ValidationError as error:
        raise SpecError(f"spec: {error}") from error
