"""From the listed input to the plan: which bytes each map task reads.

The objects are laid end to end, in their order, and this row of D bytes is cut into shards. A cut may fall at any byte
of a plain object (whoever reads a shard re-aligns it to whole records) and at the edges of a compressed one, which is
an atom. Worked example, with 3 shards wanted:

    a.txt  6 bytes   |aaaaaa|                  row      aaaaaabbbbbbbcc     D = 15, mean = 5
    b.gz   7 bytes   |bbbbbbb| an atom         cuts     0    5? no: the row may be cut at 0-6, 13, 14 and 15
    c.txt  2 bytes   |cc|                      shards   aaaaa|abbbbbbb|cc   5 + 8 + 2: |0| + |3| + |-3| = 6
                                                        aaaaaa|bbbbbbb|cc   6 + 7 + 2: |1| + |2| + |-3| = 6

No other cuts do better than 6, which is the plan's imbalance: sum |D_i - mean D|. `cuts` says how they are found.

Invariants, which the property tests state: the pieces of all shards in order are the objects' bytes in order, each
once; no piece is a part of an atom; sum D_i = D; with plain objects only the imbalance is less than the number of
shards. There is at least one shard. If the user set `map.shards` there are exactly so many, empty ones among them if
need be; else shards without bytes are dropped. Empty objects count as objects and have no piece.

Rule: pure; the same objects and spec give the same bytes of plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from podreduce.contract.plan import (
    SHARDS_PER_PAGE,
    JobIdentity,
    PageRef,
    Piece,
    Plan,
    Program,
    Shard,
    ShardPage,
)
from podreduce.contract.wire import digest_bytes, encode
from podreduce.partition import choose_partitions, virtual_buckets
from podreduce_operator.cuts import choose_cuts, imbalance_bytes
from podreduce_operator.shard_count import count_shards
from podreduce_operator.spec import JobSpec, pinned_fields
from podreduce_operator.uris import as_prefix

__all__ = ["InputObject", "PlannedShards", "build_plan", "plan_shards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputObject:
    """One object of the input, as listed.

    Attributes:
        size_bytes: its stored (compressed) size.
        etag: what the store says of its content, if it does.
        is_splittable: whether it can be cut anywhere.
    """

    uri: str
    size_bytes: int
    etag: str | None = None
    is_splittable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShards:
    """The input, cut.

    Attributes:
        objects: how many objects there are; `bytes` is their total stored size, D.
        imbalance_bytes: sum over shards of |D_i - mean D|.
    """

    shards: tuple[Shard, ...]
    objects: int
    bytes: int
    imbalance_bytes: float


def plan_shards(
    objects: Sequence[InputObject],
    *,
    shards: int | None = None,
    shard_bytes: int | None = None,
    parallelism: int | None = None,
) -> PlannedShards:
    """Cut the concatenation of `objects` into `shards` shards, or into as many as `shard_count` says.

    Raises:
        ActionError: reason `TooManyShards`: `shard_bytes` is too small for this input.
    """
    total = sum(each.size_bytes for each in objects)
    wanted = shards or count_shards(total, shard_bytes=shard_bytes, parallelism=parallelism)
    cuts = choose_cuts(total, find_atoms(objects), wanted)
    if shards is None:
        cuts = [0, *sorted({*cuts} - {0})] if total else [0, 0]
    pieces = cut_pieces([each for each in objects if each.size_bytes], cuts)
    return PlannedShards(
        shards=tuple(Shard(index=index, pieces=tuple(each)) for index, each in enumerate(pieces)),
        objects=len(objects),
        bytes=total,
        imbalance_bytes=imbalance_bytes(cuts),
    )


def find_atoms(objects: Sequence[InputObject]) -> list[tuple[int, int]]:
    """Return where the unsplittable objects start and end in the row."""
    atoms, start = [], 0
    for each in objects:
        if not each.is_splittable:
            atoms.append((start, start + each.size_bytes))
        start += each.size_bytes
    return atoms


def cut_pieces(objects: Sequence[InputObject], cuts: Sequence[int]) -> Iterator[list[Piece]]:
    """Yield each shard's pieces; none of `objects` is empty."""
    number, object_start = 0, 0
    for start, end in pairwise(cuts):
        pieces, position = [], start
        while position < end:
            each = objects[number]
            object_end = object_start + each.size_bytes
            piece_end = min(end, object_end)
            pieces.append(
                Piece(
                    uri=each.uri,
                    start=position - object_start,
                    end=piece_end - object_start,
                    object_bytes=each.size_bytes,
                    etag=each.etag,
                )
            )
            position = piece_end
            if piece_end == object_end:
                number, object_start = number + 1, object_end
        yield pieces


def build_plan(
    *, job: JobIdentity, spec: JobSpec, raw_spec: Mapping[str, Any], program: Program, planned: PlannedShards
) -> tuple[Plan, list[ShardPage]]:
    """Assemble the plan and its pages of shards; the plan names the SHA-256 of each page's bytes (`wire.encode`)."""
    starts = range(0, len(planned.shards), SHARDS_PER_PAGE)
    pages = [ShardPage(shards=planned.shards[start : start + SHARDS_PER_PAGE]) for start in starts]
    plan = Plan(
        job=job,
        program=program,
        input_format=spec.input.format,
        input_options=spec.input.options,
        encoding_errors=spec.input.encoding_errors,
        objects=planned.objects,
        bytes=planned.bytes,
        shards=len(planned.shards),
        imbalance_bytes=planned.imbalance_bytes,
        pages=tuple(PageRef(number=n, digest=digest_bytes(encode(page))) for n, page in enumerate(pages)),
        virtual_buckets=virtual_buckets(spec.reduce.partitions, order=spec.output.order),
        partitions=spec.reduce.partitions,
        user_partitions=spec.reduce.partitions or choose_partitions(planned.bytes, spec.parallelism or 1),
        order=spec.output.order,
        partition_key_length=spec.reduce.partition_key_length,
        output_uri=as_prefix(spec.output.uri),
        output_format=spec.output.format,
        output_compression=spec.output.compression,
        output_columns=spec.output.columns,
        output_record_length=spec.output.record_length,
        if_exists=spec.output.if_exists,
        spec=pinned_fields(raw_spec),
    )
    return plan, pages
