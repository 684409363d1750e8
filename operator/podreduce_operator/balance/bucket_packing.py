"""Which virtual buckets make a partition. Rule: pure, and stable over versions.

Keys are hashed into many more buckets than there are reduce tasks; once the maps are done and every bucket's size is
known, buckets are packed into partitions of about the same size. Buckets lie in each map's blob in their order, so a
partition of neighbours is read with one request a map: neighbours are kept together as far as the sizes allow it.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, product
from operator import attrgetter
from typing import Final

from podreduce_operator.balance.partition_count import MAX_PARTITIONS, MOST_SMALL_PARTITIONS

__all__ = ["MOST_SMALL_PARTITIONS", "choose_packing", "imbalance", "pack_buckets", "pack_by_hash", "sizes_of"]
MAX_EXCHANGES: Final = 4096
"""How many pairs of partitions the packing may look at: bounds its time at about a second."""
EVEN: Final = 1.05
"""A partition may have so many times its fair share before neighbours are parted for it: more balance is worth less
than what the requests cost."""
EVENNESS_OF_FEW: Final = (1.01, 1.003, 1.0)
"""What is tried in turn where partitions are few, until they are as even as plain hashing would have them."""
HEAVY_SHARE: Final = 0.5
"""A bucket of more than this part of a partition's fair share is placed by itself, before the others."""
MOST_TRIES: Final = 8
"""How many numbers of partitions are tried, at most."""
MUCH_MORE: Final = 1.25
"""Fewer partitions than wanted are better than so many times as many."""

Packing = tuple[tuple[int, ...], ...]


def imbalance(sizes: Sequence[int]) -> float:
    """Return sum |D_i - mean D|, in the unit of `sizes`; 0.0 of nothing."""
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    return float(sum(abs(size - mean) for size in sizes))


def pack_by_hash(buckets: int, partitions: int) -> Packing:
    """Return the packing bucket mod R: what a plain hash partitioner does, the baseline."""
    return tuple(tuple(range(index, buckets, partitions)) for index in range(partitions))


def choose_packing(bucket_bytes: Sequence[int], wanted: int) -> Packing:
    """Pack the buckets into about `wanted` partitions: as many as come out even and have something to reduce.

    Twenty buckets of one size make ten even partitions or twenty, but not fourteen. Where no number near `wanted` comes
    out even, it is as many as wanted, or as there are filled buckets.
    """
    filled = sum(map(bool, bucket_bytes))
    numbers = list(numbers_near(wanted, filled)) or [1]
    if numbers[0] <= MOST_SMALL_PARTITIONS:
        return pack_buckets(bucket_bytes, numbers[0])
    evenly = (pack_in_row(bucket_bytes, number) for number in numbers)
    by_size = (pack_longest_first(bucket_bytes, number) for number in numbers)
    even = (packing for packing in chain(evenly, by_size) if is_even(packing, bucket_bytes))
    return next(even, None) or pack_buckets(bucket_bytes, numbers[0])


def numbers_near(wanted: int, filled: int) -> Iterator[int]:
    """Yield `wanted`, then numbers of which each has as many of the `filled` buckets; never more than there are.

    A few are wanted for the cores that they keep busy: then it is just so many.
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
    """Pack every bucket into one of `partitions`, none of which has much more than its fair share.

    The buckets are cut as they lie, in a row; only partitions that get too much that way exchange some with those that
    have less. A few partitions are never less even than plain hashing makes them. Where that does not do, longest
    processing time first (Graham 1969, Bounds on multiprocessing timing anomalies), then exchanges. Deterministic. If
    there are as many filled buckets, each partition gets one.

    Returns:
        By partition, its buckets in ascending order.
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
    """Cut the buckets as they lie; partitions of over `evenness` fair shares exchange some with those of less."""
    fair = fair_share(bucket_bytes, partitions)
    return packed(exchange(cut_row(bucket_bytes, partitions), fair, limit=evenness * fair))


def pack_longest_first(bucket_bytes: Sequence[int], partitions: int) -> Packing:
    """Put each bucket, the largest first, where least is, then exchange some; neighbours are parted."""
    fair = fair_share(bucket_bytes, partitions)
    return packed(exchange(spread_longest_first(bucket_bytes, partitions), fair, limit=fair))


def sizes_of(packing: Packing, bucket_bytes: Sequence[int]) -> list[int]:
    """Return the bytes of each partition."""
    return [sum(map(bucket_bytes.__getitem__, buckets)) for buckets in packing]


