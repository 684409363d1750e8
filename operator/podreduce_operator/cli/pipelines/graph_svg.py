"""Draws a pipeline as SVG: steps as boxes in layers, loops as frames around their steps. Rule: pure.

A loop is laid out by itself first, with a point at its upper and lower edge for each step that the outside is connected
with. Outside it is one box, whose edges are attached at these points.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from podreduce.contract.texts import cut_middle
from podreduce_operator.cli.pipelines.graph import Edge, EdgeKind, GraphLoop, GraphStep, StepGraph, StepMark
from podreduce_operator.cli.pipelines.layout import Arrow, Layout, Point, Size, lay_out

__all__ = ["draw_svg"]

LINE = 17.0
NAME_CHARACTER, NOTE_CHARACTER = 7.6, 6.3
"""Widths at 13 and 11 pixels. They are generous, because fonts differ."""
MOST_CHARACTERS = 40
LEAST_WIDTH = 110.0
PADDING, TITLE, LANE, MARGIN = 18.0, 26.0, 14.0, 20.0
SAMPLE = 32.0
"""The width of a line in the legend, with the space beside it."""
NO_SIZE = Size(width=0.0, height=0.0)

FILLS: Mapping[StepMark, tuple[str, str]] = {
    StepMark.RUN: ("#eaf2fd", "#2f6fbf"),
    StepMark.REUSE: ("#f3f3f3", "#8a8a8a"),
    StepMark.RUNNING: ("#fff6dc", "#b98900"),
    StepMark.COMPLETE: ("#e6f5e9", "#2e8540"),
    StepMark.FAILED: ("#fde8e8", "#c0392b"),
    StepMark.NOT_REACHED: ("#ffffff", "#b5b5b5"),
}
"""The inside and the border of a step. The mark is also written, because not everybody sees the colours."""
PATH_COLOUR, EDGE_COLOUR, LOOP_COLOUR = "#d35400", "#6b7785", "#9aa5b1"
DASHES: Mapping[EdgeKind, str] = {EdgeKind.SIDE: "2 4", EdgeKind.AFTER: "8 4", EdgeKind.PREVIOUS: "5 4"}
LEGEND: Mapping[EdgeKind, str] = {
    EdgeKind.READS: "reads",
    EdgeKind.SIDE: "side input",
    EdgeKind.AFTER: "only after",
    EdgeKind.PREVIOUS: "of the iteration before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A loop that is laid out by itself.

    Attributes:
        entries, exits: the names of the points at its edges, by step.
        top: the space above its layout.
        title_left: where its title begins.
    """

    loop: GraphLoop
    layout: Layout
    size: Size
    entries: Mapping[str, str]
    exits: Mapping[str, str]
    top: float
    title_left: float

    def attach(self, point: str) -> float:
        """Return the place of a point, from the middle of the frame."""
        return PADDING + self.layout.boxes[point][0] - self.size.width / 2


def draw_svg(graph: StepGraph, title: str) -> str:
    """Return the picture of a pipeline as an SVG document."""
    sizes = {step.name: size_of(step) for step in graph.steps}
    frames = {loop.name: frame_loop(graph, loop, sizes) for loop in graph.loops}
    outer = lay_out_whole(graph, sizes, frames)
    width = max(outer.width + 2 * MARGIN, width_of_legend(graph) + MARGIN, len(title) * NAME_CHARACTER + 3 * MARGIN)
    height = TITLE + outer.height + 4 * LINE + 2 * MARGIN
    body = [
        text(MARGIN, MARGIN + 2, title, 14, weight="bold"),
        f'<g transform="translate({(width - outer.width) / 2:.1f} {MARGIN + TITLE:.1f})">',
        *draw_whole(graph, sizes, frames, outer),
        "</g>",
        *draw_legend(graph, height - 2 * LINE),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={quoteattr(describe(graph, title))} '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
    )
    background = f'<rect width="{width:.0f}" height="{height:.0f}" rx="6" fill="#ffffff"/>'
    return "\n".join([head, background, *body, "</svg>", ""])


def describe(graph: StepGraph, title: str) -> str:
    """Return the picture in words, for those who cannot see it."""
    edges = "; ".join(f"{edge.below} {edge.kind} {edge.above}" for edge in graph.edges)
    return f"{title}: {edges}" if edges else title


