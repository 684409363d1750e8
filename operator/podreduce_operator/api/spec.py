"""A MapReduceJob's spec as typed values, and which of its fields a running job still reads.

Rule: pure. The spec has the CRD's defaults before it is decoded here. `None` means that the planner or the operator's
settings choose the value.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from podreduce.contract.plan import DEFAULT_INPUT, Condition, InputColumn, InputOptions, Program, ProgramFile, Sample
from podreduce_operator.api.quantities import parse_bytes

__all__ = [
    "DEFAULT_SECRET",
    "LIVE_FIELDS",
    "BackoffSpec",
    "ConfigMapKeyRef",
    "ExitCodesRule",
    "FailurePolicySpec",
    "FailureRule",
    "InputSpec",
    "JobSpec",
    "MapSpec",
    "OutputSpec",
    "ProgramSpec",
    "ReduceSpec",
    "SecretRef",
    "SourceFrom",
    "SpecError",
    "StorageSpec",
    "decode_spec",
    "pinned_fields",
    "spec_changed",
]

LIVE_FIELDS = frozenset(
    {
        "suspend",
        "parallelism",
        "admission",
        "backoff",
        "backoffLimitPerTask",
        "failurePolicy",
        "maxBadRecords",
        "activeDeadlineSeconds",
        "progressDeadlineSeconds",
        "runPolicy",
        "speculation",
        "ttlSecondsAfterFinished",
        "deleteAfterFinishedSeconds",
    }
)
"""Fields of the spec that take effect at once. The plan pins all others until the next `runId`."""


class SpecError(ValueError):
    """The spec is invalid. The message names the field's path and what is expected."""


class Fields(msgspec.Struct, frozen=True, rename="camel"):
    """Camel-case fields. The validator reports unknown fields; the decoder ignores them."""


class ConfigMapKeyRef(Fields, frozen=True, kw_only=True):
    """A key of a ConfigMap in the job's namespace."""

    name: str
    key: str


class SourceFrom(Fields, frozen=True, kw_only=True):
    """Where the program's text is."""

    config_map_key_ref: ConfigMapKeyRef


class ProgramFileSpec(Fields, frozen=True, kw_only=True):
    """A file that the program needs."""

    uri: str
    digest: str

    def as_file(self) -> ProgramFile:
        """Return the file as the plan stores it."""
        return ProgramFile(uri=self.uri, digest=self.digest)


class ProgramSpec(Fields, frozen=True, kw_only=True):
    """The user's program: exactly one of `source`, `source_from` and `module` is set."""

    source: str | None = None
    source_from: SourceFrom | None = None
    module: str | None = None
    class_name: str | None = None
    parameters: dict[str, str] = {}
    archive: ProgramFileSpec | None = None
    requirements: tuple[ProgramFileSpec, ...] = ()

    def as_program(self, source: str | None) -> Program:
        """Return the program as a plan has it, with its text."""
        return Program(
            source=source,
            module=self.module,
            class_name=self.class_name,
            parameters=self.parameters,
            archive=None if self.archive is None else self.archive.as_file(),
            requirements=tuple(each.as_file() for each in self.requirements),
        )

    @property
    def files(self) -> dict[str, str]:
        """The URIs of all files that the program needs, by their fields in the spec."""
        archive = {} if self.archive is None else {"program.archive.uri": self.archive.uri}
        return archive | {f"program.requirements[{n}].uri": each.uri for n, each in enumerate(self.requirements)}