def is_even(packing: Packing, bucket_bytes: Sequence[int]) -> bool:
    """Tell whether no partition has too much that another could take, and none nothing that could have some."""
    limit = EVEN * fair_share(bucket_bytes, len(packing))
    sizes = sizes_of(packing, bucket_bytes)
    if 0 in sizes and sum(map(bool, bucket_bytes)) >= len(packing):
        return False
    return all(
        size <= limit or sum(bool(bucket_bytes[bucket]) for bucket in buckets) == 1
        for size, buckets in zip(sizes, packing, strict=True)
    )


def fair_share(bucket_bytes: Sequence[int], partitions: int) -> float:
    """Return the mean bytes of the partitions that are left when each bucket of more than that has one of its own."""
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
    """A partition being packed: `items` ascending, `total` their bytes."""

    items: list[Item]
    total: int = 0

    @property
    def is_single(self) -> bool:
        """Whether no more than one of the items has bytes."""
        return sum(1 for size, _ in self.items[-2:] if size) < 2  # noqa: PLR2004 - two

    def add(self, item: Item) -> None:
        """Take `item`."""
        insort(self.items, item)
        self.total += item[0]

    def remove(self, item: Item) -> None:
        """Give `item` away."""
        self.items.remove(item)
        self.total -= item[0]


def packed(bins: Sequence[Bin]) -> Packing:
    """Return the buckets of each, ascending."""
    return tuple(tuple(sorted(bucket for _, bucket in each.items)) for each in bins)


def cut_row(bucket_bytes: Sequence[int], partitions: int) -> list[Bin]:
    """Place the heavy buckets, then cut the row of the others so that each partition is filled up to its fair share.

    A cut lies between the two buckets where it is best. Empty buckets stay where they are in the row; a byte shared out
    over all gives those a place of their own that have nothing else.
    """
    fair = fair_share(bucket_bytes, partitions)
    heavy = [bucket for bucket, size in enumerate(bucket_bytes) if size > HEAVY_SHARE * fair]
    bins = place_longest_first([(bucket_bytes[bucket], bucket) for bucket in heavy], partitions)
    light = sorted(set(range(len(bucket_bytes))).difference(heavy))
    ends = list(accumulate((bucket_bytes[bucket] + 1 / len(bucket_bytes) for bucket in light), initial=0.0))
    room = list(accumulate((max(fair - each.total, 0) + 1 / partitions for each in bins), initial=0.0))
    inner = (find_nearest(ends, ends[-1] * filled / room[-1]) for filled in room[1:-1])
    cuts = [0, *inner, len(light)]  # as numbers the ends are not exact
    for each, (start, end) in zip(bins, pairwise(cuts), strict=True):
        for bucket in light[start:end]:
            each.add((bucket_bytes[bucket], bucket))
    return bins


def find_nearest(ends: Sequence[float], at: float) -> int:
    """Return the index of the nearest of ascending `ends`."""
    index = min(bisect_left(ends, at), len(ends) - 1)
    return index - 1 if index and at - ends[index - 1] < ends[index] - at else index


def place_longest_first(items: Sequence[Item], partitions: int) -> list[Bin]:
    """Put each of `items`, the largest first, where least is."""
    bins = [Bin(items=[]) for _ in range(partitions)]
    by_total = [(0, index) for index in range(partitions)]
    for item in sorted(items, key=lambda item: (-item[0], item[1])):
        total, index = by_total[0]
        bins[index].add(item)
        heapq.heapreplace(by_total, (total + item[0], index))
    return bins


def spread_longest_first(bucket_bytes: Sequence[int], partitions: int) -> list[Bin]:
    """Put each bucket, largest first, where least is; the empty ones where fewest are."""
    bins = place_longest_first([(size, bucket) for bucket, size in enumerate(bucket_bytes) if size], partitions)
    by_count = [(len(each.items), index) for index, each in enumerate(bins)]
    heapq.heapify(by_count)
    for bucket in (bucket for bucket, size in enumerate(bucket_bytes) if not size):
        count, index = by_count[0]
        bins[index].add((0, bucket))
        heapq.heapreplace(by_count, (count + 1, index))
    return bins


def exchange(bins: list[Bin], fair: float, *, limit: float) -> list[Bin]:
    """Move and swap buckets from partitions of more than `limit` bytes to those of less than `fair`, worst first.

    It goes on while that brings them nearer to `fair`.
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
