"""Packs virtual buckets into partitions. Rule: pure, and stable over versions.

Keys are hashed into many more buckets than there are reduce tasks. When the maps are done and the size of every bucket
is known, buckets are packed into partitions of about the same size. Each map's blob has the buckets in order, so a
partition of neighbouring buckets is read with one request per map. So neighbours stay together if the sizes allow it.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, product
from operator import attrgetter
from typing import Final

from podreduce_operator.balance.partition_count import MAX_PARTITIONS, MOST_SMALL_PARTITIONS

__all__ = [
    "MOST_SMALL_PARTITIONS",
    "choose_packing",
    "count_stretches",
    "imbalance",
    "pack_buckets",
    "pack_by_hash",
    "sizes_of",
]
MAX_EXCHANGES: Final = 4096
"""How many pairs of partitions the packing may look at. This limits its time to about a second."""
EVEN: Final = 1.05
"""A partition may have this many times its fair share before neighbours are separated.

Better balance is worth less than the extra requests.
"""
EVENNESS_OF_FEW: Final = (1.01, 1.003, 1.0)
"""With few partitions, these are tried in turn until the result is as even as plain hashing."""
FEW_STRETCHES: Final = 2.0
"""So many stretches of neighbouring buckets a partition may have on average before another number of them is tried."""
HEAVY_SHARE: Final = 0.5
"""A bucket with more than this share of a partition's fair share is placed first, separately."""
MOST_TRIES: Final = 8
"""How many partition counts are tried at most."""
MUCH_MORE: Final = 1.25
"""Fewer partitions than wanted are better than more than this many times as many."""

Packing = tuple[tuple[int, ...], ...]


def imbalance(sizes: Sequence[int]) -> float:
    """Return sum |D_i - mean D|, in the unit of `sizes`; 0.0 for an empty sequence."""
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    return float(sum(abs(size - mean) for size in sizes))


def pack_by_hash(buckets: int, partitions: int) -> Packing:
    """Return the packing bucket mod R: the result of a plain hash partitioner, used as the baseline."""
    return tuple(tuple(range(index, buckets, partitions)) for index in range(partitions))


def choose_packing(bucket_bytes: Sequence[int], wanted: int) -> Packing:
    """Pack the buckets into about `wanted` partitions, so that they are even and none is empty.

    For example, twenty buckets of one size make ten or twenty even partitions, but not fourteen. A number that leaves
    neighbours together is better than one that is nearer. If no number near `wanted` is even, there are `wanted`
    partitions, or one per filled bucket if that is less.
    """
    filled = sum(map(bool, bucket_bytes))
    numbers = list(numbers_near(wanted, filled)) or [1]
    if numbers[0] <= MOST_SMALL_PARTITIONS:
        return pack_buckets(bucket_bytes, numbers[0])
    in_row = (pack_in_row(bucket_bytes, number) for number in numbers)
    separated = []
    for packing in in_row:
        if is_even(packing, bucket_bytes):
            if count_stretches(packing, bucket_bytes) <= FEW_STRETCHES * len(packing):
                return packing
            separated.append(packing)
    by_size = (pack_longest_first(bucket_bytes, number) for number in numbers)
    even = chain(separated, (packing for packing in by_size if is_even(packing, bucket_bytes)))
    return next(even, None) or pack_buckets(bucket_bytes, numbers[0])