class CsvSpec(Fields, frozen=True, kw_only=True):
    """The dialect of CSV input."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    multiline: bool = False


class ConditionSpec(Fields, frozen=True, kw_only=True):
    """A condition on a column of the input."""

    column: str
    operator: str
    value: int | str | None = None
    values: tuple[int | str, ...] = ()

    def as_condition(self) -> Condition:
        """Return the condition as the plan stores it."""
        return Condition(column=self.column, operator=self.operator, value=self.value, values=self.values)


class InputColumnSpec(Fields, frozen=True, kw_only=True):
    """A column of JSONLines input."""

    name: str
    type: str

    def as_column(self) -> InputColumn:
        """Return the column as the plan stores it."""
        return InputColumn(name=self.name, type=self.type)


class SampleSpec(Fields, frozen=True, kw_only=True):
    """Which records of the input are read."""

    fraction: float
    seed: int = 0

    def as_sample(self) -> Sample:
        """Return the sample as the plan stores it."""
        return Sample(fraction=self.fraction, seed=self.seed)


class InputSpec(Fields, frozen=True, kw_only=True):
    """What to read: objects, prefixes ending in `/`, and globs, in the given order; `spec.input` has no other name."""

    name: str = DEFAULT_INPUT
    uris: tuple[str, ...]
    format: Literal["Text", "JSONLines", "CSV", "Parquet", "FixedLength", "WholeObject", "Pairs"]
    encoding_errors: Literal["Strict", "Replace"]
    record_length: int | None = None
    key_length: int = 0
    csv: CsvSpec | None = None
    schema: tuple[InputColumnSpec, ...] | None = None
    unknown_fields: Literal["Fail", "Ignore"] = "Fail"
    columns: tuple[str, ...] = ()
    filter: tuple[ConditionSpec, ...] = ()
    sample: SampleSpec | None = None

    @property
    def options(self) -> InputOptions:
        """The input options that the plan stores besides the format."""
        csv = self.csv or CsvSpec()
        schema = None if self.schema is None else tuple(map(InputColumnSpec.as_column, self.schema))
        return InputOptions(
            record_length=self.record_length,
            key_length=self.key_length,
            csv_delimiter=csv.delimiter,
            csv_quote=csv.quote,
            csv_header=csv.header,
            csv_multiline=csv.multiline,
            schema=schema,
            unknown_fields=self.unknown_fields,
            columns=self.columns,
            filter=tuple(map(ConditionSpec.as_condition, self.filter)),
            sample=None if self.sample is None else self.sample.as_sample(),
        )


class OutputSpec(Fields, frozen=True, kw_only=True):
    """Where the output goes, how it is written, and what happens to existing objects."""

    uri: str
    format: Literal["Text", "JSONLines", "CSV", "Parquet", "FixedLength", "Pairs"]
    compression: Literal["None", "Gzip", "Bzip2", "Zstd"]
    columns: tuple[str, ...] = ()
    record_length: int | None = None
    if_exists: Literal["Fail", "Replace"]
    order: Literal["Partition", "Total"]


class MapSpec(Fields, frozen=True, kw_only=True):
    """The map tasks: at most one of `shards` and `shard_size` is set."""

    shards: int | None = None
    shard_size: int | str | None = None
    pod_template: dict[str, Any] = {}

    @property
    def shard_bytes(self) -> int | None:
        """`shard_size` in bytes."""
        return None if self.shard_size is None else parse_bytes(self.shard_size)


class ReduceSpec(Fields, frozen=True, kw_only=True):
    """The reduce tasks.

    Attributes:
        partitions: 0 for a map-only job; None if the packing chooses the number after the maps.
        partition_key_length: how many elements of a tuple key choose its partition; None means all.
        partitioning: whether partitions are of even size, or a key's hash alone chooses its partition.
    """

    partitions: int | None = None
    partition_key_length: int | None = None
    partitioning: Literal["Balanced", "Hash"] = "Balanced"
    pod_template: dict[str, Any] = {}


class BackoffSpec(Fields, frozen=True, kw_only=True):
    """The delay after the n-th counted failure is min(initial x factor^(n-1), max) seconds.

    `out_of_memory_factor`: multiplies a task's memory once, after it ran out of memory. 1 turns this off.
    """

    initial_seconds: int
    factor: float
    max_seconds: int
    out_of_memory_factor: float


class ExitCodesRule(Fields, frozen=True, kw_only=True):
    """Matches the exit code of the task's container: `In` or `NotIn` `values`."""

    operator: Literal["In", "NotIn"]
    values: tuple[int, ...]


