"""A schedule in a file: what is refused, the job of a time, and the three commands that read one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.api.job_files import ManifestError, load_documents
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.render import render_file, write_manifest
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, load_job, read_file
from podreduce_operator.cli.schedule_file import parse_schedule_file, parse_time_of, read_pipeline
from podreduce_operator.cli.validate import validate_file

PROGRAM = """
          class Visits:
              def map_func(self, key, value):
                  yield value, 1
"""
NIGHTLY = f"""
apiVersion: podreduce.dev/v1beta1
kind: MapReduceSchedule
metadata: {{name: nightly}}
spec:
  schedule: "30 2 * * *"
  timeZone: Europe/Berlin
  parameters: [{{name: day, format: "%Y-%m-%d", offset: "-1d"}}]
  jobTemplate:
    metadata: {{labels: {{team: shop}}}}
    spec:
      program:
        source: |{PROGRAM.rstrip()}
      input: {{uris: ["s3://logs/day=$(parameters.day)/"]}}
      output: {{uri: "s3://reports/day=$(parameters.day)/"}}
"""


def write(directory: Path, text: str = NIGHTLY) -> str:
    file = directory / "nightly.yaml"
    file.write_text(text)
    return str(file)


def test_the_job_of_a_time_is_the_one_that_the_operator_makes() -> None:
    schedule = parse_schedule_file(NIGHTLY, "nightly.yaml")
    manifest = schedule.make_manifest(parse_time_of(schedule, "2026-05-02T02:30"))
    assert manifest["metadata"] == {
        "name": "nightly-29628030",
        "labels": {"team": "shop", "podreduce.dev/schedule": "nightly"},
        "annotations": {"podreduce.dev/scheduled-at": "2026-05-02T00:30:00Z"},
    }
    assert manifest["spec"].keys() == {"program", "input", "output"}, (
        "without the CRD's defaults, as its author wrote it"
    )
    assert manifest["spec"]["output"] == {"uri": "s3://reports/day=2026-05-01/"}


def test_a_namespace_of_the_file_is_the_jobs() -> None:
    schedule = parse_schedule_file(NIGHTLY.replace("{name: nightly}", "{name: nightly, namespace: shop}"), "n.yaml")
    assert schedule.make_manifest(60.0)["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-05-02T02:30", "2026-05-02T02:30+02:00"),
        ("2026-05-02T00:30Z", "2026-05-02T02:30+02:00"),
        ("2026-05-02", "2026-05-02T00:00+02:00"),
        ("2026-12-02T02:30:15", "2026-12-02T02:30:15+01:00"),
    ],
)
def test_a_time_without_an_offset_is_in_the_schedules_zone(text: str, at: str) -> None:
    schedule = parse_schedule_file(NIGHTLY, "nightly.yaml")
    assert parse_time_of(schedule, text) == parse_time_of(schedule, at)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"30 2 * * *"', '"30 25 * * *"'), "nightly.yaml: the schedule '30 25 * * *' is not valid"),
        (("Europe/Berlin", "Europe/Bärlin"), "nightly.yaml: there is no time zone 'Europe/Bärlin'"),
        (("timeZone:", "timezone:"), "nightly.yaml: spec.timezone: unknown field; did you mean timeZone?"),
        (
            ("s3://logs/day=$(parameters.day)/", "s3://reports/"),
            "spec.jobTemplate.spec: the output must not lie inside",
        ),
        (("{name: nightly}", "{generateName: night-}"), "nightly.yaml: metadata.name: is required"),
        (("v1beta1", "v1"), "nightly.yaml: apiVersion: must be podreduce.dev/v1beta1"),
        (("kind: MapReduceSchedule", "kind: MapReduceJob"), "expected one MapReduceSchedule, found 0"),
        (("{name: nightly}", f"{{name: {'n' * 53}}}"), "nightly.yaml: metadata.name is too long"),
    ],
    ids=lambda case: case[-1] if isinstance(case, tuple) else "",
)
def test_a_schedule_that_is_not_valid_is_refused_with_its_place(change: tuple[str, str], words: str) -> None:
    with pytest.raises(ManifestError) as refused:
        parse_schedule_file(NIGHTLY.replace(*change), "nightly.yaml")
    assert words in str(refused.value)


def test_a_parameter_that_is_missing_is_named_where_it_is_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path, NIGHTLY.replace("$(parameters.day)", "$(parameters.hour)", 1))
    with pytest.raises(InvalidFileError, match=r"spec\.jobTemplate\.spec\.input\.uris\[0\]: there is no parameter"):
        read_file(file)


def test_a_run_takes_the_time_and_puts_parameters_into_the_uris_of_the_command_line(tmp_path: Path) -> None:
    file = read_file(write(tmp_path), "2026-05-02T02:30")
    job = load_job(file, Overrides(inputs=["/logs/$(parameters.day)/"], output="/out/$(parameters.day)"))
    assert (job.key.name, job.controller) == ("nightly-29628030", None)
    assert job.spec.input is not None
    assert (job.spec.input.uris, job.spec.output.uri) == (("file:///logs/2026-05-01/",), "file:///out/2026-05-01/")


def test_a_run_without_a_time_is_of_now(tmp_path: Path) -> None:
    assert read_file(write(tmp_path)).manifest["metadata"]["name"] > "nightly-29628030"


def test_a_time_for_a_job_is_refused(tmp_path: Path) -> None:
    job = "apiVersion: podreduce.dev/v1beta1\nkind: MapReduceJob\nmetadata: {name: job}\nspec: {}\n"
    with pytest.raises(InvalidFileError, match=r"--at: .* has no MapReduceSchedule"):
        read_file(write(tmp_path, job), "2026-05-02T02:30")


def test_an_error_in_the_program_names_its_line_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = NIGHTLY.replace("yield value, 1", "yield value,, 1")
    assert validate_file(write(tmp_path, text)) is ExitStatus.INVALID
    line = text.split("\n").index("                  yield value,, 1") + 1
    assert f"nightly.yaml:{line}:" in capsys.readouterr().err


def test_validate_prints_the_next_three_times_in_the_schedules_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate_file(write(tmp_path)) is ExitStatus.COMPLETE
    first, *times = capsys.readouterr().out.splitlines()
    assert first.endswith("nightly is a valid MapReduceSchedule; its next times:")
    assert len(times) == 3
    assert all("T02:30+0" in each for each in times), times


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("30 2 * * *", "30 2 30 2 *"), "the schedule '30 2 30 2 *' is not valid"),
        (
            ("s3://reports/day=$(parameters.day)/", "s3://reports/all/"),
            "all after the first one fail with OutputExists",
        ),
        (("s3://reports/day=$(parameters.day)/", "reports/"), "a cluster needs s3:// URIs in spec.output.uri"),
        (("  timeZone", "  suspend: true\n  timeZone"), "it makes no jobs: spec.suspend is true"),
    ],
)
def test_validate_says_what_will_not_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: str
) -> None:
    validate_file(write(tmp_path, NIGHTLY.replace(*change)))
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_render_prints_the_job_of_one_of_the_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_file(write(tmp_path), "2026-05-02T02:30") is ExitStatus.COMPLETE
    (manifest,) = load_documents(capsys.readouterr().out, "-")
    schedule = parse_schedule_file(NIGHTLY, "nightly.yaml")
    assert manifest == schedule.make_manifest(parse_time_of(schedule, "2026-05-02T02:30"))


def test_render_refuses_other_times_and_names_those_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On this day the clock went from two to three o'clock, so the job of half past two was made at three."""
    assert render_file(write(tmp_path), "2026-03-29T02:30") is ExitStatus.INVALID
    said = capsys.readouterr()
    assert said.out == ""
    assert "2026-03-29T03:00+02:00 and 2026-03-30T02:30+02:00" in said.err


