"""`podreduce plan` of a job in a file, on real directories."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from podreduce.contract.environment import StorageSettings
from podreduce_operator.api.validation import validate_job
from podreduce_operator.cli.commands import app
from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.plan_any import PlanOptions, plan_any
from podreduce_operator.cli.plan_job import (
    describe_partitions,
    describe_pods,
    describe_processes,
    render_job_outlook,
)
from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.local.job_view import view_job
from podreduce_operator.model.pods import Requests
from podreduce_operator.planning.look_ahead import Wave, look_ahead
from podreduce_operator.runs.run import RunCache

MEANING = "the sum of their distances from the mean"
JOB = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "metadata": {"name": "count"}}
PROGRAM = "class Count:\n    def map_func(self, key, value):\n        yield value, 1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one\n" * 10)
    (tmp_path / "in" / "b.txt").write_text("two\n" * 15)
    return tmp_path


def plan(here: Path, of_steps: StepOverrides | None = None, **spec: Any) -> ExitStatus:
    job = {
        **JOB,
        "spec": {"program": {"source": PROGRAM}, "input": {"uris": ["in/"]}, "output": {"uri": "out/"}, **spec},
    }
    (here / "job.json").write_text(json.dumps(job))
    overrides = Overrides(parallelism=2)
    return plan_any(PlanOptions(file="job.json", overrides=overrides, of_steps=of_steps or StepOverrides()))


def test_a_job_is_told_line_by_line_and_nothing_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(here, map={"shards": 3}, reduce={"partitions": 1}) is ExitStatus.COMPLETE
    assert capsys.readouterr().out.splitlines() == [
        "count, as it would run on this machine now:",
        "input     2 objects, 100 B as Text",
        f"maps      3 shards of 33 B to 34 B; imbalance 1 B: {MEANING}, 1.3 % of the input",
        "          3 processes, 2 at a time",
        "reduces   1 partition",
        "          1 process",
        f"output    file://{here}/out/: nothing is there yet; Text is written",
    ]
    assert {path.name for path in here.iterdir()} == {"in", "job.json"}


@pytest.mark.parametrize(
    ("if_exists", "words"),
    [("Fail", "are there, so the run would fail"), ("Replace", "are there, and go when the new output is published")],
)
def test_what_is_at_the_output_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], if_exists: str, words: str
) -> None:
    (here / "out").mkdir()
    (here / "out" / "part-00000").write_text("x" * 2048)
    plan(here, output={"uri": "out/", "ifExists": if_exists})
    assert f"1 object, 2.0 KiB {words}" in capsys.readouterr().out


def test_a_map_only_job_has_no_reduces(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(here, reduce={"partitions": 0})
    assert "reduces   none: what the maps write is the output" in capsys.readouterr().out


def test_each_input_and_side_input_has_a_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [{"name": "left", "uris": ["in/a.txt"]}, {"name": "right", "uris": ["in/b.txt"], "format": "CSV"}]
    plan(here, input=None, inputs=inputs, sideInputs=[{"name": "table", "uris": ["in/a.txt"]}])
    lines = capsys.readouterr().out.splitlines()
    assert "input     left: 1 object, 40 B as Text" in lines
    assert "input     right: 1 object, 60 B as CSV" in lines
    assert "side      table: 1 object, 40 B into each pod" in lines


@pytest.mark.parametrize(
    ("changes", "of_steps", "words"),
    [
        ({"input": {"uris": ["nowhere/"]}}, StepOverrides(), "nowhere/: no object there"),
        ({"map": {"shards": 0}}, StepOverrides(), "spec.map.shards"),
        ({}, StepOverrides(keep=Path("kept")), "--keep: only a pipeline has steps"),
    ],
)
def test_what_cannot_run_is_told_and_ends_with_2(
    here: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], of_steps: StepOverrides, words: str
) -> None:
    assert plan(here, of_steps, **changes) is ExitStatus.INVALID
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_a_python_file_is_planned_with_its_input_and_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "job.py").write_text(PROGRAM)
    overrides = Overrides(inputs=("in/",), output="out/", parallelism=2)
    assert plan_any(PlanOptions(file="job.py", overrides=overrides, of_steps=StepOverrides())) is ExitStatus.COMPLETE
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["job, as it would run on this machine now:", "input     2 objects, 100 B as Text"]
    assert plan_any(PlanOptions(file="job.py", overrides=Overrides(), of_steps=StepOverrides())) is ExitStatus.INVALID
    assert "say what to read and where to write" in capsys.readouterr().err


def test_the_command_takes_the_input_behind_the_file(here: Path) -> None:
    (here / "job.py").write_text(PROGRAM)
    told = CliRunner().invoke(app, ["plan", "job.py", "in/a.txt", "in/b.txt", "-o", "out/"])
    assert told.exit_code == 0
    assert "input     2 objects, 100 B as Text" in told.stdout


@pytest.mark.parametrize(
    ("pods", "at_a_time", "requests", "told"),
    [
        (8, 4, Requests(500, 2**30), "8 pods, 4 at a time; each requests 0.5 CPU, 1.0 GiB: together 2 CPU, 4.0 GiB"),
        (2, 2, Requests(1000, None), "2 pods; each requests 1 CPU: together 2 CPU"),
        (1, 1, Requests(None, 2**30), "1 pod; it requests 1.0 GiB"),
        (
            3,
            3,
            Requests(),
            "3 pods; the job's templates request nothing, so each requests what the installation gives",
        ),
    ],
)
def test_pods_are_told_with_what_they_request_together(
    pods: int, at_a_time: int, requests: Requests, told: str
) -> None:
    assert describe_pods(Wave(tasks=9, pods=pods, at_a_time=at_a_time, requests=requests)) == told


async def test_why_a_small_job_takes_several_pods_is_told_below_them(here: Path) -> None:
    async def lines(**changes: Any) -> list[str]:
        uris = {"input": {"uris": [f"file://{here}/in/"]}, "output": {"uri": f"file://{here}/out/"}}
        job = view_job(validate_job({**JOB, "spec": {"program": {"source": PROGRAM}, **uris, **changes}}))
        storage = JobStorage(work_uri=f"file://{here}/work/", installation="here", settings=StorageSettings())
        outlook = await look_ahead(RunCache().open(job, "1", storage), parallelism=4, packs=True)
        return [line.strip() for line in render_job_outlook(job, outlook, has_pods=True)]

    assert "one pod takes all tasks, because the input is small (execution: Auto)" in await lines()
    told = "several pods: spec.map.shards asks for 3 map tasks, and the tasks of one pod run one after another"
    assert told in await lines(map={"shards": 3})
    assert not [line for line in await lines(execution="PerTask", map={"shards": 3}) if "several pods" in line]


def test_a_number_that_is_chosen_later_is_told_as_an_estimate() -> None:
    wave = Wave(tasks=2, is_estimate=True, pods=2, at_a_time=1, requests=Requests())
    assert describe_partitions(wave).startswith("about 2 partitions: chosen after the maps")
    assert describe_processes(wave) == "2 processes, 1 at a time"