class PodConditionRule(Fields, frozen=True, kw_only=True):
    """Matches a condition of the pod."""

    type: str
    status: Literal["True", "False", "Unknown"]


class FailureRule(Fields, frozen=True, kw_only=True):
    """What to do about a failed attempt that meets the rule's criterion. Exactly one criterion is set."""

    action: Literal["FailJob", "Ignore", "Count"]
    on_exit_codes: ExitCodesRule | None = None
    on_reasons: tuple[str, ...] = ()
    on_pod_conditions: tuple[PodConditionRule, ...] = ()


class FailurePolicySpec(Fields, frozen=True, kw_only=True):
    """The first matching rule decides."""

    rules: tuple[FailureRule, ...] = ()


class SecretRef(Fields, frozen=True, kw_only=True):
    """A Secret in the job's namespace."""

    name: str


DEFAULT_SECRET: Final = SecretRef(name="podreduce-storage")
"""The Secret of the storage, if the spec names none. The CRDs have the same default."""


class StorageSpec(Fields, frozen=True, kw_only=True):
    """The Secret with the store's address and credentials."""

    secret_ref: SecretRef


class JobSpec(Fields, frozen=True, kw_only=True):
    """The spec of a MapReduceJob, with defaults."""

    program: ProgramSpec
    image: str | None = None
    input: InputSpec | None = None
    inputs: tuple[InputSpec, ...] = ()
    side_inputs: tuple[InputSpec, ...] = ()
    output: OutputSpec
    map: MapSpec = MapSpec()
    reduce: ReduceSpec = ReduceSpec()
    parallelism: int | None = None
    execution: Literal["PerTask", "Auto"]
    tasks_per_pod: int | Literal["Auto"]
    admission: Literal["PerPod", "Gang"]
    backoff_limit_per_task: int
    backoff: BackoffSpec
    failure_policy: FailurePolicySpec = FailurePolicySpec()
    bad_records: Literal["Fail", "Skip"]
    max_bad_records: int | None = None
    active_deadline_seconds: int | None = None
    progress_deadline_seconds: int
    speculation: Literal["Auto", "Never", "Always"]
    ttl_seconds_after_finished: int
    delete_after_finished_seconds: int | None = None
    suspend: bool
    run_id: str
    run_policy: Literal["OnRunId", "OnChange"]
    storage: StorageSpec
    pod_template: dict[str, Any] = {}

    @property
    def all_inputs(self) -> Mapping[str, InputSpec]:
        """All inputs in order, by their places in the spec: `input`, or `inputs[0]` and so on."""
        if self.input is not None:
            return {"input": self.input}
        return {f"inputs[{number}]": each for number, each in enumerate(self.inputs)}

    @property
    def all_side_inputs(self) -> Mapping[str, InputSpec]:
        """All side inputs in order, by their places in the spec."""
        return {f"sideInputs[{number}]": each for number, each in enumerate(self.side_inputs)}


def decode_spec(spec: Mapping[str, Any]) -> JobSpec:
    """Decode a spec that has its defaults.

    Raises:
        SpecError: a field is missing or has the wrong type; the message starts with its path.
    """
    try:
        return msgspec.convert(spec, JobSpec)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        path = place.removesuffix("`").replace("$", "spec", 1) or "spec"
        raise SpecError(f"{path}: {reason}") from error


def pinned_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `spec` that the plan pins."""
    return {name: value for name, value in spec.items() if name not in LIVE_FIELDS}


def spec_changed(pinned: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths, such as `spec.map.shards`, where `current` differs from the pinned spec, sorted by name.

    `runId` does not count, because a new `runId` makes the other changes take effect.
    """
    without_run_id = ({**pinned_fields(spec), "runId": None} for spec in (pinned, current))
    return tuple(iter_differences("spec", *without_run_id))


def iter_differences(path: str, left: Any, right: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Yield the paths of the innermost fields that differ. Lists are compared as a whole."""
    if left == right:
        return
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        yield path
        return
    for name in sorted({*left, *right}):
        yield from iter_differences(f"{path}.{name}", left.get(name), right.get(name))
