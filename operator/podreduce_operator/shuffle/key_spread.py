"""How the keys of a job in total order are spread, and where to cut them into ranges of near-equal bytes. Rule: pure.

Each map's record has samples: keys, and the bytes that each stands for. Merged, they tell about how many bytes lie
below any of these keys. A map's samples are wrong by up to one of them, each map's in its own way (see
`ranges.KeySampler`): these errors cancel each other out, so more maps make the cuts better, not worse.

    map 0:  b 10  g 10           bytes below b: 0        below c: 10
    map 1:  c 10  j 10           below g: 20             below j: 30
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import chain, pairwise
from typing import Self

from podreduce.contract.task import KeySample
from podreduce_operator.balance.even_cuts import choose_cuts

__all__ = ["KeyRanges", "KeySpread"]

MAX_POINTS = 1 << 17
"""How many points are kept; twice as many are merged into these, so that memory does not grow with the maps. Of 4,096
partitions each has 32."""
ATOMS_PER_PARTITION = 100
"""What lies between two keys is looked at as a whole if it has more than this part of a partition's bytes."""
MAX_POSITIONS = 20_000
"""How many cuts may be tried: bounds the time at about a second."""
BEYOND = b"\xff"
"""What is above every encoded key."""

Point = tuple[bytes, int]
"""A key and the bytes it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRanges:
    """Where partitions meet, ascending, and the bytes that each is expected to have."""

    cuts: tuple[bytes, ...]
    partition_bytes: tuple[int, ...]

    def without_empty(self) -> Self:
        """Return the ranges that have bytes; one if none has."""
        filled = [index for index, size_bytes in enumerate(self.partition_bytes) if size_bytes]
        if not filled:
            return type(self)(cuts=(), partition_bytes=(0,))
        return type(self)(
            cuts=tuple(self.cuts[index - 1] for index in filled[1:]),
            partition_bytes=tuple(self.partition_bytes[index] for index in filled),
        )


@dataclass(slots=True)
class KeySpread:
    """The samples of all maps so far."""

    points: list[Point] = field(default_factory=list)

    def add(self, samples: Sequence[KeySample]) -> None:
        """Take a map's samples."""
        self.points += [(sample.key, sample.size_bytes) for sample in samples]
        if len(self.points) > 2 * MAX_POINTS:
            self.points = merge_points(sorted(self.points), MAX_POINTS)

    def cut(self, partitions: int) -> KeyRanges:
        """Cut the keys into so many ranges."""
        keys, masses = self._masses()
        cuts = [masses[find_nearest(masses, cut)] for cut in choose_masses(masses, partitions)]
        return KeyRanges(
            cuts=tuple(keys[bisect_left(masses, cut)] for cut in cuts[1:-1]),
            partition_bytes=tuple(end - start for start, end in pairwise(cuts)),
        )

    def _masses(self) -> tuple[list[bytes], list[int]]:
        """Return the keys, and the mass below each; the last is beyond all."""
        keys: list[bytes] = []
        masses: list[int] = []
        total = 0
        for key, size_bytes in sorted(self.points):
            if not keys or keys[-1] != key:
                keys.append(key)
                masses.append(total)
            total += size_bytes
        return [*keys, BEYOND], [*masses, total]


def choose_masses(masses: Sequence[int], partitions: int) -> list[int]:
    """Return the masses at which to cut.

    A key that is heavier than the mean of what is left gets a partition of its own; the others are shared out over
    the stretches between those keys, and each stretch is cut evenly. The last partitions may be empty.
    """
    gaps, total = list(pairwise(masses)), masses[-1]
    heavy = find_heavy(gaps, partitions)
    edges = {0, total, *chain.from_iterable(heavy)}
    stretches = [(start, end) for start, end in pairwise(sorted(edges)) if (start, end) not in heavy]
    seats = allot_seats([end - start for start, end in stretches], partitions - len(heavy))
    least = total // (ATOMS_PER_PARTITION * partitions)
    for (start, end), number in zip(stretches, seats, strict=True):
        if number:
            inside = gaps[bisect_left(masses, start) : bisect_left(masses, end)]
            atoms = [(low - start, high - start) for low, high in inside if high - low > least]
            edges.update(start + cut for cut in choose_cuts(end - start, atoms, number, max_positions=MAX_POSITIONS))
        else:  # it goes with the heavy key before, the first with the one behind
            edges.discard(start or end)
    return [*sorted(edges), *[total] * (partitions + 1 - len(edges))]


def find_heavy(gaps: Sequence[tuple[int, int]], partitions: int) -> list[tuple[int, int]]:
    """Return the gaps that are larger than the mean of the partitions that are left for those not larger."""
    heavy: list[tuple[int, int]] = []
    rest = sum(end - start for start, end in gaps)
    for start, end in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        if (end - start) * (partitions - len(heavy)) <= rest:
            break
        heavy.append((start, end))
        rest -= end - start
    return heavy


def allot_seats(sizes: Sequence[int], seats: int) -> list[int]:
    """Share `seats` out so that the largest size of a seat is least (D'Hondt's method); no size, no seat."""
    allotted = [0] * len(sizes)
    waiting: list[tuple[float, int]] = [(-size, index) for index, size in enumerate(sizes) if size]
    heapify(waiting)
    for _ in range(seats if waiting else 0):
        _, index = waiting[0]
        allotted[index] += 1
        heapreplace(waiting, (-sizes[index] / (allotted[index] + 1), index))
    return allotted


def find_nearest(masses: Sequence[int], mass: int) -> int:
    """Return the index of the mass nearest to `mass`."""
    at = bisect_left(masses, mass)
    return at - 1 if at and mass - masses[at - 1] < masses[at] - mass else at


def merge_points(points: Sequence[Point], limit: int) -> list[Point]:
    """Return at most `limit` of these points, at equal distances of bytes, in place of all."""
    total = sum(size_bytes for _, size_bytes in points)
    merged, end, taken = [], 0, 0
    for key, size_bytes in points:
        end += size_bytes
        reached = (2 * limit * end + total) // (2 * total) if total else limit
        if reached > taken:
            merged.append((key, total * reached // limit - total * taken // limit))
            taken = reached
    return merged
