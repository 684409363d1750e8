"""A pipeline as a graph to draw: its steps, what each waits for, its loops, and the longest way. Rule: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from podreduce.contract.texts import render_count
from podreduce_operator.api.pipeline_spec import LoopSpec, PipelineSpec, StepSpec

__all__ = ["Edge", "EdgeKind", "GraphLoop", "GraphStep", "Known", "StepGraph", "StepMark", "build_graph"]


class StepMark(StrEnum):
    """What has become of a step, or would."""

    RUN = "run"
    REUSE = "reuse"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    NOT_REACHED = "not reached"


class EdgeKind(StrEnum):
    """Why a step waits for another: it reads its records, has them as a side input, or only runs after it.

    `PREVIOUS`: it reads what the other one wrote in the iteration before.
    """

    READS = "reads"
    SIDE = "side input"
    AFTER = "only after"
    PREVIOUS = "iteration before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A step that waits for another one."""

    above: str
    below: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStep:
    """A step. `notes`: more lines about it; `output`: the URI of its result, if it has one.

    `word`: what stands for the mark, if the step has a state of a run.
    """

    name: str
    mark: StepMark = StepMark.RUN
    word: str = ""
    notes: Sequence[str] = ()
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLoop:
    """A loop. `notes`: its limit, and where it stands."""

    name: str
    steps: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepGraph:
    """A pipeline. `path`: the steps of the longest way, in order."""

    steps: Sequence[GraphStep]
    edges: Sequence[Edge]
    loops: Sequence[GraphLoop] = ()
    path: Sequence[str] = ()

    @property
    def forward(self) -> list[Edge]:
        """The edges that go down: all but those to the iteration before."""
        return [edge for edge in self.edges if edge.kind is not EdgeKind.PREVIOUS]

    def is_on_path(self, edge: Edge) -> bool:
        """Tell whether an edge is part of the longest way."""
        return (edge.above, edge.below) in set(pairwise(self.path))

    def loop_of(self, step: str) -> GraphLoop | None:
        """Return the loop of a step."""
        return next((loop for loop in self.loops if step in loop.steps), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a pipeline beside its spec: by step, and of its loops how many iterations there were.

    `words`: the states of the steps. `ends`: how the loops have ended.
    """

    marks: Mapping[str, StepMark] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    iterations: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, Sequence[str]] = field(default_factory=dict)
    path: Sequence[str] = ()


def build_graph(spec: PipelineSpec, known: Known) -> StepGraph:
    """Return the graph of a pipeline whose parameters are in place."""
    return StepGraph(
        steps=[
            GraphStep(
                name=step.name,
                mark=known.marks.get(step.name, StepMark.RUN),
                word=known.words.get(step.name, ""),
                notes=known.notes.get(step.name, ()),
                output=step.output.uri,
            )
            for step in spec.steps
        ],
        edges=[edge for step in spec.steps for edge in iter_edges(step)],
        loops=[
            GraphLoop(
                name=loop.name,
                steps=loop.steps,
                notes=[*notes_of(loop, known.iterations.get(loop.name, 0)), *known.ends.get(loop.name, ())],
            )
            for loop in spec.loops
        ],
        path=tuple(dict.fromkeys(known.path)),
    )


def iter_edges(step: StepSpec) -> Iterator[Edge]:
    """Yield what a step waits for, each step and kind once; of a step that it reads, not that it runs after it too."""
    found: dict[tuple[str, bool], EdgeKind] = {}
    for inputs, kind in ((step.inputs, EdgeKind.READS), (step.side_inputs, EdgeKind.SIDE)):
        for each in inputs:
            if each.previous is not None:
                found.setdefault((each.previous, True), EdgeKind.PREVIOUS)
            first = None if each.first is None else each.first.from_
            for name in (each.from_, first):
                if name is not None:
                    found.setdefault((name, False), kind)
    for name in step.depends_on:
        found.setdefault((name, False), EdgeKind.AFTER)
    for (name, _), kind in found.items():
        yield Edge(above=name, below=step.name, kind=kind)


def notes_of(loop: LoopSpec, iterations: int) -> list[str]:
    """Return `at most 30 times` and `12 so far`."""
    often = render_count(loop.max_iterations, "time")
    often = f"at most {often}" if loop.until else often
    return [often, *([f"{iterations} so far"] if iterations else [])]
