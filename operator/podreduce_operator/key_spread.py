"""How the keys of a job in total order are spread, and where to cut them into ranges of near-equal bytes. Rule: pure.

Each map's record has samples: keys, and the bytes from each to the next. Merged, they tell how many bytes lie below any
of these keys: of the maps that have it as a sample exactly, of the others within the interval that it falls into, of
which half is counted. These errors cancel each other out, so more maps make the cuts better, not worse.

    map 0:  a 10  g 10           bytes below a: 0      (map 1 begins later)
    map 1:  c 10  g 10           below c: 5 + 0        below g: 10 + 10
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import accumulate, chain, pairwise
from typing import Self

from podreduce.contract.task import KeySample
from podreduce_operator.cuts import choose_cuts

__all__ = ["KeyRanges", "KeySpread"]

MAX_POINTS = 1 << 16
"""How many points are kept; twice as many are merged into these, so that memory does not grow with the maps."""
ATOMS_PER_PARTITION = 100
"""What lies between two keys is looked at as a whole if it has more than this part of a partition's bytes."""
MAX_POSITIONS = 20_000
"""How many cuts may be tried: bounds the time at about a second."""
BEYOND = b"\xff"
"""What is above every encoded key."""

Point = tuple[bytes, int, int]
"""A key with the mass just below it and from it on, in half bytes."""


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
        below = 0
        for sample in samples[:-1]:
            self.points.append((sample.key, below, sample.size_bytes))
            below = sample.size_bytes
        self.points += [(sample.key, below, 2 * sample.size_bytes) for sample in samples[-1:]]
        if len(self.points) > 2 * MAX_POINTS:
            self.points = merge_points(sorted(self.points), MAX_POINTS)

    def cut(self, partitions: int) -> KeyRanges:
        """Cut the keys into so many ranges."""
        keys, masses = self._masses()
        cuts = [masses[find_nearest(masses, cut)] for cut in choose_masses(masses, partitions)]
        return KeyRanges(
            cuts=tuple(keys[bisect_left(masses, cut)] for cut in cuts[1:-1]),
            partition_bytes=tuple(end // 2 - start // 2 for start, end in pairwise(cuts)),
        )

    def _masses(self) -> tuple[list[bytes], list[int]]:
        """Return the keys, and the mass below each; the last is beyond all."""
        keys: list[bytes] = []
        masses: list[int] = []
        total = 0
        for key, below, above in sorted(self.points):
            if keys and keys[-1] == key:
                masses[-1] += below
            else:
                keys.append(key)
                masses.append(total + below)
            total += below + above
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
    """Return at most `limit` + 1 points in place of these: neighbours become the one in the middle of their mass."""
    step = 2 * sum(below + above for _, below, above in points) // limit
    merged, start, mass = [], 0, 0
    for end, (_, below, above) in enumerate(points):
        if end > start and mass + below + above > step:
            merged.append(merge_neighbours(points[start:end]))
            start, mass = end, 0
        mass += below + above
    return [*merged, merge_neighbours(points[start:])]


def merge_neighbours(points: Sequence[Point]) -> Point:
    """Return the point in the middle of the mass of `points`, with all of it."""
    ends = list(accumulate(below + above for _, below, above in points))
    at = bisect_left(ends, ends[-1] / 2)
    key, _, above = points[at]
    return key, ends[at] - above, ends[-1] - ends[at] + above