def numbers_near(wanted: int, filled: int) -> Iterator[int]:
    """Yield `wanted`, then numbers near it that share out the `filled` buckets evenly; never more than `filled`.

    A small number was chosen to keep cores busy, so then only `wanted` is yielded.
    """
    most = min(wanted, filled)
    if most:
        yield most
    if most <= MOST_SMALL_PARTITIONS:
        return
    each = filled // most
    more = min(-(-filled // each), MAX_PARTITIONS)
    if most < more <= MUCH_MORE * most:
        yield more
    for number in range(each + 1, each + MOST_TRIES):
        yield -(-filled // number)
    if more > MUCH_MORE * most:
        yield more


def pack_buckets(bucket_bytes: Sequence[int], partitions: int) -> Packing:
    """Pack every bucket into one of `partitions`, so that none has much more than its fair share.

    First the row of buckets is cut, and partitions with too much exchange buckets with smaller ones. If the result is
    not even, the largest bucket goes first (Graham 1969, Bounds on multiprocessing timing anomalies), followed by
    exchanges. A few partitions are never less even than with plain hashing. The result is deterministic. If there are
    enough filled buckets, each partition gets one.

    Returns:
        The buckets of each partition, in ascending order.
    """
    plain = pack_by_hash(len(bucket_bytes), partitions)

    def badness(packing: Packing) -> tuple[int, float]:
        sizes = sizes_of(packing, bucket_bytes)
        return sizes.count(0), imbalance(sizes)

    if partitions > MOST_SMALL_PARTITIONS:
        in_row = pack_in_row(bucket_bytes, partitions)
        if is_even(in_row, bucket_bytes):
            return in_row
    for evenness in EVENNESS_OF_FEW if partitions <= MOST_SMALL_PARTITIONS else ():
        in_row = pack_in_row(bucket_bytes, partitions, evenness)
        if is_even(in_row, bucket_bytes) and badness(in_row) <= badness(plain):
            return in_row
    return min((pack_longest_first(bucket_bytes, partitions), plain), key=badness)


def pack_in_row(bucket_bytes: Sequence[int], partitions: int, evenness: float = EVEN) -> Packing:
    """Cut the row of buckets. Partitions with more than `evenness` fair shares exchange buckets with smaller ones."""
    fair = fair_share(bucket_bytes, partitions)
    return packed(exchange(cut_row(bucket_bytes, partitions), fair, limit=evenness * fair))


def pack_longest_first(bucket_bytes: Sequence[int], partitions: int) -> Packing:
    """Put each bucket, the largest first, into the smallest partition, then exchange some. Neighbours are separated."""
    fair = fair_share(bucket_bytes, partitions)
    return packed(exchange(spread_longest_first(bucket_bytes, partitions), fair, limit=fair))


def sizes_of(packing: Packing, bucket_bytes: Sequence[int]) -> list[int]:
    """Return the bytes of each partition."""
    return [sum(map(bucket_bytes.__getitem__, buckets)) for buckets in packing]


def is_even(packing: Packing, bucket_bytes: Sequence[int]) -> bool:
    """Tell whether no partition is too large, except for a single bucket, and none is needlessly empty."""
    limit = EVEN * fair_share(bucket_bytes, len(packing))
    sizes = sizes_of(packing, bucket_bytes)
    if 0 in sizes and sum(map(bool, bucket_bytes)) >= len(packing):
        return False
    return all(
        size <= limit or sum(bool(bucket_bytes[bucket]) for bucket in buckets) == 1
        for size, buckets in zip(sizes, packing, strict=True)
    )


def count_stretches(packing: Packing, bucket_bytes: Sequence[int]) -> int:
    """Return how many requests read every partition of one blob: one for each stretch of neighbours that have bytes."""
    ranks = list(accumulate(map(bool, bucket_bytes)))
    filled = ([ranks[bucket] for bucket in buckets if bucket_bytes[bucket]] for buckets in packing)
    return sum(bool(each) + sum(after - before > 1 for before, after in pairwise(each)) for each in filled)


def fair_share(bucket_bytes: Sequence[int], partitions: int) -> float:
    """Return the mean bytes of a partition, without buckets that are larger than the mean and fill one alone."""
    rest, left = sum(bucket_bytes), partitions
    for size in sorted(bucket_bytes, reverse=True):
        if left == 1 or size * left <= rest:
            break
        rest -= size
        left -= 1
    return rest / left


Item = tuple[int, int]
"""A bucket's bytes and number."""


@dataclass(slots=True, kw_only=True)
class Bin:
    """A partition being packed. `items` are in ascending order, `total` is their bytes."""

    items: list[Item]
    total: int = 0

    @property
    def is_single(self) -> bool:
        """Whether at most one of the items has bytes."""
        return sum(1 for size, _ in self.items[-2:] if size) < 2  # noqa: PLR2004 - two

    def add(self, item: Item) -> None:
        """Add `item`."""
        insort(self.items, item)
        self.total += item[0]

    def remove(self, item: Item) -> None:
        """Remove `item`."""
        self.items.remove(item)
        self.total -= item[0]


def packed(bins: Sequence[Bin]) -> Packing:
    """Return the buckets of each bin, in ascending order."""
    return tuple(tuple(sorted(bucket for _, bucket in each.items)) for each in bins)


def cut_row(bucket_bytes: Sequence[int], partitions: int) -> list[Bin]:
    """Place the heavy buckets, then cut the row of the others so that each partition is filled to its fair share.

    Each cut is at the best place between two buckets. Empty buckets stay in the row. One extra byte is shared out over
    all buckets, so that a row of empty buckets can be cut too.
    """
    fair = fair_share(bucket_bytes, partitions)
    heavy = [bucket for bucket, size in enumerate(bucket_bytes) if size > HEAVY_SHARE * fair]
    bins = place_longest_first([(bucket_bytes[bucket], bucket) for bucket in heavy], partitions)
    light = sorted(set(range(len(bucket_bytes))).difference(heavy))
    ends = list(accumulate((bucket_bytes[bucket] + 1 / len(bucket_bytes) for bucket in light), initial=0.0))
    room = list(accumulate((max(fair - each.total, 0) + 1 / partitions for each in bins), initial=0.0))
    inner = (find_nearest(ends, ends[-1] * filled / room[-1]) for filled in room[1:-1])
    cuts = [0, *inner, len(light)]  # the last of `ends` is a float and not exact
    for each, (start, end) in zip(bins, pairwise(cuts), strict=True):
        for bucket in light[start:end]:
            each.add((bucket_bytes[bucket], bucket))
    return bins


def find_nearest(ends: Sequence[float], at: float) -> int:
    """Return the index of the value in ascending `ends` nearest to `at`, which rounding may put past the last."""
    index = min(bisect_left(ends, at), len(ends) - 1)
    return index - 1 if index and at - ends[index - 1] < ends[index] - at else index


def place_longest_first(items: Sequence[Item], partitions: int) -> list[Bin]:
    """Put each of `items`, the largest first, into the smallest partition."""
    bins = [Bin(items=[]) for _ in range(partitions)]
    by_total = [(0, index) for index in range(partitions)]
    for item in sorted(items, key=lambda item: (-item[0], item[1])):
        total, index = by_total[0]
        bins[index].add(item)
        heapq.heapreplace(by_total, (total + item[0], index))
    return bins


def spread_longest_first(bucket_bytes: Sequence[int], partitions: int) -> list[Bin]:
    """Put each bucket, the largest first, into the smallest partition. Empty ones go where the fewest buckets are."""
    bins = place_longest_first([(size, bucket) for bucket, size in enumerate(bucket_bytes) if size], partitions)
    by_count = [(len(each.items), index) for index, each in enumerate(bins)]
    heapq.heapify(by_count)
    for bucket in (bucket for bucket, size in enumerate(bucket_bytes) if not size):
        count, index = by_count[0]
        bins[index].add((0, bucket))
        heapq.heapreplace(by_count, (count + 1, index))
    return bins


def exchange(bins: list[Bin], fair: float, *, limit: float) -> list[Bin]:
    """Move or swap buckets from partitions above `limit` bytes to those below `fair`, the worst first.

    It continues as long as the partitions get nearer to `fair`.
    """
    looks, improved = 0, True
    while improved:
        improved = False
        above = sorted((each for each in bins if each.total > limit and not each.is_single), key=lambda e: -e.total)
        below = sorted((each for each in bins if each.total < fair), key=attrgetter("total"))
        for giver, taker in product(above, below):
            looks += 1
            if looks > MAX_EXCHANGES:
                return bins
            least, most = sorted((giver.total - fair, fair - taker.total))
            if found := find_exchange(giver.items, taker.items, least, most):
                apply_exchange(giver, taker, *found)
                improved = True
                break
    return bins


def find_exchange(giver: list[Item], taker: list[Item], least: float, most: float) -> tuple[Item, Item | None] | None:
    """Find the best item for `giver` to give, and the item to get back, if any. None if nothing helps.

    Shifting d bytes gains 2 d up to `least`, nothing more up to `most`, and loses above that. The best d is the nearest
    to this range. It helps if it is above 0 and below `least + most`.
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
