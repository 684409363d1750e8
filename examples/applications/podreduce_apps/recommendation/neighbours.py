"""The step `similar`: the items that are most like each item.

A map sends its baskets to each block of items that they have an item of: not each pair of items, of which there are far
more. The reduce of a block counts the rows of its items (`cooccurrence`), and keeps the best of each.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_choice, read_whole
from podreduce_apps.recommendation.cooccurrence import Baskets, add_all, sample_baskets
from podreduce_apps.recommendation.lists import Ints, flat_values, keep_in_lists, list_offsets, rows_of_values
from podreduce_apps.recommendation.similarity import SIMILARITIES, nearest

__all__ = ["Neighbours", "block_count", "pack_baskets", "read_baskets", "unpack_baskets"]

BLOCK_BYTES = 128 << 20
"""How large a block's rows of counts may be."""
LEAST_BLOCKS = 4


class Neighbours:
    """Finds each item's nearest items.

    Parameters: `similarity` (cosine, jaccard, llr), `neighbours` (how many are kept), `itemsPerBasket` (of a user with
    more items so many are drawn). Side input: `items`. Yields the item's id, and a dict of `ids` and
    `scores`, best first.
    """

    def setup(self, context: JobContext) -> None:
        """Read the parameters."""
        self.similarity = SIMILARITIES[read_choice(context.parameters, "similarity", SIMILARITIES)]
        self.most = read_whole(context.parameters, "neighbours", least=1)
        self.per_basket = read_whole(context.parameters, "itemsPerBasket", least=1)
        self.items = context.side_table("items").num_rows
        self.blocks = block_count(self.items)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return, for each block, the baskets with an item of it."""
        baskets = read_baskets(batch, self.per_basket)
        blocks = range(self.blocks)
        packed = [pack_baskets(count_users(baskets, self.items), baskets_with(baskets, b, self.blocks)) for b in blocks]
        return pa.table({"key": pa.array(blocks, pa.int64()), "value": pa.array(packed, pa.binary())})

    def reduce_func(self, block: int, values: Iterable[bytes]) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """Count the rows of a block's items, and yield the nearest of each."""
        numbers = np.arange(block, self.items, self.blocks)
        rows = np.zeros((len(numbers), self.items), np.int32)
        totals = np.zeros(self.items + 1, np.int64)
        add_all(rows, self.receive(values, totals), numbers)
        for row, number in zip(rows, numbers.tolist(), strict=True):
            ids, scores = self.find_nearest(row, number, totals)
            if len(ids):
                yield number, {"ids": ids.tolist(), "scores": scores.tolist()}

    def receive(self, values: Iterable[bytes], totals: Ints) -> Iterator[Baskets]:
        """Yield the baskets of each value, and add its counts to the totals."""
        for value in values:
            counts, baskets = unpack_baskets(value, self.items)
            totals += counts
            yield baskets

    def find_nearest(
        self, row: npt.NDArray[np.int32], number: int, totals: Ints
    ) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return the nearest items of an item, and how near they are."""
        others = np.flatnonzero(row)
        others = others[others != number]
        both = row[others].astype(np.int64)
        scores = self.similarity(both, int(totals[number]), totals[others], int(totals[-1]))
        best = nearest(scores, self.most)
        return others[best], scores[best]


def block_count(items: int) -> int:
    """Return into how many blocks the items are divided, so that a block's counts fit into memory."""
    return max(min(LEAST_BLOCKS, items), -(-items * items * 4 // BLOCK_BYTES), 1)


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


def count_users(baskets: Baskets, items: int) -> Ints:
    """Return how many baskets each item is in, and at the end how many baskets there are."""
    return np.append(np.bincount(baskets.items, minlength=items), len(baskets.offsets) - 1).astype(np.int64)


def baskets_with(baskets: Baskets, block: int, blocks: int) -> Baskets:
    """Return the baskets with an item of a block: the items whose numbers are `block` modulo `blocks`."""
    inside = np.concatenate(([0], np.cumsum(baskets.items % blocks == block)))
    chosen = inside[baskets.offsets[1:]] > inside[baskets.offsets[:-1]]
    sizes = np.diff(baskets.offsets)
    offsets = np.concatenate(([0], np.cumsum(sizes[chosen])))
    return Baskets(offsets, baskets.items[np.repeat(chosen, sizes)])


def pack_baskets(counts: Ints, baskets: Baskets) -> bytes:
    """Return counts and baskets as bytes: the number of baskets, the counts, the offsets, the items."""
    head = np.concatenate(([len(baskets.offsets)], counts, baskets.offsets)).astype("<i8")
    return head.tobytes() + baskets.items.astype("<i4").tobytes()


def unpack_baskets(value: bytes, items: int) -> tuple[Ints, Baskets]:
    """Return what `pack_baskets` packed."""
    size = int(np.frombuffer(value, "<i8", 1)[0])
    head = np.frombuffer(value, "<i8", 1 + items + 1 + size)
    counts, offsets = head[1 : items + 2], head[items + 2 :]
    return counts, Baskets(offsets, np.frombuffer(value, "<i4", offset=head.nbytes))
