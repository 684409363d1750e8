"""Chooses the columns of JSONLines input for the whole job: from `input.schema`, or from a sample of the input.

The sample is 16 windows of 64 KiB, spread evenly over the row of all objects. A smaller input is read in full, from at
most 64 objects. Rule: the sample depends only on the objects, so all plans of an input have the same columns.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from msgspec import structs

from podreduce.contract.plan import InputOptions, Piece
from podreduce.contract.uris import split_object_uri
from podreduce.inputs import infer_columns, parse_columns, read_first_lines
from podreduce.storage import ObjectStore
from podreduce_operator.api.spec import InputSpec
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.packed_input import InputObject

__all__ = ["Window", "choose_windows", "settle_columns"]

WINDOWS: Final = 16
WINDOW_BYTES: Final = 64 * 1024
SAMPLE_BYTES: Final = WINDOWS * WINDOW_BYTES
OBJECTS_PER_WINDOW: Final = 4
"""How many objects a window reads at most, because each one is a request."""
CONCURRENT_READS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sample of one object: the lines that start in the first `most_bytes` of `piece`."""

    piece: Piece
    most_bytes: int


async def settle_columns(
    spec: InputSpec, objects: Sequence[InputObject], open_at: Callable[[str], ObjectStore], *, place: str = "input"
) -> InputOptions:
    """Return the input's options for the plan; the input is at `place` in the spec.

    Raises:
        ActionError: `InvalidInputSchema`: `input.schema` names a column twice or an unknown type.
        StorageDeniedError, StorageUnavailableError: the sample cannot be read.
    """
    options = spec.options
    if spec.format != "JSONLines":
        return options
    if options.schema is None:
        windows = await asyncio.to_thread(lambda: list(choose_windows(objects)))
        reads = [partial(read_window, window, open_at) for window in windows]
        samples = await gather_bounded(reads, limit=CONCURRENT_READS)
        lines = (line for sample in samples for line in sample)
        return structs.replace(options, schema=await asyncio.to_thread(infer_columns, lines))
    try:
        parse_columns(options.schema)
    except ValueError as error:
        raise ActionError("InvalidInputSchema", f"spec.{place}.schema: {error}", permanent=True) from None
    return options


async def read_window(window: Window, open_at: Callable[[str], ObjectStore]) -> list[bytes]:
    """Read the lines of a window."""
    store_uri, key = split_object_uri(window.piece.uri)
    store = open_at(store_uri)
    return await store.in_thread(partial(read_first_lines, store, key, window.piece, window.most_bytes))


def choose_windows(objects: Sequence[InputObject]) -> Iterator[Window]:
    """Yield the windows of a sample, each within one object."""
    total = sum(each.size_bytes for each in objects)
    ranges, most_objects = window_ranges(total), OBJECTS_PER_WINDOW
    if total <= SAMPLE_BYTES:
        ranges, most_objects = [(0, total)], WINDOWS * OBJECTS_PER_WINDOW
    objects_read = [0] * len(ranges)
    first = start = 0
    for each in objects:
        end = start + each.size_bytes
        while first < len(ranges) and ranges[first][1] <= start:
            first += 1
        within = []
        for number, (low, high) in enumerate(islice(ranges, first, None), first):
            if low >= end:
                break
            if start < end and objects_read[number] < most_objects:
                within.append((max(low, start) - start, min(high, end) - start))
                objects_read[number] += 1
        yield from windows_of(each, within, total)
        start = end


def window_ranges(total: int) -> list[tuple[int, int]]:
    """Return the start and end of each window in a row of `total` bytes."""
    starts = (total * number // WINDOWS for number in range(WINDOWS))
    return [(start, start + WINDOW_BYTES) for start in starts]


def windows_of(each: InputObject, ranges: Sequence[tuple[int, int]], total: int) -> Iterator[Window]:
    """Yield the windows of an object that has these ranges in the sample.

    A compressed object can only be read from its start, so its share of the sample is read there.
    """
    if each.is_splittable:
        for start, end in ranges:
            yield Window(piece=piece_of(each, start, end), most_bytes=end - start)
    elif ranges:
        share = max(SAMPLE_BYTES * each.size_bytes // total, WINDOW_BYTES)
        yield Window(piece=piece_of(each, 0, each.size_bytes), most_bytes=share)


def piece_of(each: InputObject, start: int, end: int) -> Piece:
    """Return a piece of an object."""
    return Piece(uri=each.uri, start=start, end=end, object_bytes=each.size_bytes, etag=each.etag)
