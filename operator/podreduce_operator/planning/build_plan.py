"""Makes the plan from the listed input: which bytes each map task reads.

The objects are put end to end in order, and this row of D bytes is cut into shards. A plain object may be cut at any
byte; the map task that reads a shard moves its ends to whole records. A compressed object may be cut only at its ends;
it is called an atom. Worked example, with 3 shards wanted:

    a.txt  6 bytes   |aaaaaa|                  row      aaaaaabbbbbbbcc     D = 15, mean = 5
    b.gz   7 bytes   |bbbbbbb| an atom         cuts     0    5? no: the row may be cut at 0-6, 13, 14 and 15
    c.txt  2 bytes   |cc|                      shards   aaaaa|abbbbbbb|cc   5 + 8 + 2: |0| + |3| + |-3| = 6
                                                        aaaaaa|bbbbbbb|cc   6 + 7 + 2: |1| + |2| + |-3| = 6

No other cuts give less than 6. This is the plan's imbalance: sum |D_i - mean D|. `even_cuts` says how cuts are found.

Invariants, checked by the property tests: the pieces of all shards in order are the objects' bytes in order, each
once; no piece is a part of an atom; sum D_i = D. With plain objects only, the imbalance is less than the number of
shards. There is at least one shard. If the user set `map.shards`, there are exactly that many, and some may be empty.
Otherwise empty shards are dropped. Empty objects count as objects but have no piece. The exception is WholeObject,
where an object is a record: an empty object has an empty piece, beside the bytes that follow or the last bytes.

Rule: pure. The same objects and spec give the same plan, byte for byte.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from podreduce.contract.plan import (
    PIECES_PER_PAGE,
    SEVERAL_INPUTS,
    SHARDS_PER_PAGE,
    InputOptions,
    JobIdentity,
    Owner,
    PageRef,
    Piece,
    Plan,
    PlannedInput,
    Program,
    Shard,
    ShardPage,
    SideInput,
)
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.spec import JobSpec, OutputSpec, pinned_fields
from podreduce_operator.balance.even_cuts import choose_cuts, imbalance_bytes
from podreduce_operator.balance.input_shares import share_shards
from podreduce_operator.balance.partition_count import choose_partitions, virtual_buckets
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.planning.shard_count import MIN_SHARD_BYTES, count_shards

__all__ = [
    "Buckets",
    "Digests",
    "Planned",
    "PlannedInputs",
    "PlannedShards",
    "build_plan",
    "plan_inputs",
    "plan_shards",
    "planned_inputs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShards:
    """The input, cut into shards.

    Attributes:
        objects: the input.
        cuts: where shards begin and end in the row: shard i is between cuts i and i + 1.
        whole_objects: objects must not be cut, and empty ones are read too.
    """

    objects: Sequence[InputObject]
    cuts: Sequence[int]
    whole_objects: bool = False

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def shards(self) -> Iterator[Shard]:
        """Yield the shards. Pieces are made one shard at a time, because there may be millions."""
        for index, pieces in enumerate(cut_pieces(self.objects, self.cuts, with_empty=self.whole_objects)):
            yield Shard(index=index, pieces=tuple(pieces))

    def pages(self) -> Iterator[ShardPage]:
        """Yield the shards in pages."""
        return make_pages(self.shards())

    @property
    def object_count(self) -> int:
        """How many objects the input has."""
        return len(self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInputs:
    """Several inputs, each cut into shards. The shards of all follow one another, and so do the rows of bytes."""

    inputs: Sequence[PlannedShards]

    def __len__(self) -> int:
        return sum(map(len, self.inputs))

    @property
    def object_count(self) -> int:
        """How many objects all inputs have."""
        return sum(each.object_count for each in self.inputs)

    @property
    def cuts(self) -> Sequence[int]:
        """Where shards begin and end in the row of all inputs."""
        cuts, start = [0], 0
        for each in self.inputs:
            cuts += [start + cut for cut in each.cuts[1:]]
            start = cuts[-1]
        return cuts

    def shards(self) -> Iterator[Shard]:
        """Yield the shards."""
        first = 0
        for number, each in enumerate(self.inputs):
            for shard in each.shards():
                yield Shard(index=first + shard.index, input=number, pieces=shard.pieces)
            first += len(each)

    def pages(self) -> Iterator[ShardPage]:
        """Yield the shards in pages."""
        return make_pages(self.shards())


Planned: TypeAlias = PlannedShards | PlannedInputs


def make_pages(shards: Iterable[Shard]) -> Iterator[ShardPage]:
    """Yield shards in pages, each with as many as fit and at least one."""
    page: list[Shard] = []
    pieces = 0
    for shard in shards:
        pieces += len(shard.pieces)
        if page and (len(page) == SHARDS_PER_PAGE or pieces > PIECES_PER_PAGE):
            yield ShardPage(shards=tuple(page))
            page, pieces = [], len(shard.pieces)
        page.append(shard)
    yield ShardPage(shards=tuple(page))


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """The digests of what a run reads and does, as the plan stores them."""

    input: str | None = None
    spec: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """How the maps divide their output: the plan's fields with these names. All maps of a run must agree."""

    virtual: int
    user_partitions: int
    carried_from: str | None = None


