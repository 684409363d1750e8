"""What `podreduce plan` says of a pipeline: in a pipe, on a terminal, and in a picture."""

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.pipelines.overrides import load_local_pipeline
from podreduce_operator.cli.pipelines.pipeline_file import parse_pipeline_file
from podreduce_operator.cli.pipelines.plan import Outlook, look_ahead, render_outlook
from podreduce_operator.cli.plan_any import PlanOptions, plan_any
from podreduce_operator.cli.run import ExitStatus

WEB = """\
apiVersion: podreduce.dev/v1beta1
kind: MapReducePipeline
metadata: {name: web}
spec:
  program:
    source: |
      class Same:
          def map_func(self, key, value):
              yield key, value
  steps:
    - {name: clean, inputs: [{uris: ["in/"]}], reduce: {partitions: 0}}
    - {name: visits, inputs: [{from: clean}]}
    - {name: faults, inputs: [{from: clean}]}
    - {name: report, inputs: [{from: visits}, {from: faults}], output: {uri: "out/"}}
"""
SCHEDULE = """\
apiVersion: podreduce.dev/v1beta1
kind: MapReduceSchedule
metadata: {name: nightly}
spec:
  schedule: "@daily"
  parameters: [{name: day, format: "%Y-%m-%d"}]
  pipelineTemplate:
    spec:
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one\n")
    (tmp_path / "web.yaml").write_text(WEB)
    return tmp_path


def look() -> Outlook:
    file = parse_pipeline_file(WEB, "web.yaml")
    return asyncio.run(look_ahead(load_local_pipeline(file, Overrides(), StepOverrides()), file, None))


def plan(file: str = "web.yaml", graph: Path | None = None, at: str | None = None) -> ExitStatus:
    return plan_any(PlanOptions(file=file, overrides=Overrides(), of_steps=StepOverrides(), at=at, graph=graph))


def test_a_pipe_gets_a_line_for_each_step_with_the_names_that_it_waits_for(here: Path) -> None:
    del here
    assert [line.split()[:4] for line in render_outlook(look())][:4] == [
        ["clean", "run", "it", "has"],
        ["visits", "run", "after", "clean"],
        ["faults", "run", "after", "clean"],
        ["report", "run", "after", "visits,"],
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_the_same_steps_with_a_drawing(here: Path, width: int) -> None:
    del here
    assert list(render_outlook(look(), width)) == [
        "●   clean   run  it has not run yet; reads 4 B of objects",
        "├─● visits  run  it has not run yet",
        "● │ faults  run  it has not run yet",
        "●─╯ report  run  it has not run yet",
        "longest way: clean > visits > report, about 12.0 s",
    ]


def test_a_picture_is_written_beside_the_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(graph=here / "web.svg") is ExitStatus.COMPLETE
    assert "longest way: clean > visits > report" in capsys.readouterr().out
    texts = {element.text for element in ET.parse(here / "web.svg").getroot().iter()}  # noqa: S314 - our own
    assert {"web", "clean", "visits", "faults", "report", "reads 4 B", "run"} <= texts


def test_a_picture_that_cannot_be_written_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(graph=here / "nowhere" / "web.svg") is ExitStatus.FAILED
    assert "web.svg: cannot be written: No such file or directory" in capsys.readouterr().err


def test_the_pipeline_of_a_schedule_is_planned_for_a_time(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in" / "2026-05-01").mkdir()
    (here / "in" / "2026-05-01" / "b.txt").write_text("one\ntwo\n")
    spec = WEB.partition("spec:\n")[2].replace("in/", "in/$(parameters.day)/")
    (here / "nightly.yaml").write_text(SCHEDULE + "".join(f"    {line}\n" for line in spec.splitlines()))
    assert plan("nightly.yaml", at="2026-05-01T00:00") is ExitStatus.COMPLETE
    assert "reads 8 B of objects" in capsys.readouterr().out
    assert plan("nightly.yaml", at="2026-05-02T00:00") is ExitStatus.INVALID
    assert "in/2026-05-02/: no object there" in capsys.readouterr().err


def test_a_job_has_no_picture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "job.yaml").write_text(
        "apiVersion: podreduce.dev/v1beta1\nkind: MapReduceJob\nmetadata: {name: j}\nspec: {}\n"
    )
    assert plan("job.yaml", graph=here / "job.svg") is ExitStatus.INVALID
    assert "--graph: a job has no steps to draw" in capsys.readouterr().err
