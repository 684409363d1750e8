"""Which virtual bucket a key falls into, and which buckets make a partition. Rule: pure, and stable over versions.

Keys are hashed into many more buckets than there are reduce tasks; once the maps are done and every bucket's size is
known, buckets are packed so that sum |D_i - mean D| is small. The operator calls the packing, the tasks the hash.
"""

import heapq
import zlib
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

__all__ = ["choose_partitions", "hash_bucket", "imbalance", "pack_buckets", "pack_by_hash", "virtual_buckets"]

BUCKETS_PER_PARTITION: Final = 16
MAX_PARTITIONS: Final = 4096
LEAST_UNDECIDED_BUCKETS: Final = 256
MOST_UNDECIDED_BUCKETS: Final = 1024
INPUT_BYTES_PER_BUCKET: Final = 4 << 20
"""Where the partitions are chosen later: each bucket costs a frame in every blob, and small ones hardly compress."""
PARTITION_BYTES: Final = 256 << 20
LEAST_PARTITION_BYTES: Final = 4 << 20
MOST_SMALL_PARTITIONS: Final = 16
"""Starting a pod costs about a second: more of them gain little where each has little to do."""
"""Partitions this small still pay, where a core would be idle otherwise."""
FIBONACCI: Final = 2654435769
"""2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, vol. 3, 6.4): carries low bits upwards."""
MAX_EXCHANGES: Final = 4096
"""How many pairs of partitions the packing may look at: bounds its time at about a second."""

Packing = tuple[tuple[int, ...], ...]


def hash_bucket(key: bytes, buckets: int) -> int:
    """Return the virtual bucket, 0 to `buckets` - 1, of an encoded key; the same in every process and version."""
    return ((zlib.crc32(key) * FIBONACCI & 0xFFFFFFFF) * buckets) >> 32


def virtual_buckets(partitions: int | None, *, order: str = "Partition", input_bytes: int = 0) -> int:
    """Return how many virtual buckets the maps write for `partitions` reduce tasks (None: decided after them).

    In total order that is one, since ranges of keys are cut instead; and none where nothing is reduced.
    """
    if order == "Total":
        return 0 if partitions == 0 else 1
    if partitions is None:
        return min(max(input_bytes // INPUT_BYTES_PER_BUCKET, LEAST_UNDECIDED_BUCKETS), MOST_UNDECIDED_BUCKETS)
    return max(min(BUCKETS_PER_PARTITION * partitions, MAX_PARTITIONS), partitions)


def choose_partitions(total_bytes: int, parallelism: int) -> int:
    """Return how many partitions suit a map output of `total_bytes`, 1 to 4,096.

    One per 256 MiB; more, down to 4 MiB each, while fewer than `parallelism` tasks, and fewer than 16, would run.
    """
    side_by_side = min(-(-total_bytes // LEAST_PARTITION_BYTES), parallelism, MOST_SMALL_PARTITIONS)
    return min(max(-(-total_bytes // PARTITION_BYTES), side_by_side, 1), MAX_PARTITIONS)


def imbalance(sizes: Sequence[int]) -> float:
    """Return sum |D_i - mean D|, in the unit of `sizes`; 0.0 of nothing."""
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    return float(sum(abs(size - mean) for size in sizes))


def pack_by_hash(buckets: int, partitions: int) -> Packing:
    """Return the packing bucket mod R: what a plain hash partitioner does, the baseline."""
    return tuple(tuple(range(index, buckets, partitions)) for index in range(partitions))


def pack_buckets(bucket_bytes: Sequence[int], partitions: int) -> Packing:
    """Pack every bucket into one of `partitions`, so that the imbalance is small and never above `pack_by_hash`'s.

    Longest processing time first (Graham 1969, Bounds on multiprocessing timing anomalies), then moves and swaps
    between a partition above the mean and one below it while they help. Deterministic; empty buckets are spread.

    Returns:
        By partition, its buckets in ascending order.
    """
    bins = exchange(pack_longest_first(bucket_bytes, partitions))
    packed = tuple(tuple(sorted(bucket for _, bucket in each.items)) for each in bins)
    plain = pack_by_hash(len(bucket_bytes), partitions)
    return min((packed, plain), key=lambda packing: imbalance([sum(bucket_bytes[b] for b in bs) for bs in packing]))


Item = tuple[int, int]
"""A bucket's bytes and number."""


@dataclass(slots=True, kw_only=True)
class Bin:
    """A partition being packed: `items` ascending, `total` their bytes."""

    items: list[Item]
    total: int = 0

    def add(self, item: Item) -> None:
        """Take `item`."""
        insort(self.items, item)
        self.total += item[0]

    def remove(self, item: Item) -> None:
        """Give `item` away."""
        self.items.remove(item)
        self.total -= item[0]


def pack_longest_first(bucket_bytes: Sequence[int], partitions: int) -> list[Bin]:
    """Put each bucket, largest first, where least is; the empty ones where fewest are."""
    bins = [Bin(items=[]) for _ in range(partitions)]
    filled = sorted(((size, bucket) for bucket, size in enumerate(bucket_bytes) if size), key=lambda x: (-x[0], x[1]))
    by_total = [(0, index) for index in range(partitions)]
    for item in filled:
        total, index = by_total[0]
        bins[index].add(item)
        heapq.heapreplace(by_total, (total + item[0], index))
    by_count = [(len(each.items), index) for index, each in enumerate(bins)]
    heapq.heapify(by_count)
    for bucket in (bucket for bucket, size in enumerate(bucket_bytes) if not size):
        count, index = by_count[0]
        bins[index].add((0, bucket))
        heapq.heapreplace(by_count, (count + 1, index))
    return bins


def exchange(bins: list[Bin]) -> list[Bin]:
    """Move and swap buckets from partitions above the mean to those below, worst first, while the imbalance falls."""
    total, looks = sum(each.total for each in bins), 0

    def excess(each: Bin) -> int:
        return each.total * len(bins) - total  # in 1/len(bins) bytes: exact

    improved = True
    while improved:
        improved = False
        above = sorted((each for each in bins if excess(each) > 0), key=excess, reverse=True)
        below = sorted((each for each in bins if excess(each) < 0), key=excess)
        for giver, taker in product(above, below):
            looks += 1
            if looks > MAX_EXCHANGES:
                return bins
            wanted = sorted((excess(giver) / len(bins), -excess(taker) / len(bins)))
            if found := find_exchange(giver.items, taker.items, *wanted):
                apply_exchange(giver, taker, *found)
                improved = True
                break
    return bins


def find_exchange(giver: list[Item], taker: list[Item], least: float, most: float) -> tuple[Item, Item | None] | None:
    """Find what `giver` should give and get back, so that the bytes shifted help most.

    Shifting d bytes gains 2 d up to `least`, nothing more up to `most`, and loses from there: the best d is the
    one next to that range, and it helps if it is over 0 and under `least + most`.
    """
    best, found = 0.0, None
    for back in [None, *taker]:
        size = back[0] if back else 0
        at = bisect_left(giver, (size + least, -1))
        for item in giver[max(at - 1, 0) : at + 1]:
            shift = item[0] - size
            gain = min(shift, least, least + most - shift)
            if gain > best:
                best, found = gain, (item, back)
    return found


def apply_exchange(giver: Bin, taker: Bin, item: Item, back: Item | None) -> None:
    """Carry out what `find_exchange` found."""
    giver.remove(item)
    taker.add(item)
    if back:
        taker.remove(back)
        giver.add(back)
