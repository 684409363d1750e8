"""Where to cut the keys of a totally ordered job into ranges of about equal bytes. Rule: pure.

Each map's record has samples: keys, and the bytes that each one represents. Merged, they say about how many bytes are
below each of these keys. A map's samples are off by up to one sample, in a different way for each map (see
`encoding.key_sampler`). These errors cancel out, so more maps give better cuts.

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
"""How many points are kept. Twice as many are merged into these, so memory does not grow with the number of maps.

With 4,096 partitions, each partition has 32 points.
"""
ATOMS_PER_PARTITION = 100
"""A gap between two keys is an atom if it has more than 1 / this of a partition's bytes."""
MAX_POSITIONS = 20_000
"""How many cuts may be tried. This limits the time to about a second."""
BEYOND = b"\xff"
"""Greater than every encoded key."""

Point = tuple[bytes, int]
"""A key and the bytes it represents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRanges:
    """The keys between partitions, ascending, and the expected bytes of each partition."""

    cuts: tuple[bytes, ...]
    partition_bytes: tuple[int, ...]

    def without_empty(self) -> Self:
        """Return only the ranges that have bytes, or one empty range if none has."""
        filled = [index for index, size_bytes in enumerate(self.partition_bytes) if size_bytes]
        if not filled:
            return type(self)(cuts=(), partition_bytes=(0,))
        return type(self)(
            cuts=tuple(self.cuts[index - 1] for index in filled[1:]),
            partition_bytes=tuple(self.partition_bytes[index] for index in filled),
        )


@dataclass(slots=True)
class KeySpread:
    """The samples of all maps so far. `key_bytes` is the length of their keys together."""

    points: list[Point] = field(default_factory=list)
    key_bytes: int = 0

    def add(self, samples: Sequence[KeySample]) -> None:
        """Add a map's samples."""
        self.points += [(sample.key, sample.size_bytes) for sample in samples]
        self.key_bytes += sum(len(sample.key) for sample in samples)
        if len(self.points) > 2 * MAX_POINTS:
            self.points = merge_points(sorted(self.points), MAX_POINTS)
            self.key_bytes = sum(len(key) for key, _ in self.points)

    def cut(self, partitions: int) -> KeyRanges:
        """Cut the keys into this many ranges."""
        keys, masses = self._masses()
        cuts = [masses[find_nearest(masses, cut)] for cut in choose_masses(masses, partitions)]
        return KeyRanges(
            cuts=tuple(keys[bisect_left(masses, cut)] for cut in cuts[1:-1]),
            partition_bytes=tuple(end - start for start, end in pairwise(cuts)),
        )

    def _masses(self) -> tuple[list[bytes], list[int]]:
        """Return the keys, and the bytes below each key. The last key is above all others."""
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
    """Return where to cut, as bytes from the start.

    A key with more than the mean of the remaining partitions gets its own partition. The other partitions are shared
    out over the stretches between these keys, and each stretch is cut evenly. The last partitions may be empty.
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
        else:  # the stretch joins the heavy key before it; the first stretch joins the one after it
            edges.discard(start or end)
    return [*sorted(edges), *[total] * (partitions + 1 - len(edges))]


def find_heavy(gaps: Sequence[tuple[int, int]], partitions: int) -> list[tuple[int, int]]:
    """Return the gaps that are larger than the mean of the partitions left for the other gaps."""
    heavy: list[tuple[int, int]] = []
    rest = sum(end - start for start, end in gaps)
    for start, end in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        if (end - start) * (partitions - len(heavy)) <= rest:
            break
        heavy.append((start, end))
        rest -= end - start
    return heavy


def allot_seats(sizes: Sequence[int], seats: int) -> list[int]:
    """Share out `seats` so that the largest size per seat is as small as possible (D'Hondt). Size 0 gets no seat."""
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
    """Return at most `limit` of these points, at equal distances in bytes, to replace all of them."""
    total = sum(size_bytes for _, size_bytes in points)
    merged, end, taken = [], 0, 0
    for key, size_bytes in points:
        end += size_bytes
        reached = (2 * limit * end + total) // (2 * total) if total else limit
        if reached > taken:
            merged.append((key, total * reached // limit - total * taken // limit))
            taken = reached
    return merged