def plan_shards(
    objects: Sequence[InputObject],
    *,
    whole_objects: bool = False,
    shards: int | None = None,
    shard_bytes: int | None = None,
    parallelism: int | None = None,
    least_bytes: int = MIN_SHARD_BYTES,
) -> PlannedShards:
    """Cut the row of `objects` into `shards` shards, or into as many as `shard_count` says.

    With `whole_objects` no object is cut.

    Raises:
        ActionError: reason `TooManyShards`: `shard_bytes` is too small for this input.
    """
    total = sum(each.size_bytes for each in objects)
    wanted = shards or count_shards(total, shard_bytes=shard_bytes, parallelism=parallelism, least_bytes=least_bytes)
    return cut_objects(objects, wanted, whole_objects=whole_objects, keep_empty=shards is not None)


def cut_objects(objects: Sequence[InputObject], wanted: int, *, whole_objects: bool, keep_empty: bool) -> PlannedShards:
    """Cut the row of `objects` into `wanted` shards; empty ones are dropped if that is wished, but for one."""
    total = sum(each.size_bytes for each in objects)
    cuts: Sequence[int] = choose_cuts(total, find_atoms(objects, whole_objects=whole_objects), wanted)
    if not keep_empty:
        cuts = [0, *sorted({*cuts} - {0})] if total else [0, 0]
    return PlannedShards(objects=objects, cuts=cuts, whole_objects=whole_objects)


def plan_inputs(
    listings: Sequence[Sequence[InputObject]],
    *,
    whole_objects: Sequence[bool],
    shards: int | None = None,
    shard_bytes: int | None = None,
    parallelism: int | None = None,
    least_bytes: int = MIN_SHARD_BYTES,
) -> PlannedInputs:
    """Cut several inputs into shards, as `plan_shards` does with one. Each input has at least one shard.

    Raises:
        ActionError: reason `TooManyShards`: `shard_bytes` is too small for this input.
    """
    sizes = [sum(each.size_bytes for each in listing) for listing in listings]
    wanted = shards or count_shards(
        sum(sizes), shard_bytes=shard_bytes, parallelism=parallelism, least_bytes=least_bytes
    )
    shares = share_shards(sizes, [1] * len(sizes), max(wanted, len(sizes)))
    cut = zip(listings, shares, whole_objects, strict=True)
    return PlannedInputs(
        inputs=[
            cut_objects(listing, share, whole_objects=whole, keep_empty=shards is not None)
            for listing, share, whole in cut
        ]
    )


def find_atoms(objects: Iterable[InputObject], *, whole_objects: bool) -> list[tuple[int, int]]:
    """Return the start and end, in the row, of each object that must not be cut."""
    return [(start, end) for start, end, each in lay_out(objects) if whole_objects or not each.is_splittable]


def lay_out(objects: Iterable[InputObject], *, with_empty: bool = False) -> Iterator[tuple[int, int, InputObject]]:
    """Yield the start and end in the row of each object, and the object. Empty ones only `with_empty`."""
    start = 0
    for each in objects:
        if each.size_bytes or with_empty:
            yield start, start + each.size_bytes, each
            start += each.size_bytes


