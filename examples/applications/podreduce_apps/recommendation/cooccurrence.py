"""How often two items are in one basket: exact whole numbers, a row of the matrix at a time (X^T X of users by items).

Row i is the sum of the baskets that hold i. So it needs no pair to be sent anywhere: one count of the items in those
baskets, which numpy does in a nanosecond or two an item. With at most p items a basket, all rows take U p^2 counts.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.recommendation.lists import Ints, rows_of_values

__all__ = ["Baskets", "add_all", "add_cooccurrences", "join_parts", "parts_of", "sample_baskets"]

HASH_SEED = 1
PART_ITEMS = 4 << 20
"""How many items are counted at a time: some 32 MiB as numpy's places."""

Words = npt.NDArray[np.uint64]


class Baskets:
    """Baskets one after the other: the items of basket u are `items[offsets[u] : offsets[u + 1]]`, each once."""

    def __init__(self, offsets: Ints, items: npt.NDArray[np.int32]) -> None:
        self.offsets, self.items = offsets, items

    def holders(self) -> tuple[Ints, Ints]:
        """Return the baskets of each item, item after item, and where each item's begin (up to the highest item)."""
        order = np.argsort(self.items, kind="stable")
        edges = np.concatenate(([0], np.cumsum(np.bincount(self.items)))).astype(np.int64)
        return rows_of_values(self.offsets)[order], edges

    def items_of(self, baskets: Ints) -> npt.NDArray[np.int32]:
        """Return the items of some baskets, one after the other."""
        starts, sizes = self.offsets[baskets], self.offsets[baskets + 1] - self.offsets[baskets]
        places = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
        return np.asarray(self.items[places])


def add_cooccurrences(rows: npt.NDArray[np.int32], baskets: Baskets, numbers: Ints) -> None:
    """Add to row r of `rows` (shape: rows by items) how often each item is in a basket with item `numbers[r]`."""
    holders, edges = baskets.holders()
    for row, number in enumerate(numbers):
        if number < len(edges) - 1 and edges[number] < edges[number + 1]:
            found = baskets.items_of(holders[edges[number] : edges[number + 1]])
            rows[row] += np.bincount(found, minlength=rows.shape[1]).astype(np.int32)


def add_all(rows: npt.NDArray[np.int32], received: Iterable[Baskets], numbers: Ints) -> None:
    """Add the co-occurrences of all baskets, which come in parts of any size."""
    for joined in join_parts(received, PART_ITEMS):
        for part in parts_of(joined, PART_ITEMS):
            add_cooccurrences(rows, part, numbers)


def sample_baskets(baskets: Baskets, seeds: Words, most: int) -> Baskets:
    """Keep at most so many items of each basket: those with the smallest hashes of the basket's seed and the item.

    So every attempt keeps the same ones. Mahout calls this down-sampling: Schelter et al., Scalable Similarity-Based
    Neighborhood Methods with MapReduce, RecSys 2012, section 4.2.
    """
    sizes = np.diff(baskets.offsets)
    if not len(sizes) or sizes.max() <= most:
        return baskets
    rows = rows_of_values(baskets.offsets)
    hashes = hash_numbers(seeds[rows] + baskets.items.astype(np.uint64), HASH_SEED)
    order = np.lexsort((hashes, rows))
    kept = np.zeros(len(rows), np.bool_)
    kept[order] = np.arange(len(rows)) - baskets.offsets[rows] < most
    offsets = np.concatenate(([0], np.cumsum(np.minimum(sizes, most))))
    return Baskets(offsets, baskets.items[kept])


def parts_of(baskets: Baskets, most_items: int) -> Iterator[Baskets]:
    """Yield the baskets in parts of about so many items."""
    start = 0
    while start < len(baskets.offsets) - 1:
        end = int(np.searchsorted(baskets.offsets, baskets.offsets[start] + most_items, side="right")) - 1
        end = max(end, start + 1)
        offsets = baskets.offsets[start : end + 1]
        yield Baskets(offsets - offsets[0], baskets.items[offsets[0] : offsets[-1]])
        start = end


def join_parts(received: Iterable[Baskets], most: int) -> Iterator[Baskets]:
    """Yield small parts together, up to so many items and offsets: a count goes over whole rows, also for one basket.

    A part that is larger comes alone. Parts are copied, because those that wait would keep all that they came with.
    """
    waiting: list[Baskets] = []
    size = 0
    for part in received:
        own = len(part.items) + len(part.offsets)
        if waiting and size + own > most:
            yield join_baskets(waiting)
            waiting, size = [], 0
        waiting.append(Baskets(part.offsets.copy(), part.items.copy()))
        size += own
    if waiting:
        yield join_baskets(waiting)


def join_baskets(parts: list[Baskets]) -> Baskets:
    """Return the baskets of all parts as one."""
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    return Baskets(np.concatenate(([0], np.cumsum(sizes))), np.concatenate([part.items for part in parts]))
