"""The picture of a pipeline, read back as XML: every step and loop in its place, and the words that it needs."""

import random
import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from podreduce_operator.cli.pipelines.graph import (
    Edge,
    EdgeKind,
    GraphLoop,
    GraphStep,
    Known,
    StepGraph,
    StepMark,
    build_graph,
)
from podreduce_operator.cli.pipelines.graph_svg import DASHES, PATH_COLOUR, draw_svg
from tests.support.builders.pipelines import PAGERANK, make_pipeline

SVG = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float
    dash: str

    def holds(self, other: "Box") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Drawn:
    """What a picture shows, with its places from the upper left corner."""

    def __init__(self, graph: StepGraph, title: str = "title") -> None:
        self.text = draw_svg(graph, title)
        self.root = ET.fromstring(self.text)  # noqa: S314 - our own
        self.boxes: list[Box] = []
        self.texts: dict[str, tuple[float, float]] = {}
        self.said: list[str] = []
        self.paths: list[ET.Element] = []
        self.walk(self.root, 0.0, 0.0)
        self.page, *self.boxes = self.boxes

    def walk(self, element: ET.Element, x: float, y: float) -> None:
        moved = re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        place = x + float(element.get("x", 0)), y + float(element.get("y", 0))
        if element.tag == f"{SVG}rect":
            width, height = float(element.attrib["width"]), float(element.attrib["height"])
            self.boxes.append(Box(*place, place[0] + width, place[1] + height, element.get("stroke-dasharray", "")))
        if element.tag == f"{SVG}text":
            self.said.append(element.text or "")
            self.texts.setdefault(element.text or "", place)
        if element.tag == f"{SVG}path" and element.get("fill") == "none":
            self.paths.append(element)
        for child in element:
            self.walk(child, x, y)

    def box_of(self, name: str) -> Box:
        """The smallest box around a text."""
        x, y = self.texts[name]
        around = [box for box in self.boxes if box.left <= x <= box.right and box.top <= y <= box.bottom]
        return min(around, key=lambda box: (box.right - box.left) * (box.bottom - box.top))


def draw_graph(seed: int) -> StepGraph:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    steps = [
        GraphStep(
            name=f"step-{number:02}",
            mark=chance.choice(list(StepMark)),
            notes=["reads 3 MiB"] * chance.randrange(2),
            output=chance.choice([None, None, "s3://bucket/a/long/way/to/what/is/written/in/the/end/"]),
        )
        for number in range(chance.choice([1, 4, 12, 25]))
    ]
    names = [step.name for step in steps]
    edges = [
        Edge(above=above, below=below, kind=chance.choice([EdgeKind.READS, EdgeKind.SIDE, EdgeKind.AFTER]))
        for number, below in enumerate(names[1:], 1)
        for above in sorted({chance.choice(names[max(0, number - 8) : number]) for _ in range(chance.randrange(4))})
    ]
    loops, first = [], 1
    while first + 3 < len(names) and len(loops) < 3:
        inside = names[first : first + chance.randrange(1, 4)]
        edges.append(Edge(above=inside[-1], below=chance.choice(inside), kind=EdgeKind.PREVIOUS))
        loops.append(GraphLoop(name=f"loop-{len(loops)}", steps=inside, notes=["at most 30 times", "7 so far"]))
        first += len(inside) + chance.randrange(3)
    return StepGraph(steps=steps, edges=edges, loops=loops, path=[name for name in names if chance.random() < 0.3])