PIPELINE = (
    NIGHTLY.partition("  jobTemplate:")[0]
    + f"""\
  pipelineTemplate:
    metadata: {{labels: {{team: shop}}}}
    spec:
      parameters: {{top: "10"}}
      program:
        source: |{PROGRAM.rstrip()}
      steps:
        - {{name: clean, inputs: [{{uris: ["s3://logs/day=$(parameters.day)/"]}}], reduce: {{partitions: 0}}}}
        - {{name: report, inputs: [{{from: clean}}], reduce: {{partitions: 0}}, output: {{uri: s3://reports/new/}}}}
"""
)


def test_the_pipeline_of_a_time_is_the_one_that_the_operator_makes() -> None:
    schedule = parse_schedule_file(PIPELINE, "nightly.yaml")
    manifest = schedule.make_manifest(parse_time_of(schedule, "2026-05-02T02:30"))
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("MapReducePipeline", "nightly-29628030")
    assert manifest["spec"]["parameters"] == {"top": "10", "day": "2026-05-01"}
    assert manifest["spec"].keys() == {"parameters", "program", "steps"}, "as its author wrote it"


def test_a_run_of_a_pipeline_keeps_the_schedules_name_so_that_runs_know_each_other(tmp_path: Path) -> None:
    file = read_pipeline(write(tmp_path, PIPELINE), "2026-05-02T02:30", 0.0)
    assert file is not None
    assert (file.manifest["metadata"]["name"], file.manifest["spec"]["parameters"]["day"]) == ("nightly", "2026-05-01")
    assert read_pipeline(write(tmp_path), None, 0.0) is None, "a schedule of jobs has no pipeline"


