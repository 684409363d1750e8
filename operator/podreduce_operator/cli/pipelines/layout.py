"""Places the boxes of a graph in layers, so that edges go down and pass no box. Rule: pure; lengths are in pixels.

The steps are those of Sugiyama, Tagawa, Toda: "Methods for visual understanding of hierarchical system structures",
IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981. Layers: a box is one below the lowest box that it waits
for; an edge that passes layers has a point in each of them. Order: sweeps down and up sort each layer by the mean place
of the neighbours, and the order with the fewest crossings is kept. Places: each layer is put as near to its neighbours
as the distances between boxes allow.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

__all__ = ["Arrow", "Layout", "Point", "Size", "lay_out"]

SWEEPS = 12
GAP = 44.0
"""Between two layers."""
SPACE = 22.0
"""Between two boxes of a layer."""
POINT_SPACE = 12.0
"""Between a point of an edge and what is beside it."""
STRAIGHTNESS = 4.0
"""How many times as much as a box a point of a long edge wants to be at its place."""
ATTACH = 14.0
"""Between the ends of two edges at one box, at most."""

Point = tuple[float, float]
Cell = str | tuple["Arrow", int]
"""A box, or the point of an edge in a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of a box."""

    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An edge between two boxes.

    Attributes:
        key: tells it from others between the same boxes.
        leaves, enters: where it is attached, from the middle of the box; None: wherever there is room.
    """

    above: str
    below: str
    key: str = ""
    leaves: float | None = None
    enters: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything is. `boxes` has the middle of each box, `ways` the points of each edge from its start on."""

    boxes: Mapping[str, Point]
    ways: Mapping[Arrow, Sequence[Point]]
    width: float
    height: float


def lay_out(
    sizes: Mapping[str, Size], arrows: Sequence[Arrow], *, first: Sequence[str] = (), last: Sequence[str] = ()
) -> Layout:
    """Return where the boxes and the edges are.

    Args:
        sizes: of the boxes, in an order in which each comes before those below it.
        arrows: the edges.
        first: boxes that are in the first layer.
        last: boxes that are in the last layer, below all others.
    """
    layers = assign_layers(list(sizes), arrows, first, last)
    drawing = Drawing(sizes=sizes, arrows=arrows, layers=layers)
    drawing.sort()
    drawing.place()
    return drawing.finish()


def assign_layers(
    names: Sequence[str], arrows: Sequence[Arrow], first: Sequence[str], last: Sequence[str]
) -> dict[str, int]:
    """Return the layer of each box: one below what it waits for; above its first reader, if it waits for nothing."""
    above, below = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for arrow in arrows:
        above[arrow.below].append(arrow.above)
        below[arrow.above].append(arrow.below)
    layers: dict[str, int] = {}
    start = 1 if first else 0
    for name in names:
        layers[name] = 0 if name in first else max((layers[each] + 1 for each in above[name]), default=start)
    for name in names:
        if name not in first and not above[name] and below[name]:
            layers[name] = min(layers[each] for each in below[name]) - 1
    if last:
        bottom = max(layers[name] for name in names if name not in last) + 1
        layers |= dict.fromkeys(last, bottom)
    return layers


@dataclass(slots=True, kw_only=True)
class Drawing:
    """A graph while it is laid out.

    Attributes:
        rows: the cells of each layer, from left to right.
        up, down: the cells that each cell is connected with, in the layer above and below.
        x: the middle of each cell.
    """

    sizes: Mapping[str, Size]
    arrows: Sequence[Arrow]
    layers: Mapping[str, int]
    rows: list[list[Cell]] = field(default_factory=list)
    up: dict[Cell, list[tuple[Cell, float]]] = field(default_factory=lambda: defaultdict(list))
    down: dict[Cell, list[tuple[Cell, float]]] = field(default_factory=lambda: defaultdict(list))
    x: dict[Cell, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the boxes and the points of long edges into rows."""
        self.rows = [[] for _ in range(max(self.layers.values(), default=-1) + 1)]
        for name, layer in self.layers.items():
            self.rows[layer].append(name)
        for arrow in self.arrows:
            cells = list(self.cells_of(arrow))
            for cell in cells[1:-1]:
                if isinstance(cell, tuple):
                    self.rows[cell[1]].append(cell)
            for number, (upper, lower) in enumerate(pairwise(cells)):
                leaves = (arrow.leaves or 0.0) if number == 0 else 0.0
                enters = (arrow.enters or 0.0) if number == len(cells) - 2 else 0.0
                self.down[upper].append((lower, enters - leaves))
                self.up[lower].append((upper, leaves - enters))

    def cells_of(self, arrow: Arrow) -> Iterator[Cell]:
        """Yield the cells that an edge passes, from the box above to the box below."""
        yield arrow.above
        yield from ((arrow, layer) for layer in range(self.layers[arrow.above] + 1, self.layers[arrow.below]))
        yield arrow.below

    def sort(self) -> None:
        """Find an order of each row with few crossings."""
        best, fewest = [list(row) for row in self.rows], self.count_crossings()
        for sweep in range(SWEEPS):
            self.sweep(downwards=sweep % 2 == 0)
            crossings = self.count_crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def sweep(self, *, downwards: bool) -> None:
        """Sort each row by the mean place of the neighbours in the row before."""
        near = self.up if downwards else self.down
        places = {cell: float(place) for row in self.rows for place, cell in enumerate(row)}
        for row in self.rows if downwards else reversed(self.rows):
            keys = {}
            for place, cell in enumerate(row):
                found = [places[each] + offset / 1000 for each, offset in near[cell]]
                keys[cell] = sum(found) / len(found) if found else float(place)
            row.sort(key=lambda cell: keys[cell])
            places |= {cell: float(place) for place, cell in enumerate(row)}

    def count_crossings(self) -> int:
        """Return how many pairs of edges cross."""
        crossings = 0
        for upper, lower in pairwise(self.rows):
            places = {cell: place for place, cell in enumerate(lower)}
            seen: list[int] = []
            for cell in upper:
                ends = sorted(places[each] for each, _ in self.down[cell])
                crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return crossings

    def place(self) -> None:
        """Give each cell its place in its row."""
        for row in self.rows:
            self.settle(row, dict.fromkeys(row, 0.0))
        for sweep in range(SWEEPS):
            near = self.up if sweep % 2 == 0 else self.down
            for row in self.rows if sweep % 2 == 0 else reversed(self.rows):
                self.settle(row, {cell: self.wish(cell, near) for cell in row})

    def wish(self, cell: Cell, near: Mapping[Cell, Sequence[tuple[Cell, float]]]) -> float:
        """Return where a cell wants to be: at the mean of its neighbours, or else where it is."""
        found = [self.x[each] + offset for each, offset in near.get(cell, ())]
        return sum(found) / len(found) if found else self.x[cell]

    def settle(self, row: Sequence[Cell], wishes: Mapping[Cell, float]) -> None:
        """Put the cells of a row as near to their wishes as the distances allow, by least squares.

        With the distances taken off, this is isotonic regression: neighbours out of order share their mean place.
        """
        starts = list(accumulate((self.distance(*two) for two in pairwise(row)), initial=0.0))[: len(row)]
        blocks: list[tuple[float, float, int]] = []
        for cell, offset in zip(row, starts, strict=True):
            weight = 1.0 if isinstance(cell, str) else STRAIGHTNESS
            blocks.append((wishes[cell] - offset, weight, 1))
            while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
                blocks[-2:] = [join(blocks[-2], blocks[-1])]
        places = [mean for mean, _, count in blocks for _ in range(count)]
        self.x |= {cell: place + offset for cell, place, offset in zip(row, places, starts, strict=True)}

    def distance(self, left: Cell, right: Cell) -> float:
        """Return how far apart the middles of two neighbours are at least."""
        space = SPACE if isinstance(left, str) and isinstance(right, str) else POINT_SPACE
        return (self.width_of(left) + self.width_of(right)) / 2 + space

    def width_of(self, cell: Cell) -> float:
        """Return the width of a box; a point has none."""
        return self.sizes[cell].width if isinstance(cell, str) else 0.0

    def finish(self) -> Layout:
        """Return the layout, with its left and upper edges at 0."""
        left = min((self.x[cell] - self.width_of(cell) / 2 for cell in self.x), default=0.0)
        right = max((self.x[cell] + self.width_of(cell) / 2 for cell in self.x), default=0.0)
        self.x = {cell: x - left for cell, x in self.x.items()}
        bands = list(self.bands())
        boxes = {name: (self.x[name], sum(bands[layer]) / 2) for name, layer in self.layers.items()}
        ends = self.attach()
        ways = {arrow: list(self.way_of(arrow, bands, boxes, ends[arrow])) for arrow in self.arrows}
        return Layout(boxes=boxes, ways=ways, width=right - left, height=bands[-1][1] if bands else 0.0)

    def bands(self) -> Iterator[tuple[float, float]]:
        """Yield the top and the bottom of each layer."""
        top = 0.0
        for row in self.rows:
            bottom = top + max((self.sizes[cell].height for cell in row if isinstance(cell, str)), default=0.0)
            yield top, bottom
            top = bottom + GAP

    def way_of(
        self,
        arrow: Arrow,
        bands: Sequence[tuple[float, float]],
        boxes: Mapping[str, Point],
        ends: tuple[float, float],
    ) -> Iterator[Point]:
        """Yield the points of an edge. Within a layer it is upright, because there are boxes beside it."""
        (above, top), (below, bottom) = boxes[arrow.above], boxes[arrow.below]
        start, end = above + ends[0], below + ends[1]
        yield start, top + self.sizes[arrow.above].height / 2
        yield start, bands[self.layers[arrow.above]][1]
        for cell in self.cells_of(arrow):
            if isinstance(cell, tuple):
                yield from ((self.x[cell], edge) for edge in bands[cell[1]])
        yield end, bands[self.layers[arrow.below]][0]
        yield end, bottom - self.sizes[arrow.below].height / 2

    def attach(self) -> dict[Arrow, tuple[float, float]]:
        """Return where each edge leaves and enters, from the middles of its boxes: beside each other, not crossing."""
        leaves, enters = defaultdict[str, list[Arrow]](list), defaultdict[str, list[Arrow]](list)
        for arrow in self.arrows:
            leaves[arrow.above].append(arrow)
            enters[arrow.below].append(arrow)
        starts = self.spread(leaves, 1, {arrow: arrow.leaves for arrow in self.arrows})
        ends = self.spread(enters, -2, {arrow: arrow.enters for arrow in self.arrows})
        return {arrow: (starts[arrow], ends[arrow]) for arrow in self.arrows}

    def spread(
        self, by_box: Mapping[str, Sequence[Arrow]], towards: int, fixed: Mapping[Arrow, float | None]
    ) -> dict[Arrow, float]:
        """Return the place of each edge at its box, in the order of the cells that the edges come from or go to."""
        found: dict[Arrow, float] = {}
        for box, arrows in by_box.items():
            free = sorted(arrows, key=lambda arrow: self.x[list(self.cells_of(arrow))[towards]])
            step = min(ATTACH, self.sizes[box].width / (len(free) + 1))
            for number, arrow in enumerate(free):
                given = fixed[arrow]
                found[arrow] = (number - (len(free) - 1) / 2) * step if given is None else given
        return found


def join(one: tuple[float, float, int], other: tuple[float, float, int]) -> tuple[float, float, int]:
    """Return two blocks as one: their mean place by weight, their weight, and how many cells they have."""
    weight = one[1] + other[1]
    return (one[0] * one[1] + other[0] * other[1]) / weight, weight, one[2] + other[2]
