"""The picture of a run: the state of each step, as the status has it."""

import json
from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.cli.pipelines.graph_file import write_graph
from podreduce_operator.cli.pipelines.last_run import read_last_run, write_last_run
from podreduce_operator.cli.pipelines.status_graph import describe_last, graph_of_status
from tests.support.builders.pipelines import make_pipeline

STATUS: dict[str, Any] = {
    "steps": [
        {"name": "seed", "state": "Reused", "records": 12, "bytes": 100, "run": "nightly-29628030"},
        {"name": "spread", "state": "Complete", "records": 1200, "bytes": 4096, "seconds": 2},
        {"name": "sum", "state": "Running", "progress": "maps 3/8"},
        {"name": "top", "state": "NotReached"},
    ],
    "loops": [{"name": "rank", "state": "Running", "iteration": 3, "maxIterations": 30}],
    "criticalPath": {"seconds": 4, "steps": ["sum/4", "top"]},
}


def test_each_step_has_its_state_and_what_is_known_of_it() -> None:
    graph = graph_of_status(make_pipeline().spec, STATUS)
    assert {step.name: (step.word, [*step.notes]) for step in graph.steps} == {
        "seed": ("reused", ["12 records", "unchanged since run nightly-29628030"]),
        "spread": ("complete", ["1,200 records, 2.0 s"]),
        "sum": ("running", ["maps 3/8"]),
        "top": ("not reached", []),
    }
    assert (list(graph.loops[0].notes), list(graph.path)) == (["at most 30 times", "3 so far"], ["sum", "top"])


@pytest.mark.parametrize("state", ["Waiting", "Running", "Complete", "Reused", "Failed", "NotReached"])
def test_every_state_is_written_and_has_colours_of_its_own_kind(state: str, tmp_path: Path) -> None:
    status = {"steps": [{"name": "seed", "state": state}]}
    path = tmp_path / "graph.svg"
    assert write_graph(path, graph_of_status(make_pipeline().spec, status), "pagerank") == ""
    words = {"Waiting": "not started", "NotReached": "not reached"}.get(state, state.lower())
    assert f">{words}<" in path.read_text()


def test_a_pipeline_that_has_not_begun_has_no_started_step() -> None:
    graph = graph_of_status(make_pipeline().spec, {})
    assert {step.word for step in graph.steps} == {"not started"}


def test_a_loop_says_how_it_has_ended() -> None:
    loops = [{"name": "rank", "state": "LimitReached", "iteration": 30, "maxIterations": 30}]
    graph = graph_of_status(make_pipeline().spec, {"loops": loops})
    assert list(graph.loops[0].notes) == ["at most 30 times", "30 so far", "limit reached"]


def test_a_picture_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    told = write_graph(tmp_path, graph_of_status(make_pipeline().spec, {}), "pagerank")
    assert told == f"--graph {tmp_path}: cannot be written: Is a directory"


def test_the_last_run_is_kept_and_whatever_else_is_there_is_none(tmp_path: Path) -> None:
    assert read_last_run(None) == read_last_run(tmp_path) == {}
    write_last_run(tmp_path, STATUS)
    assert read_last_run(tmp_path) == STATUS
    assert json.loads((tmp_path / "last-run.json").read_text()) == STATUS
    (tmp_path / "last-run.json").write_text("[1")
    assert read_last_run(tmp_path) == {}
    write_last_run(tmp_path / "gone", STATUS)


def test_what_became_of_a_step_in_the_last_run() -> None:
    failed = {"name": "top", "state": "Failed", "message": "ProgramError: no"}
    assert describe_last(failed) == ["last run: failed", "ProgramError: no"]
    assert describe_last(STATUS["steps"][0]) == ["last run: reused"]
    assert describe_last(STATUS["steps"][1]) == ["last run: complete, 1,200 records, 2.0 s"]
