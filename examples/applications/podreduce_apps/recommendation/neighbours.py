"""The step `similar`: the items that are most like each item.

A map sends its baskets to each block of items that they have an item of: not each pair of items, of which there are far
more. The reduce of a block counts the rows of its items (`cooccurrence`), and keeps the best of each.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_choice, read_whole
from podreduce_apps.recommendation.basket_counts import read_counts
from podreduce_apps.recommendation.baskets import divide_baskets, pack_baskets, read_baskets, unpack_baskets
from podreduce_apps.recommendation.cooccurrence import add_all
from podreduce_apps.recommendation.lists import Ints
from podreduce_apps.recommendation.similarity import SIMILARITIES, nearest

__all__ = ["Neighbours", "block_count"]

BLOCK_BYTES = 128 << 20
"""How large a block's rows of counts may be."""
LEAST_BLOCKS = 4


class Neighbours:
    """Finds each item's nearest items.

    Parameters: `similarity` (cosine, jaccard, llr), `neighbours` (how many are kept), `itemsPerBasket` (of a user with
    more items so many are drawn). Side inputs: `items`, `counts` (of the step `basket-counts`). Yields the item's id,
    and a dict of `ids` and `scores`, best first.
    """

    def setup(self, context: JobContext) -> None:
        """Read the parameters."""
        self.similarity = SIMILARITIES[read_choice(context.parameters, "similarity", SIMILARITIES)]
        self.most = read_whole(context.parameters, "neighbours", least=1)
        self.per_basket = read_whole(context.parameters, "itemsPerBasket", least=1)
        self.items = context.side_table("items").num_rows
        self.blocks = block_count(self.items)
        self.counts = read_counts(context.side_table("counts"), self.items)

    def map_batch(self, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        """Yield, for each block, the baskets with an item of it."""
        for block, baskets in divide_baskets(read_baskets(batch, self.per_basket), self.blocks):
            yield pa.table({"key": [block], "value": pa.array([pack_baskets(baskets)], pa.binary())})

    def reduce_func(self, block: int, values: Iterable[bytes]) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """Count the rows of a block's items, and yield the nearest of each."""
        numbers = np.arange(block, self.items, self.blocks)
        rows = np.zeros((len(numbers), self.items), np.int32)
        add_all(rows, map(unpack_baskets, values), numbers)
        for row, number in zip(rows, numbers.tolist(), strict=True):
            ids, scores = self.find_nearest(row, number)
            if len(ids):
                yield number, {"ids": ids.tolist(), "scores": scores.tolist()}

    def find_nearest(self, row: npt.NDArray[np.int32], number: int) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return the nearest items of an item, and how near they are."""
        others = np.flatnonzero(row)
        others = others[others != number]
        both = row[others].astype(np.int64)
        scores = self.similarity(both, int(self.counts[number]), self.counts[others], int(self.counts[-1]))
        best = nearest(scores, self.most)
        return others[best], scores[best]


def block_count(items: int) -> int:
    """Return into how many blocks the items are divided, so that a block's counts fit into memory."""
    return max(min(LEAST_BLOCKS, items), -(-items * items * 4 // BLOCK_BYTES), 1)
