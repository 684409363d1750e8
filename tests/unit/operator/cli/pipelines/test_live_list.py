"""The list of a running pipeline on a terminal, and what is told above it."""

import io
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from podreduce_operator.cli.pipelines.graph import Edge, EdgeKind, GraphStep, Known, StepGraph, StepMark, build_graph
from podreduce_operator.cli.pipelines.live_list import STATES, LiveList
from podreduce_operator.cli.pipelines.step_words import describe_loop
from podreduce_operator.cli.pipelines.view import LinesOfSteps, StepsWatcher
from podreduce_operator.cli.progress import RunProgress
from podreduce_operator.cluster.local.notices import EventRecorded
from tests.support.builders.pipelines import make_pipeline

GRAPH = build_graph(make_pipeline().spec, Known())


def status(*states: str, iteration: int = 0, **of_last: Any) -> dict[str, Any]:
    steps = [{"name": step.name, "state": state} for step, state in zip(GRAPH.steps, states, strict=True)]
    steps[-1] |= of_last
    loop = {"name": "rank", "iteration": iteration, "maxIterations": 30, "state": "Running"}
    return {"steps": steps, "loops": [loop]}


@pytest.fixture
def view() -> Iterator[LiveList]:
    with closing(LiveList(io.StringIO(), GRAPH)) as made:
        yield made


def texts(view: LiveList) -> list[str]:
    return [text for text, _ in view.lines()]


def test_every_step_is_there_from_the_beginning_with_its_place_in_the_graph(view: LiveList) -> None:
    assert texts(view) == [
        "  ● seed         waiting",
        "╭ ● spread       waiting",
        "╰ ● sum          waiting",
        "  ● top          waiting",
    ]


def test_the_list_follows_the_states_of_the_steps_and_the_loops(view: LiveList) -> None:
    view.tell_steps(status("Reused", "Complete", "Running", "Waiting", iteration=3))
    assert [text.split()[:3] for text in texts(view)] == [
        ["○", "seed", "reused"],
        ["╭", "✓", "spread"],
        ["╰", "◐", "sum"],
        ["●", "top", "waiting"],
        ["rank", "3/30"],
    ]
    view.tell_steps(status("Reused", "Complete", "Complete", "Failed", iteration=4, message="out of memory"))
    assert texts(view)[3] == "  ✗ top          failed      out of memory"


def test_a_running_step_has_a_bar(view: LiveList) -> None:
    view.tell_steps(status("Running", "Waiting", "Waiting", "Waiting"))
    view.draw({"seed": RunProgress()})
    assert "seed         running     ────" in texts(view)[0]


def test_every_state_of_a_step_has_a_mark() -> None:
    assert set(STATES) == {"Waiting", "Running", "Complete", "Reused", "Failed", "NotReached"}
    assert set(STATES.values()) == set(StepMark)


def test_a_pipeline_that_is_longer_than_the_screen_has_no_list() -> None:
    steps = [GraphStep(name=f"s{number}") for number in range(64)]
    edges = [Edge(above="s0", below=step.name, kind=EdgeKind.READS) for step in steps[1:]]
    with closing(LiveList(io.StringIO(), StepGraph(steps=steps, edges=edges))) as view:
        assert not view.fits


class Told(LinesOfSteps):
    """Messages, beside a list or without one."""

    def __init__(self, *, lists: bool) -> None:
        super().__init__(io.StringIO())
        self.lists = lists
        self.said: list[str] = []

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        del status
        return self.lists

    def say(self, text: str, kind: str = "") -> None:
        del kind
        self.said.append(text.split(maxsplit=1)[0])


@pytest.mark.parametrize(("lists", "said"), [(False, ["seed", "top:"]), (True, ["top:"])])
def test_what_the_list_shows_is_not_told_again_and_all_else_is(*, lists: bool, said: list[str]) -> None:
    told = Told(lists=lists)
    watcher = StepsWatcher("pagerank", {"spread", "sum"}, told)
    watcher.take_status(status("Running", "Waiting", "Waiting", "Waiting", job="job-of-top"))
    watcher.take("job-of-top", EventRecorded(kind="Warning", reason="AttemptFailed", message="a task failed"))
    assert told.said == said


def test_what_begins_is_told_after_what_it_waited_for() -> None:
    told = Told(lists=False)
    watcher = StepsWatcher("pagerank", {"spread", "sum"}, told)
    watcher.take_status(status("Complete", "Running", "Running", "Running", iteration=3))
    assert told.said == ["seed", "rank", "top"]


@pytest.mark.parametrize(("values", "shown"), [(["", ""], ""), (["", "0.5"], "-, 0.5"), (["0"], "0"), ([], "")])
def test_a_value_that_an_iteration_does_not_have_is_a_dash(values: list[str], shown: str) -> None:
    loop = {"name": "als", "iteration": 1, "maxIterations": 9, "state": "Running", "recent": [{"values": values}]}
    assert describe_loop(loop, in_columns=True).split(maxsplit=2)[2:] == ([shown] if shown else [])