def lines_of(step: GraphStep) -> list[str]:
    """Return the lines below a step's name."""
    lines = [step.word or str(step.mark), *step.notes, *([] if step.output is None else [f"→ {step.output}"])]
    return [cut_middle(line, MOST_CHARACTERS) for line in lines]


def size_of(step: GraphStep) -> Size:
    """Return the size of a step's box."""
    lines = lines_of(step)
    width = max(len(step.name) * NAME_CHARACTER, *(len(line) * NOTE_CHARACTER for line in lines)) + 2 * 12
    return Size(width=max(width, LEAST_WIDTH), height=LINE * (len(lines) + 1) + 12)


def frame_loop(graph: StepGraph, loop: GraphLoop, sizes: Mapping[str, Size]) -> Frame:
    """Lay out the steps of a loop."""
    inside = set(loop.steps)
    entries = {
        edge.below: f">{edge.below}" for edge in graph.forward if edge.below in inside and edge.above not in inside
    }
    exits = {
        edge.above: f"{edge.above}>" for edge in graph.forward if edge.above in inside and edge.below not in inside
    }
    arrows = [
        *(Arrow(above=point, below=step) for step, point in entries.items()),
        *(arrow_of(edge) for edge in graph.forward if {edge.above, edge.below} <= inside),
        *(Arrow(above=step, below=point) for step, point in exits.items()),
    ]
    ports = dict.fromkeys([*entries.values(), *exits.values()], NO_SIZE)
    names = {**dict.fromkeys(entries.values(), NO_SIZE), **{name: sizes[name] for name in loop.steps}, **ports}
    layout = lay_out(names, arrows, first=list(entries.values()), last=list(exits.values()))
    lanes = sum(edge.kind is EdgeKind.PREVIOUS and edge.above in inside for edge in graph.edges)
    width = layout.width + 2 * PADDING + (LANE * (lanes + 1) if lanes else 0.0)
    title_width = max(map(len, title_of(loop))) * NOTE_CHARACTER + 2 * PADDING
    title_left = find_room([PADDING + layout.boxes[point][0] for point in exits.values()], width, title_width)
    top = 0.0 if entries else TITLE
    return Frame(
        loop=loop,
        layout=layout,
        size=Size(width=max(width, title_left + title_width), height=top + layout.height + strip_of(loop)),
        entries=entries,
        exits=exits,
        top=top,
        title_left=title_left + PADDING * 2 / 3,
    )


def title_of(loop: GraphLoop) -> list[str]:
    """Return the lines of a loop's title."""
    return [f"⟳ {loop.name}", *loop.notes]


def strip_of(loop: GraphLoop) -> float:
    """Return the height of the strip for a loop's title."""
    return LINE * len(title_of(loop)) + 8


def find_room(lines: Sequence[float], width: float, wanted: float) -> float:
    """Return where a title of this width is crossed by no upright line: left of the lines, between them, or right."""
    edges = [0.0, *sorted(lines), width]
    return next((left for left, right in pairwise(edges) if right - left >= wanted), edges[-2])


def arrow_of(edge: Edge) -> Arrow:
    """Return an edge for the layout."""
    return Arrow(above=edge.above, below=edge.below, key=str(edge.kind))


def lay_out_whole(graph: StepGraph, sizes: Mapping[str, Size], frames: Mapping[str, Frame]) -> Layout:
    """Lay out the pipeline with its loops as boxes."""
    boxes: dict[str, Size] = {}
    for step in graph.steps:
        loop = graph.loop_of(step.name)
        boxes.setdefault(
            step.name if loop is None else frame_name(loop),
            sizes[step.name] if loop is None else frames[loop.name].size,
        )
    return lay_out(boxes, [outer_arrow(graph, frames, edge) for edge in outer_edges(graph)])


def frame_name(loop: GraphLoop) -> str:
    """Return the name of a loop's box; no step has such a name."""
    return f"[{loop.name}]"


def outer_edges(graph: StepGraph) -> list[Edge]:
    """Return the edges that are not inside one loop."""
    return [
        edge
        for edge in graph.forward
        if graph.loop_of(edge.above) is None or graph.loop_of(edge.above) != graph.loop_of(edge.below)
    ]


