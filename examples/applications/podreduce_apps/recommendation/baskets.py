"""Baskets: the items of each user that models learn from, read from the step `core`, and as bytes from task to task."""

from collections.abc import Iterator
from itertools import pairwise
from zlib import crc32

import numpy as np
import pyarrow as pa

from podreduce_apps.recommendation.cooccurrence import Baskets, sample_baskets
from podreduce_apps.recommendation.lists import flat_values, keep_in_lists, list_offsets, rows_of_values

__all__ = ["divide_baskets", "pack_baskets", "read_baskets", "unpack_baskets"]

SENT_BYTES = 32 << 20
"""How much is sent at a time, about: a basket is sent to each block of items that it has an item of."""


def read_baskets(batch: pa.RecordBatch, most: int) -> Baskets:
    """Return the baskets of the users that models learn from, each of at most so many items."""
    kept = batch.column("is_kept").to_numpy(zero_copy_only=False)
    offsets = list_offsets(batch.column("ids"))
    chosen = kept[rows_of_values(offsets)]
    items = flat_values(batch.column("ids")).to_numpy()[chosen].astype(np.int32)
    edges = np.append(keep_in_lists(offsets, chosen)[:-1][kept], len(items))
    names = batch.column("user").filter(batch.column("is_kept")).to_pylist()
    seeds = np.array([crc32(name.encode()) << 32 for name in names], np.uint64)
    return sample_baskets(Baskets(edges, items), seeds, most)


def divide_baskets(baskets: Baskets, blocks: int) -> Iterator[tuple[int, Baskets]]:
    """Yield each block with baskets that have an item of it: those whose numbers are `block` modulo `blocks`.

    Of many baskets a block comes several times, so that what is yielded together stays small.
    """
    for part in cut_baskets(baskets, blocks):
        count = len(part.offsets) - 1
        pairs = np.unique((part.items % blocks).astype(np.int64) * count + rows_of_values(part.offsets))
        present, starts = np.unique(pairs // max(count, 1), return_index=True)
        for block, members in zip(present.tolist(), np.split(pairs % max(count, 1), starts[1:]), strict=False):
            sizes = part.offsets[members + 1] - part.offsets[members]
            yield block, Baskets(np.concatenate(([0], np.cumsum(sizes))), part.items_of(members))


def cut_baskets(baskets: Baskets, blocks: int) -> Iterator[Baskets]:
    """Yield the baskets in parts that are some SENT_BYTES when they are divided."""
    sizes = np.diff(baskets.offsets)
    ends = np.cumsum(4 * (sizes + 1) * np.minimum(sizes, blocks))
    places = np.flatnonzero(np.diff(ends // SENT_BYTES, prepend=0))
    edges = np.unique([0, *places, len(sizes)])
    for start, end in pairwise(edges):
        offsets = baskets.offsets[start : end + 1]
        yield Baskets(offsets - offsets[0], baskets.items[offsets[0] : offsets[-1]])


def pack_baskets(baskets: Baskets) -> bytes:
    """Return baskets as bytes: their number, how many items each has, the items."""
    sizes = np.diff(baskets.offsets)
    return np.concatenate(([len(sizes)], sizes, baskets.items)).astype("<i4").tobytes()


def unpack_baskets(value: bytes) -> Baskets:
    """Return what `pack_baskets` packed."""
    words = np.frombuffer(value, "<i4")
    sizes = words[1 : 1 + words[0]]
    return Baskets(np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))), words[1 + words[0] :])