@pytest.mark.parametrize("seed", range(30))
def test_each_step_is_drawn_once_and_a_loop_holds_its_own_steps_alone(seed: int) -> None:
    graph = draw_graph(seed)
    drawn = Drawn(graph)
    boxes = {step.name: drawn.box_of(step.name) for step in graph.steps}
    assert all(drawn.said.count(step.name) == 1 for step in graph.steps)
    assert len(drawn.boxes) == len(graph.steps) + len(graph.loops)
    assert all(drawn.page.holds(box) for box in drawn.boxes)
    assert not any(one.meets(other) for one, other in combinations(boxes.values(), 2))
    for loop in graph.loops:
        frame = drawn.box_of(f"⟳ {loop.name}")
        assert {name for name, box in boxes.items() if frame.holds(box)} == set(loop.steps)
        assert not any(frame.meets(box) for name, box in boxes.items() if name not in loop.steps)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_that_is_written_runs_over_its_box_or_the_page(seed: int) -> None:
    """By the width of a letter in a usual sans serif, which is 0.52 of its height on average."""
    graph = draw_graph(seed)
    drawn = Drawn(graph)
    for element in drawn.root.iter(f"{SVG}text"):
        words, (x, _) = element.text or "", drawn.texts[element.text or ""]
        width = len(words) * float(element.attrib["font-size"]) * 0.52
        left = x - width / 2 if element.get("text-anchor") == "middle" else x
        assert drawn.page.left <= left
        assert left + width <= drawn.page.right, words


def test_pagerank_is_drawn_as_it_is_written() -> None:
    graph = build_graph(make_pipeline(PAGERANK).spec, Known(marks={"seed": StepMark.REUSE}, iterations={"rank": 4}))
    assert {(edge.above, edge.below, edge.kind) for edge in graph.edges} == {
        ("seed", "spread", EdgeKind.READS),
        ("sum", "spread", EdgeKind.PREVIOUS),
        ("spread", "sum", EdgeKind.READS),
        ("sum", "top", EdgeKind.READS),
    }
    drawn = Drawn(graph, "pagerank")
    assert {"pagerank", "⟳ rank", "at most 30 times", "4 so far", "reuse", "→ s3://web/top"} <= set(drawn.said)
    assert drawn.said.count("run") == 3
    assert "longest way" not in drawn.said


def test_the_longest_way_and_each_kind_of_edge_can_be_told_apart() -> None:
    kinds = {kind: Edge(above="a", below=f"to-{number}", kind=kind) for number, kind in enumerate(EdgeKind)}
    forward = [edge for kind, edge in kinds.items() if kind is not EdgeKind.PREVIOUS]
    steps = [GraphStep(name=name) for name in ("a", *(edge.below for edge in forward))]
    graph = StepGraph(steps=steps, edges=forward, path=["a", "to-0"])
    drawn = Drawn(graph)
    dashes = [path.get("stroke-dasharray") for path in drawn.paths]
    assert {None, DASHES[EdgeKind.SIDE], DASHES[EdgeKind.AFTER]} == set(dashes)
    assert sum(path.get("stroke") == PATH_COLOUR for path in drawn.paths) == 2, "the edge, and the legend"
    assert {"reads", "side input", "only after", "longest way"} <= set(drawn.said)


def test_a_step_that_is_waited_for_twice_has_one_edge_by_what_is_read() -> None:
    steps = [
        {"name": "a", "inputs": [{"uris": ["s3://in/"]}]},
        {
            "name": "b",
            "inputs": [{"from": "a"}],
            "sideInputs": [{"name": "again", "from": "a"}],
            "dependsOn": ["a"],
        },
        {"name": "c", "inputs": [{"uris": ["s3://in/"]}], "sideInputs": [{"from": "a"}], "dependsOn": ["b"]},
    ]
    graph = build_graph(make_pipeline({"program": {"module": "m"}, "steps": steps}).spec, Known())
    assert [(edge.above, edge.below, edge.kind) for edge in graph.edges] == [
        ("a", "b", EdgeKind.READS),
        ("a", "c", EdgeKind.SIDE),
        ("b", "c", EdgeKind.AFTER),
    ]


def test_signs_of_xml_are_written_so_that_they_are_read_back() -> None:
    graph = StepGraph(steps=[GraphStep(name="a", output='s3://b/<&">/')], edges=[])
    drawn = Drawn(graph, "<&>")
    assert {'→ s3://b/<&">/', "<&>"} <= set(drawn.said)
    assert drawn.root.get("aria-label") == "<&>"
