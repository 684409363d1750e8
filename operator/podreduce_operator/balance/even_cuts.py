"""Where to cut a row of bytes into shards of even size when parts of the row must stay whole.

Rule: pure. The row is the input, laid end to end; its unsplittable objects are atoms. Minimises sum |D_i - m| with
m = D / shards. As the D_i sum up to D, that is twice the excess: the sum of what the shards hold beyond m.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import pairwise

__all__ = ["choose_cuts", "imbalance_bytes"]

MAX_POSITIONS = 100_000
"""How many cuts the search looks at: bounds its time at some five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row, in units of 1/shards byte, so that the mean m is a whole number: the row's bytes.

    Attributes:
        mean: m; `shards` times `mean` is the row's length.
        starts: where the atoms start, ascending; `ends`: where each ends (exclusive).
    """

    shards: int
    mean: int
    starts: Sequence[int]
    ends: Sequence[int]

    def find_around(self, position: int, grid: int) -> tuple[int, int]:
        """Return the nearest cuts at or before `position` and at or after it; between atoms, multiples of `grid`."""
        index = bisect_right(self.starts, position) - 1
        if index >= 0 and self.starts[index] < position < self.ends[index]:
            return self.starts[index], self.ends[index]
        below = position - position % grid
        return below, below if below == position else below + grid

    def find_nearest(self, position: int) -> int:
        """Return the cut nearest to `position`, at a whole byte."""
        below, above = self.find_around(position, self.shards)
        return below if position - below <= above - position else above


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """For each position but the first, the starts that a shard ending there could have, as indexes of positions.

    Attributes:
        above: the cut nearest to position - m from above, so without excess; -1 if that is the position itself.
        below: the cut nearest to position - m from below; `excess` is what it costs.
        excess_alone: what it costs to make all from the row's start one shard.
    """

    above: list[int]
    below: list[int]
    excess: list[int]
    excess_alone: list[int]


def choose_cuts(
    total_bytes: int, atoms: Sequence[tuple[int, int]], shards: int, *, max_positions: int = MAX_POSITIONS
) -> list[int]:
    """Return the shards + 1 cuts, from 0 to `total_bytes`; shard i lies between cuts i and i + 1.

    Optimal without atoms, with nothing but atoms (up to 100,000), and where cuts at every byte are few enough to
    search. Else the search ignores that bytes are whole, which costs at most a byte a shard; and where even that is
    too much, each even cut moves to the nearer edge of the atom that it falls into: at most these atoms' weights.
    """
    whole = [(start * shards, end * shards) for start, end in atoms if start < end]
    row = Row(
        shards=shards,
        mean=total_bytes,
        starts=[start for start, _ in whole],
        ends=[end for _, end in whole],
    )
    if not whole or shards == 1:
        return [number * total_bytes // shards for number in range(shards + 1)]
    for grid in (shards, 1):
        positions = find_positions(row, grid, max_positions)
        if positions:
            cuts = search_cuts(row, positions, link_positions(positions, row, grid))
            return [cut // shards for cut in add_cuts(cuts, row)]
    return [row.find_nearest(number * total_bytes) // shards for number in range(shards + 1)]


def imbalance_bytes(cuts: Sequence[int]) -> float:
    """Return sum |D_i - mean D| of the shards between these cuts."""
    shards, total = len(cuts) - 1, cuts[-1]
    return sum(abs((end - start) * shards - total) for start, end in pairwise(cuts)) / shards


def find_positions(row: Row, grid: int, max_positions: int) -> list[int] | None:
    """Return the cuts worth looking at, in ascending order; None if they are too many.

    Let E(p) be the least excess of the row up to p, with a price on each shard. A longer row never costs less (cut its
    solution off), and one byte more costs at most one byte (the last shard takes it). So the best start of a shard
    that ends at p is the cut nearest to p - m from above, or that from below, or the row's start. What is not reached
    so from the row's end need not be looked at.
    """
    end = row.shards * row.mean
    found, open_ends = {0, end}, [end]
    while open_ends:
        fresh = {*row.find_around(max(open_ends.pop() - row.mean, 0), grid)} - found
        found |= fresh
        open_ends.extend(fresh)
        if len(found) > max_positions:
            return None
    return sorted(found)


def link_positions(positions: Sequence[int], row: Row, grid: int) -> Links:
    """Return the links between `positions`, which `find_positions` found."""
    number = {position: index for index, position in enumerate(positions)}
    links = Links(above=[0], below=[0], excess=[0], excess_alone=[0])
    for end in positions[1:]:
        below, above = row.find_around(max(end - row.mean, 0), grid)
        links.above.append(number[above] if above < end else -1)
        links.below.append(number[below])
        links.excess.append(max(end - below - row.mean, 0))
        links.excess_alone.append(max(end - row.mean, 0))
    return links


def search_cuts(row: Row, positions: Sequence[int], links: Links) -> list[int]:
    """Return the cuts of at most `row.shards` shards with the least excess, none of the shards empty.

    The excess of a shard is a convex function of its length, so it has the Monge property and the least excess is
    convex in the number of shards. A price on each shard therefore steers their number: Aggarwal, Schieber, Tokuyama,
    "Finding a minimum-weight k-link path in graphs with the concave Monge property and applications" (1994), with
    their exchange of paths where every price gives too few or too many. Prices are odd halves, between the slopes;
    one of more than m leaves a single shard, for each shard more saves at most m.
    """
    low, high = -1, row.mean
    fewer, more = trace_path(links, 2 * high + 1), None
    while high - low > 1 and len(fewer) - 1 < row.shards:
        middle = (low + high) // 2
        path = trace_path(links, 2 * middle + 1)
        if len(path) - 1 <= row.shards:
            high, fewer = middle, path
        else:
            low, more = middle, path
    path = exchange(fewer, more, row.shards) if more and len(fewer) - 1 < row.shards else fewer
    return [positions[index] for index in path]


def trace_path(links: Links, price: int) -> list[int]:
    """Return the indexes of the cuts that cost least, twice the excess plus `price` for each shard."""
    costs = [0] * len(links.below)
    origins = [0] * len(links.below)
    steps = enumerate(zip(links.above, links.below, links.excess, links.excess_alone, strict=True))
    next(steps)
    for index, (above, below, excess, excess_alone) in steps:
        cost, origin = costs[below] + 2 * excess, below
        if above >= 0 and costs[above] <= cost:
            cost, origin = costs[above], above
        if 2 * excess_alone < cost:
            cost, origin = 2 * excess_alone, 0
        costs[index], origins[index] = cost + price, origin
    path = [len(origins) - 1]
    while path[-1]:
        path.append(origins[path[-1]])
    return path[::-1]


def exchange(fewer: list[int], more: list[int], shards: int) -> list[int]:
    """Return a path of exactly `shards` links, as good as these two, which cost the same at one price.

    Where a link of `fewer` spans one of `more` that is `shards - fewer` links further on, the paths can change over.
    """
    lead = shards - (len(fewer) - 1)
    meeting = next(index for index in range(1, len(fewer)) if fewer[index] >= more[index + lead])
    return more[: meeting + lead] + fewer[meeting:]


def add_cuts(cuts: list[int], row: Row) -> list[int]:
    """Return `cuts` with as many more as are missing: the largest shards are halved, which adds no excess.

    Where nothing can be halved, the last shards are empty.
    """
    shards = [(start - end, start, end) for start, end in pairwise(cuts)]
    heapify(shards)
    found = list(cuts)
    while shards and len(found) <= row.shards:
        _, start, end = shards[0]
        middle = find_middle(start, end, row)
        if middle is None:
            heappop(shards)
            continue
        found.append(middle)
        heapreplace(shards, (start - middle, start, middle))
        heappush(shards, (middle - end, middle, end))
    return sorted(found) + [cuts[-1]] * (row.shards + 1 - len(found))


def find_middle(start: int, end: int, row: Row) -> int | None:
    """Return the cut nearest to the middle of a shard, if it has one."""
    inner = [cut for cut in row.find_around((start + end) // 2, row.shards) if start < cut < end]
    return min(inner, key=lambda cut: abs(2 * cut - start - end), default=None)
