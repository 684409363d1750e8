"""The drawing beside a list of steps says exactly what waits for what: the tests read it back."""

import random
from collections.abc import Sequence

import pytest

from podreduce_operator.cli.pipelines.graph import Edge, EdgeKind, GraphLoop, GraphStep, StepGraph, StepMark
from podreduce_operator.cli.pipelines.graph_lines import JOINS, MARKS, Row, draw_list, draw_rows


def make_graph(edges: str, loops: Sequence[GraphLoop] = ()) -> StepGraph:
    """A graph of the edges in a text such as `a>b a>c`; its steps are in the order of the alphabet."""
    pairs = [pair.split(">") for pair in edges.split()]
    names = sorted({name for pair in pairs for name in pair})
    return StepGraph(
        steps=[GraphStep(name=name) for name in names],
        edges=[Edge(above=above, below=below, kind=EdgeKind.READS) for above, below in pairs],
        loops=loops,
    )


def draw_graph(seed: int) -> StepGraph:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    names = [f"s{number:02}" for number in range(chance.choice([1, 2, 5, 20, 64]))]
    reach = chance.choice([1, 3, 64])
    edges = [
        Edge(above=above, below=below, kind=chance.choice(list(EdgeKind)[:3]))
        for number, below in enumerate(names)
        for above in sorted(
            {chance.choice(names[max(0, number - reach) : number]) for _ in range(chance.randrange(4))}
            if number
            else set()
        )
    ]
    return StepGraph(steps=[GraphStep(name=name, mark=chance.choice(list(StepMark))) for name in names], edges=edges)


def read_back(rows: dict[str, Row]) -> set[tuple[str, str]]:
    """The edges that a drawing shows."""
    found, owners = set[tuple[str, str]](), dict[int, str]()
    for name, row in rows.items():
        cells, between = row.line[::2], row.line[1::2]
        (own,) = [lane for lane, sign in enumerate(cells) if sign in MARKS.values()]
        joined = [lane for lane, sign in enumerate(cells) if sign in JOINS.values()]
        reached = range(min([own, *joined]), max([own, *joined]))
        assert all((between[lane] == "─") == (lane in reached) for lane in range(len(between))), (
            "one line, without a gap"
        )
        found |= {(owners[lane], name) for lane in joined}
        if own in owners:
            found.add((owners.pop(own), name))
        for lane, sign in enumerate(row.further[::2]):
            if sign == " ":
                owners.pop(lane, None)
            elif lane == own:
                owners[lane] = name
            assert (sign == "│") == (lane in owners), "a lane goes straight down"
    return found


@pytest.mark.parametrize("seed", range(60))
def test_what_is_drawn_is_read_back_as_the_graph(seed: int) -> None:
    graph = draw_graph(seed)
    rows = draw_rows(graph)
    assert list(rows) == [step.name for step in graph.steps]
    assert len({len(row.line) for row in rows.values()} | {len(row.further) for row in rows.values()}) == 1
    assert read_back(rows) == {(edge.above, edge.below) for edge in graph.forward}


@pytest.mark.parametrize("seed", range(20))
def test_what_stands_below_a_step_and_does_not_read_it_is_not_joined_with_it(seed: int) -> None:
    graph = draw_graph(seed)
    rows, edges = draw_rows(graph), {(edge.above, edge.below) for edge in graph.forward}
    for one, other in zip(list(rows), list(rows)[1:], strict=False):
        above, below = (
            next(lane for lane, sign in enumerate(rows[name].line[::2]) if sign in MARKS.values())
            for name in (one, other)
        )
        assert above != below or (one, other) in edges


@pytest.mark.parametrize(
    ("edges", "lines"),
    [
        ("a>b b>c", ["●", "●", "●"]),
        ("a>b a>c b>d c>d", ["●", "├─●", "● │", "●─╯"]),
        ("a>b a>c a>e b>d c>d", ["●", "├─●", "├─│─●", "│ ●─╯", "●"]),
        ("a>c b>c", ["●", "│ ●", "●─╯"]),
    ],
)
def test_small_graphs_look_as_one_would_draw_them(edges: str, lines: list[str]) -> None:
    assert [row.line.rstrip() for row in draw_rows(make_graph(edges)).values()] == lines


def test_each_state_has_a_mark_of_its_own() -> None:
    assert set(MARKS) == set(StepMark)
    assert len(set(MARKS.values())) == len(MARKS)
    assert not set(MARKS.values()) & {*JOINS.values(), "│", "─", " "}


def test_a_loop_has_a_bracket() -> None:
    loops = [GraphLoop(name="one", steps=["b", "c", "d"], notes=[]), GraphLoop(name="two", steps=["e"], notes=[])]
    rows = draw_rows(make_graph("a>b b>c c>d d>e e>f", loops=loops))
    assert [row.line[:2] for row in rows.values()] == ["  ", "╭ ", "│ ", "╰ ", "⟳ ", "  "]
    assert [row.further[:2] for row in rows.values()] == ["  ", "│ ", "│ ", "  ", "  ", "  "]


TOLD = {"a": ("clean", "reuse", "nothing that it depends on has changed"), "b": ("b", "run", "it has not run yet")}


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_a_list_keeps_its_columns_and_its_lanes_at_any_width(width: int) -> None:
    lines = list(draw_list(draw_rows(make_graph("a>b")), TOLD, width))
    assert max(map(len, lines)) <= width
    words = " ".join(line.lstrip("●│ ") for line in lines).replace(":", " ").split()
    assert words == [word for columns in TOLD.values() for word in " ".join(columns).split()]
    assert [line[0] for line in lines if line[0] != " "] == ["●", *"│" * (len(lines) - 2), "●"]


def test_a_wide_list_has_a_line_for_each_step() -> None:
    assert list(draw_list(draw_rows(make_graph("a>b")), TOLD, 80)) == [
        "● clean  reuse  nothing that it depends on has changed",
        "● b      run    it has not run yet",
    ]
