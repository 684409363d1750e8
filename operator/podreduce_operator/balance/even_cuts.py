"""Where to cut a row of bytes into shards of even size, if some parts of the row must stay whole.

Rule: pure. The row is the input, put end to end. Parts that must stay whole are called atoms. It minimises sum
|D_i - m| with m = D / shards. Because the D_i sum up to D, this is twice the excess: the sum of all bytes above m.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import pairwise

__all__ = ["choose_cuts", "imbalance_bytes"]

MAX_POSITIONS = 100_000
"""How many cuts the search looks at. This limits its time to about five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row, in units of 1/shards byte, so that the mean m is a whole number: the number of bytes in the row.

    Attributes:
        mean: m; the row's length is `shards` times `mean`.
        starts: where the atoms start, ascending.
        ends: where each atom ends (exclusive).
    """

    shards: int
    mean: int
    starts: Sequence[int]
    ends: Sequence[int]

    def find_around(self, position: int, grid: int) -> tuple[int, int]:
        """Return the nearest cuts at or before `position`, and at or after it. Cuts between atoms are on the `grid`."""
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
    """For each position except the first: the possible starts of a shard that ends there, as indexes of positions.

    Attributes:
        above: the nearest cut above position - m, which has no excess; -1 if it is the position itself.
        below: the nearest cut below position - m.
        excess: the excess of a shard that starts at `below`.
        excess_alone: the excess of one shard from the start of the row.
    """

    above: list[int]
    below: list[int]
    excess: list[int]
    excess_alone: list[int]


def choose_cuts(
    total_bytes: int, atoms: Sequence[tuple[int, int]], shards: int, *, max_positions: int = MAX_POSITIONS
) -> list[int]:
    """Return the shards + 1 cuts, from 0 to `total_bytes`; shard i is between cuts i and i + 1.

    The result is optimal without atoms, with only atoms (up to 100,000), and if there are few enough cuts at whole
    bytes to search. Otherwise the search ignores that cuts are at whole bytes, which costs at most one byte per shard.
    If that is too slow as well, each even cut moves to the nearer end of its atom, which costs at most these atoms.
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
    """Return sum |D_i - mean D| for the shards between these cuts."""
    shards, total = len(cuts) - 1, cuts[-1]
    return sum(abs((end - start) * shards - total) for start, end in pairwise(cuts)) / shards


def find_positions(row: Row, grid: int, max_positions: int) -> list[int] | None:
    """Return the cuts to consider, in ascending order; None if there are too many.

    Let E(p) be the least excess of the row up to p, with a price on each shard. A longer row never costs less, because
    its solution can be cut off. One byte more costs at most one byte, because the last shard can take it. So the best
    start of a shard that ends at p is one of three: the nearest cut above p - m, the nearest below, or the row's start.
    Cuts that cannot be reached in this way from the row's end are left out.
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
    """Return the links between `positions`, which come from `find_positions`."""
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
    """Return the cuts with the least excess for at most `row.shards` shards, none of them empty.

    The excess of a shard is a convex function of its length. So it has the Monge property, and the least excess is
    convex in the number of shards. A price on each shard therefore controls their number. Source: Aggarwal, Schieber,
    Tokuyama, "Finding a minimum-weight k-link path in graphs with the concave Monge property and applications" (1994).
    If every price gives too few or too many shards, two paths are combined as they describe. Prices are odd halves,
    between the slopes. A price above m gives a single shard, because another shard saves at most m.
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
    """Return the indexes of the cheapest cuts. The cost is twice the excess plus `price` for each shard."""
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
    """Return a path of exactly `shards` links, as good as `fewer` and `more`, which cost the same at one price.

    The paths can be joined at a link of `fewer` that spans a link of `more`, `shards - len(fewer links)` further on.
    """
    lead = shards - (len(fewer) - 1)
    meeting = next(index for index in range(1, len(fewer)) if fewer[index] >= more[index + lead])
    return more[: meeting + lead] + fewer[meeting:]


def add_cuts(cuts: list[int], row: Row) -> list[int]:
    """Add the missing cuts to `cuts` by halving the largest shards, which adds no excess.

    If nothing can be halved, the last shards are empty.
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
    """Return the cut nearest to the middle of a shard; None if there is none inside."""
    inner = [cut for cut in row.find_around((start + end) // 2, row.shards) if start < cut < end]
    return min(inner, key=lambda cut: abs(2 * cut - start - end), default=None)