def outer_arrow(graph: StepGraph, frames: Mapping[str, Frame], edge: Edge) -> Arrow:
    """Return an edge between steps as one between steps and frames."""
    above, below = graph.loop_of(edge.above), graph.loop_of(edge.below)
    return Arrow(
        above=edge.above if above is None else frame_name(above),
        below=edge.below if below is None else frame_name(below),
        key=f"{edge.above} {edge.below} {edge.kind}",
        leaves=None if above is None else frames[above.name].attach(frames[above.name].exits[edge.above]),
        enters=None if below is None else frames[below.name].attach(frames[below.name].entries[edge.below]),
    )


def draw_whole(
    graph: StepGraph, sizes: Mapping[str, Size], frames: Mapping[str, Frame], outer: Layout
) -> Iterator[str]:
    """Yield all loops, edges and steps."""
    for frame in frames.values():
        x, y = outer.boxes[frame_name(frame.loop)]
        left, top = x - frame.size.width / 2, y - frame.size.height / 2
        yield f'<g transform="translate({left:.1f} {top:.1f})">'
        yield from draw_frame(graph, sizes, frame)
        yield "</g>"
    for edge in sorted(outer_edges(graph), key=graph.is_on_path):
        arrow = outer_arrow(graph, frames, edge)
        is_entry = graph.loop_of(edge.below) is not None
        yield draw_way(outer.ways[arrow], edge.kind, is_on_path=graph.is_on_path(edge), has_head=not is_entry)
    for step in graph.steps:
        if graph.loop_of(step.name) is None:
            yield from draw_step(graph, step, sizes[step.name], outer.boxes[step.name])


def draw_frame(graph: StepGraph, sizes: Mapping[str, Size], frame: Frame) -> Iterator[str]:
    """Yield a loop and what is in it."""
    width, height = frame.size.width, frame.size.height
    yield (
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="10" fill="#fafbfc" stroke="{LOOP_COLOUR}" '
        'stroke-dasharray="6 4"/>'
    )
    for number, line in enumerate(reversed(title_of(frame.loop))):
        yield text(frame.title_left, height - 10 - LINE * number, line, 11, fill="#4a5561")
    yield f'<g transform="translate({PADDING:.1f} {frame.top:.1f})">'
    yield from draw_inside(graph, sizes, frame)
    yield "</g>"


def draw_inside(graph: StepGraph, sizes: Mapping[str, Size], frame: Frame) -> Iterator[str]:
    """Yield the edges and steps of a loop, from the upper left corner of its layout."""
    layout, inside = frame.layout, frame.loop.steps
    kinds = {(edge.above, edge.below, str(edge.kind)): edge for edge in graph.edges}
    for arrow, way in layout.ways.items():
        edge = kinds.get((arrow.above, arrow.below, arrow.key))
        if edge is not None:
            yield draw_way(way, edge.kind, is_on_path=graph.is_on_path(edge))
            continue
        enters = arrow.above in frame.entries.values()
        outside = (
            [each for each in outer_edges(graph) if arrow.below == each.below]
            if enters
            else [each for each in outer_edges(graph) if arrow.above == each.above]
        )
        points = way if enters else [*way, (way[-1][0], layout.height + strip_of(frame.loop))]
        kind = outside[0].kind if len({each.kind for each in outside}) == 1 else EdgeKind.READS
        yield draw_way(points, kind, is_on_path=any(map(graph.is_on_path, outside)), has_head=enters)
    back = [edge for edge in graph.edges if edge.kind is EdgeKind.PREVIOUS and edge.below in inside]
    for number, edge in enumerate(back):
        lane = layout.width + LANE * (number + 0.6)
        yield draw_back(edge, sizes, layout, lane)
    for step in graph.steps:
        if step.name in inside:
            yield from draw_step(graph, step, sizes[step.name], layout.boxes[step.name])


def draw_step(graph: StepGraph, step: GraphStep, size: Size, middle: Point) -> Iterator[str]:
    """Yield a step's box and its lines."""
    fill, stroke = FILLS[step.mark]
    is_on_path = step.name in graph.path
    left, top = middle[0] - size.width / 2, middle[1] - size.height / 2
    border = f'stroke="{PATH_COLOUR}" stroke-width="2.5"' if is_on_path else f'stroke="{stroke}" stroke-width="1.2"'
    dash = ' stroke-dasharray="4 3"' if step.mark in {StepMark.REUSE, StepMark.NOT_REACHED} and not is_on_path else ""
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{size.width:.1f}" height="{size.height:.1f}" rx="6" '
        f'fill="{fill}" {border}{dash}/>'
    )
    yield text(middle[0], top + LINE + 2, step.name, 13, weight="bold", anchor="middle")
    for number, line in enumerate(lines_of(step), 2):
        colour = stroke if number == 2 else "#4a5561"  # noqa: PLR2004 - the first line says the state
        yield text(middle[0], top + LINE * number + 2, line, 11, fill=colour, anchor="middle")