def test_a_time_for_a_pipeline_alone_is_refused(tmp_path: Path) -> None:
    text = "apiVersion: podreduce.dev/v1beta1\nkind: MapReducePipeline\nmetadata: {name: web}\nspec: {}\n"
    with pytest.raises(ManifestError, match=r"--at: .* a pipeline has no time of its own"):
        read_pipeline(write(tmp_path, text), "2026-05-02T02:30", 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("from: clean", "from: clear"),
            "spec.pipelineTemplate.spec.steps[1].inputs[0].from: there is no step 'clear'",
        ),
        (
            ("$(parameters.day)", "$(parameters.hour)"),
            "spec.pipelineTemplate.spec.steps[0].inputs[0].uris[0]: there is",
        ),
        (("yield value, 1", "yield value,, 1"), "invalid syntax"),
        (("partitions: 0", "partitions: zero"), "spec.pipelineTemplate.spec.steps[0].reduce.partitions"),
        (("s3://reports/new/", "s3://reports/"), "never a whole bucket"),
        (("  pipelineTemplate:", "  jobTemplate: {spec: {}}\n  pipelineTemplate:"), "spec.jobTemplate.spec"),
    ],
    ids=lambda change: change[0] if isinstance(change, tuple) else "",
)
def test_a_pipeline_that_is_not_valid_is_refused_with_its_place_in_the_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: str
) -> None:
    text = PIPELINE.replace(*change)
    assert validate_file(write(tmp_path, text)) is ExitStatus.INVALID
    assert words in capsys.readouterr().err


def test_a_problem_of_a_pipeline_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = PIPELINE.split("\n")
    for wrong, at in (("from: clear", "from: clean"), ("yield value,, 1", "yield value, 1")):
        text = PIPELINE.replace(at, wrong)
        validate_file(write(tmp_path, text))
        line = next(number for number, each in enumerate(lines, 1) if at in each)
        assert f"nightly.yaml:{line}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("", ""), "nightly is a valid MapReduceSchedule; its next times:"),
        (
            ("s3://reports/new/}", "s3://reports/new/, ifExists: Fail}"),
            "every pipeline has the same spec.pipelineTemplate",
        ),
        (("s3://reports/new/", "reports/"), "a cluster needs s3:// URIs in spec.steps[1].output.uri"),
        (("  timeZone", "  suspend: true\n  timeZone"), "it makes no pipelines: spec.suspend is true"),
    ],
)
def test_validate_says_of_a_pipeline_what_will_not_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: str
) -> None:
    assert validate_file(write(tmp_path, PIPELINE.replace(*change))) is ExitStatus.COMPLETE
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("uri", ["s3://reports/$(parameters.day)/", "s3://reports/new/"])
def test_only_outputs_that_each_time_writes_and_none_may_replace_are_told(uri: str) -> None:
    text = PIPELINE.replace("s3://reports/new/", f"{uri}, ifExists: Fail")
    found = parse_schedule_file(text, "nightly.yaml").outputs_in_one_place()
    assert found == ([] if "day" in uri else ["spec.pipelineTemplate.spec.steps[1].output.uri"])


def test_render_prints_the_pipeline_of_one_of_the_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_file(write(tmp_path, PIPELINE), "2026-05-02T02:30") is ExitStatus.COMPLETE
    (manifest,) = load_documents(capsys.readouterr().out, "-")
    schedule = parse_schedule_file(PIPELINE, "nightly.yaml")
    assert manifest == schedule.make_manifest(parse_time_of(schedule, "2026-05-02T02:30"))


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["y", "NO", "1e3", "0x1", "2026-05-01", "~", "", " a", "a: b\n", "\ta\n b"]
)


@given(st.recursive(TEXTS | st.booleans() | st.integers(), lambda each: st.lists(each) | st.dictionaries(TEXTS, each)))
def test_a_printed_manifest_is_read_back_as_it_was(value: Any) -> None:
    value = json.loads(json.dumps({"spec": value}))
    assert load_documents(write_manifest(value), "job.yaml") == [value]


@pytest.mark.parametrize("makes", ["jobTemplate", "pipelineTemplate", "pipeline"])
def test_modules_beside_a_file_are_found_whatever_it_holds(tmp_path: Path, makes: str) -> None:
    (tmp_path / "visits.py").write_text("class Visits:\n    def map_func(self, key, value):\n        yield value, 1\n")
    program = {"module": "visits"}
    step = {"name": "visits", "program": program, "inputs": [{"uris": ["s3://logs/"]}]}
    job = {"program": program, "input": {"uris": ["s3://logs/"]}, "output": {"uri": "s3://reports/visits/"}}
    spec = job if makes == "jobTemplate" else {"steps": [step]}
    manifest = {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReducePipeline",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    if makes != "pipeline":
        manifest |= {"kind": "MapReduceSchedule", "spec": {"schedule": "30 2 * * *", makes: {"spec": spec}}}
    path = tmp_path / "file.json"
    path.write_text(json.dumps(manifest))
    found = read_file(str(path)) if makes == "jobTemplate" else read_pipeline(str(path), None, 0)
    assert found is not None
    assert found.directory == tmp_path
    (tmp_path / "visits.py").unlink()
    again = read_file(str(path)) if makes == "jobTemplate" else read_pipeline(str(path), None, 0)
    assert again is not None
    assert again.directory is None