def cut_pieces(
    objects: Iterable[InputObject], cuts: Sequence[int], *, with_empty: bool = False
) -> Iterator[list[Piece]]:
    """Yield each shard's pieces."""
    row = lay_out(objects, with_empty=with_empty)
    current = next(row, None)
    for start, end in pairwise(cuts):
        pieces = []
        while current is not None and (current[0] < end or end == cuts[-1]):
            object_start, object_end, each = current
            piece_start, piece_end = max(start, object_start), min(end, object_end)
            if piece_start < piece_end or object_start == object_end:
                pieces.append(
                    Piece(
                        uri=each.uri,
                        start=piece_start - object_start,
                        end=piece_end - object_start,
                        object_bytes=each.size_bytes,
                        etag=each.etag,
                    )
                )
            if object_end > end:
                break
            current = next(row, None)
        yield pieces


def build_plan(
    *,
    job: JobIdentity,
    spec: JobSpec,
    input_options: Sequence[InputOptions] = (),
    side_inputs: tuple[SideInput, ...] = (),
    raw_spec: Mapping[str, Any],
    program: Program,
    planned: Planned,
    pages: Iterable[PageRef],
    digests: Digests = Digests(),
    owner: Owner | None = None,
    buckets: Buckets | None = None,
) -> Plan:
    """Return the plan. Its shard pages are already written.

    `input_options` are those of each input; without them, the spec's are used. `buckets` are those of map output that
    the run reads from elsewhere.
    """
    total = planned.cuts[-1]
    inputs = planned_inputs(spec, input_options)
    return Plan(
        job=job,
        program=program,
        **describe_inputs(inputs, are_named=spec.input is None or spec.input.sample is not None),
        side_inputs=side_inputs,
        bad_records=spec.bad_records,
        objects=planned.object_count,
        bytes=total,
        shards=len(planned),
        imbalance_bytes=imbalance_bytes(planned.cuts),
        pages=tuple(pages),
        **describe_shuffle(spec, buckets or choose_buckets(spec, total)),
        **describe_output(spec.output),
        input_digest=digests.input,
        spec_digest=digests.spec,
        owner=owner,
        spec=pinned_fields(raw_spec),
    )


def choose_buckets(spec: JobSpec, input_bytes: int) -> Buckets:
    """Return the buckets of a run that maps everything itself."""
    return Buckets(
        virtual=virtual_buckets(
            spec.reduce.partitions,
            order=spec.output.order,
            partitioning=spec.reduce.partitioning,
            input_bytes=input_bytes,
        ),
        user_partitions=spec.reduce.partitions or choose_partitions(input_bytes, spec.parallelism or 1),
    )


def planned_inputs(spec: JobSpec, options: Sequence[InputOptions]) -> list[PlannedInput]:
    """Return the inputs as the plan stores them."""
    specs = list(spec.all_inputs.values())
    return [
        PlannedInput(
            name=each.name, input_format=each.format, input_options=found, encoding_errors=each.encoding_errors
        )
        for each, found in zip(specs, options or [each.options for each in specs], strict=True)
    ]


def describe_inputs(inputs: Sequence[PlannedInput], *, are_named: bool) -> dict[str, Any]:
    """Return the plan's fields about its inputs; a single input without a name has them itself.

    A sampled one has a name, too: tasks of earlier releases would read all of it, and refuse named inputs.
    """
    if are_named:
        return {"inputs": tuple(inputs), "input_format": SEVERAL_INPUTS, "encoding_errors": "Strict"}
    [only] = inputs
    return {
        "input_format": only.input_format,
        "input_options": only.input_options,
        "encoding_errors": only.encoding_errors,
    }


def describe_shuffle(spec: JobSpec, buckets: Buckets) -> dict[str, Any]:
    """Return the plan's fields about how keys get from maps to reduces."""
    return {
        "carried_from": buckets.carried_from,
        "virtual_buckets": buckets.virtual,
        "partitions": spec.reduce.partitions,
        "user_partitions": buckets.user_partitions,
        "order": spec.output.order,
        "partition_key_length": spec.reduce.partition_key_length,
        "partitioning": spec.reduce.partitioning,
    }


def describe_output(output: OutputSpec) -> dict[str, Any]:
    """Return the plan's fields about its output, but for the order of its records."""
    return {
        "output_uri": as_prefix(output.uri),
        "output_format": output.format,
        "output_compression": output.compression,
        "output_columns": output.columns,
        "output_record_length": output.record_length,
        "if_exists": output.if_exists,
    }
