"""The plan: what a run will read, run and write, fixed before its first task starts.

`plan/plan.json` holds a `Plan`. The shards are in pages (`plan/shards-00000.json`), so a task reads two small objects
however many shards there are. The plan has each page's SHA-256; the job's status and every task's environment have the
plan's. So nobody can work from another plan.
"""

from typing import Annotated, Any

from msgspec import Meta, structs

from podreduce.contract.numbers import MOST_TASKS, Index, Number, Share, Total
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = [
    "DEFAULT_INPUT",
    "PIECES_PER_PAGE",
    "SEVERAL_INPUTS",
    "SHARDS_PER_PAGE",
    "Condition",
    "InputColumn",
    "InputOptions",
    "JobIdentity",
    "Owner",
    "PageRef",
    "Piece",
    "Plan",
    "PlannedInput",
    "Program",
    "ProgramFile",
    "Sample",
    "Shard",
    "ShardPage",
    "SideInput",
    "SideObject",
    "input_name",
    "plan_of_input",
    "plan_reading",
]

DEFAULT_INPUT = "input"
"""The name of a job's only input."""
SEVERAL_INPUTS = "Several"
"""The `input_format` of a plan with named inputs. Tasks of earlier releases refuse it."""

SHARDS_PER_PAGE = 1000
PIECES_PER_PAGE = 10_000
"""A limit, so that no task reads megabytes to find its shard. A shard of more pieces has a page for itself."""


class JobIdentity(Wire, frozen=True, kw_only=True):
    """Whose run this is."""

    namespace: str
    name: str
    uid: str
    run_id: str


class Owner(Wire, frozen=True, kw_only=True):
    """The resource that a run is made for: its job's controller, or the job itself."""

    kind: str
    name: str
    uid: str


class ProgramFile(Wire, frozen=True, kw_only=True):
    """A file that the program needs: where it is, and `sha256:` and the SHA-256 that its bytes must have."""

    uri: str
    digest: str


class Program(Wire, frozen=True, kw_only=True):
    """The user's program, fixed for the run: exactly one of `source` and `module` is set.

    Attributes:
        archive: a zip file or wheel with the program's own modules, among them `module`.
        requirements: the wheels that it needs beyond what the image has.
    """

    source: str | None = None
    module: str | None = None
    class_name: str | None = None
    parameters: dict[str, str] = {}
    archive: ProgramFile | None = None
    requirements: tuple[ProgramFile, ...] = ()

    @property
    def files(self) -> tuple[ProgramFile, ...]:
        """All files that the program needs."""
        return self.requirements if self.archive is None else (self.archive, *self.requirements)


class Piece(Wire, frozen=True, kw_only=True):
    """A range of one input object: bytes `start` to `end` (exclusive) of `object_bytes`, as stored.

    A piece of a compressed object always covers the whole object.
    """

    uri: str
    start: Total
    end: Total
    object_bytes: Total
    etag: str | None = None


class Condition(Wire, frozen=True, kw_only=True):
    """One condition of `spec.input.filter`; `value` is None if the condition uses `values`, or neither."""

    column: str
    operator: str
    value: int | str | None = None
    values: tuple[int | str, ...] = ()


class InputColumn(Wire, frozen=True, kw_only=True):
    """A column of JSONLines input: a field of the objects, and its type as `inputs.column_types` writes it."""

    name: str
    type: str


class Sample(Wire, frozen=True, kw_only=True):
    """Which records are read: about this fraction of them, and another choice with another seed."""

    fraction: Share
    seed: int = 0


class InputOptions(Wire, frozen=True, kw_only=True):
    """What `spec.input` says beyond the format; each field is for one format. See the resource's schema.

    Attributes:
        record_length: FixedLength: bytes of a record; `key_length`: how many of them are the key.
        csv_delimiter, csv_quote: CSV: one character each.
        csv_header: CSV: whether each object's first row names the columns.
        csv_multiline: CSV: whether quoted fields may hold newlines; then an object is read as a whole.
        schema: JSONLines: the columns of every batch of the job; None in plans of earlier versions.
        unknown_fields: JSONLines: `Fail` at a record with a field that is not a column, or `Ignore` such fields.
        columns: Parquet: which columns are read; None: all.
        filter: Parquet: the conditions that a row must meet, all of them.
        sample: of any format: which records are read; None: all.
    """

    record_length: Index | None = None
    key_length: Index = 0
    csv_delimiter: str = ","
    csv_quote: str = '"'
    csv_header: bool = True
    csv_multiline: bool = False
    schema: tuple[InputColumn, ...] | None = None
    unknown_fields: str = "Fail"
    columns: tuple[str, ...] = ()
    filter: tuple[Condition, ...] = ()
    sample: Sample | None = None