def draw_way(way: Sequence[Point], kind: EdgeKind, *, is_on_path: bool, has_head: bool = True) -> str:
    """Return an edge along its points. It leaves and enters upright."""
    end = (way[-1][0], way[-1][1] - (7 if has_head else 0))
    points = [*way[:-1], end]
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        parts.append(
            f"L{x1:.1f} {y1:.1f}" if x0 == x1 else f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
        )
    return draw_line(" ".join(parts), kind, way[-1] if has_head else None, is_on_path=is_on_path)


def draw_back(edge: Edge, sizes: Mapping[str, Size], layout: Layout, lane: float) -> str:
    """Return an edge to the iteration before: round the steps of its loop, beside them on the right."""
    (x0, y0), (x1, y1) = layout.boxes[edge.above], layout.boxes[edge.below]
    above, below = sizes[edge.above], sizes[edge.below]
    start, end = x0 + above.width / 2 - 16, x1 + below.width / 2 - 16
    bottom, top = y0 + above.height / 2, y1 - below.height / 2
    turn = 12.0
    path = (
        f"M{start:.1f} {bottom:.1f} V{bottom + turn - 6:.1f} Q{start:.1f} {bottom + turn:.1f} {start + 6:.1f} "
        f"{bottom + turn:.1f} H{lane - 6:.1f} Q{lane:.1f} {bottom + turn:.1f} {lane:.1f} {bottom + turn - 6:.1f} "
        f"V{top - turn - 2:.1f} Q{lane:.1f} {top - turn - 8:.1f} {lane - 6:.1f} {top - turn - 8:.1f} H{end + 6:.1f} "
        f"Q{end:.1f} {top - turn - 8:.1f} {end:.1f} {top - turn - 2:.1f} V{top - 7:.1f}"
    )
    return draw_line(path, EdgeKind.PREVIOUS, (end, top), is_on_path=False)


def draw_line(path: str, kind: EdgeKind, head: Point | None, *, is_on_path: bool) -> str:
    """Return a line, with an arrow's head that points down to `head`."""
    colour, width = (PATH_COLOUR, 2.5) if is_on_path else (EDGE_COLOUR, 1.3)
    dash = f' stroke-dasharray="{DASHES[kind]}"' if kind in DASHES else ""
    line = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'
    if head is None:
        return line
    x, y = head
    return f'{line}<path d="M{x - 4:.1f} {y - 8:.1f} L{x + 4:.1f} {y - 8:.1f} L{x:.1f} {y:.1f} Z" fill="{colour}"/>'


def legend_of(graph: StepGraph) -> Iterator[tuple[str, EdgeKind, bool, float]]:
    """Yield the words for each kind of line that occurs, the line, whether it is of the longest way, and its place."""
    x = MARGIN
    kinds = [(LEGEND[kind], kind, False) for kind in EdgeKind if any(edge.kind is kind for edge in graph.edges)]
    for words, kind, is_on_path in [*kinds, *([("longest way", EdgeKind.READS, True)] if graph.path else [])]:
        yield words, kind, is_on_path, x
        x += SAMPLE + len(words) * NOTE_CHARACTER + MARGIN


def width_of_legend(graph: StepGraph) -> float:
    """Return how wide the legend is."""
    return max((x + SAMPLE + len(words) * NOTE_CHARACTER for words, _, _, x in legend_of(graph)), default=0.0)


def draw_legend(graph: StepGraph, y: float) -> Iterator[str]:
    """Yield what the lines mean, below the picture."""
    for words, kind, is_on_path, x in legend_of(graph):
        yield draw_line(f"M{x:.1f} {y - 4:.1f} H{x + SAMPLE - 6:.1f}", kind, None, is_on_path=is_on_path)
        yield text(x + SAMPLE, y, words, 11, fill="#4a5561")


def text(
    x: float, y: float, words: str, size: int, *, fill: str = "#1d2733", weight: str = "", anchor: str = ""
) -> str:
    """Return a line of text."""
    more = "".join(f' {name}="{value}"' for name, value in (("font-weight", weight), ("text-anchor", anchor)) if value)
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{more}>{escape(words)}</text>'