class PlannedInput(Wire, frozen=True, kw_only=True):
    """One of a job's named inputs; the fields are those that a plan of a single input has itself."""

    name: str
    input_format: str
    input_options: InputOptions = InputOptions()
    encoding_errors: str


class SideObject(Wire, frozen=True, kw_only=True):
    """One object of a side input. `path`: where a task's file of it lies, below the directory of the side input."""

    uri: str
    path: str
    bytes: Total
    etag: str | None = None


class SideInput(Wire, frozen=True, kw_only=True):
    """What every task may read in full: a model, a table, the centres of clusters. Its objects are in input order."""

    name: str
    input_format: str
    input_options: InputOptions = InputOptions()
    encoding_errors: str
    objects: tuple[SideObject, ...]


class Shard(Wire, frozen=True, kw_only=True):
    """The planned unit of map work. `pieces` are in input order; a shard may have none.

    All are of one input: `input` is its place in the plan's `inputs`.
    """

    index: int
    input: Index = 0
    pieces: tuple[Piece, ...]


class ShardPage(Wire, frozen=True, kw_only=True):
    """Consecutive shards: at most `SHARDS_PER_PAGE` of them, with at most `PIECES_PER_PAGE` pieces."""

    shards: tuple[Shard, ...]


class PageRef(Wire, frozen=True, kw_only=True):
    """A page: the first of its shards, and the SHA-256 (hexadecimal) of its bytes."""

    number: Number
    first_shard: Number
    digest: str


class Plan(Wire, frozen=True, kw_only=True):
    """One run of one job.

    Attributes:
        objects: how many input objects there are; `bytes` is their total size as stored.
        shards: how many map tasks.
        imbalance_bytes: sum over shards of |D_i - mean D|, D_i in bytes; with `exact` cuts it is less than `shards`.
        virtual_buckets: how many hash buckets the map output has.
        carried_from: the prefix of the earlier run whose map output this run reads for what has not changed. None: it
            maps everything itself, but a map whose output is lost runs again in any case.
        side_inputs: what every task may read in full; in the order of the spec.
        inputs: the named inputs, if the job has such; then the other fields about the input are of none of them.
        partitions: how many reduce tasks; None: decided by the packing after the maps; 0: map-only.
        user_partitions: what `partition_func` gets as `partitions`; without packing it equals `partitions`.
        order: `Partition` sorts each part on its own, `Total` sorts all of them together.
        partition_key_length: how many elements of a tuple choose its partition; None: the whole key.
        partitioning: `Balanced`: virtual buckets are packed into partitions by their bytes. `Hash`: a bucket is a
            partition, and a hash of the key alone chooses it.
        bad_records: `Fail` at the first, or `Skip` each and store it.
        input_digest: of the objects as they were listed, and `spec_digest` of what is done with them (see the
            operator's `digests`). Plans of earlier releases have none; a spec whose code is not known has none, either.
        owner: None in plans of earlier releases.
        spec: the MapReduceJob's spec, fixed for the run, with its defaults.
    """

    schema: int = SCHEMA_VERSION
    job: JobIdentity
    program: Program
    input_format: str
    input_options: InputOptions = InputOptions()
    encoding_errors: str
    inputs: tuple[PlannedInput, ...] = ()
    side_inputs: tuple[SideInput, ...] = ()
    bad_records: str = "Fail"
    objects: Total
    bytes: Total
    shards: Annotated[int, Meta(ge=1, le=MOST_TASKS)]
    imbalance_bytes: Share
    pages: tuple[PageRef, ...]
    carried_from: str | None = None
    virtual_buckets: Number
    partitions: Number | None
    user_partitions: Number
    order: str = "Partition"
    partition_key_length: Index | None = None
    partitioning: str = "Balanced"
    output_uri: str
    output_format: str
    output_compression: str = "None"
    output_columns: tuple[str, ...] = ()
    output_record_length: Index | None = None
    if_exists: str
    input_digest: str | None = None
    spec_digest: str | None = None
    owner: Owner | None = None
    spec: dict[str, Any]


def plan_of_input(plan: Plan, shard: Shard) -> Plan:
    """Return the plan as of a job that has only the input of that shard."""
    if not plan.inputs:
        return plan
    return plan_reading(plan, plan.inputs[shard.input])


def plan_reading(plan: Plan, found: PlannedInput | SideInput) -> Plan:
    """Return the plan as of a job that has only this input."""
    return structs.replace(
        plan,
        input_format=found.input_format,
        input_options=found.input_options,
        encoding_errors=found.encoding_errors,
    )


def input_name(plan: Plan, shard: Shard) -> str:
    """Return the name of the input of a shard."""
    return plan.inputs[shard.input].name if plan.inputs else DEFAULT_INPUT
