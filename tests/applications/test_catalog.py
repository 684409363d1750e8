"""Every application has what `podreduce app` and its users count on. Each new one is tested here without a change."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from podreduce_apps.catalog import APPLICATIONS, find_package, find_pipeline, find_sample_writer
from podreduce_operator.cli.applications import copy_application
from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.validate import validate_file

NAMES = sorted(APPLICATIONS)
PIPELINES = [
    path
    for name in NAMES
    for path in sorted(find_package(name).glob("*.yaml"))
    if yaml.safe_load(path.read_text())["kind"] == "MapReducePipeline"
]


def steps_of(name: str) -> list[dict]:
    return yaml.safe_load(find_pipeline(name).read_text())["spec"]["steps"]


def read_parameters(name: str) -> dict[str, str]:
    return yaml.safe_load(find_pipeline(name).read_text())["spec"]["parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_an_application_has_its_files(name: str) -> None:
    package = find_package(name)

    assert {"pipeline.yaml", "README.md", "sample.py", "__init__.py"} <= {path.name for path in package.iterdir()}
    assert list(inspect.signature(find_sample_writer(name)).parameters) == ["directory"]
    assert re.search(r"^Rule: ", import_module(f"podreduce_apps.{name}").__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_an_application_takes_input_and_output_and_explains_each_parameter(name: str) -> None:
    lines = find_pipeline(name).read_text().splitlines()
    start = lines.index("  parameters:") + 1
    end = next(i for i in range(start, len(lines)) if not lines[i].startswith("   "))

    assert {"input", "output"} <= set(read_parameters(name))
    assert [line for line in lines[start:end] if "#" not in line] == []


@pytest.mark.parametrize("name", NAMES)
def test_results_are_below_the_output_and_the_report_is_its_step(name: str) -> None:
    uris = {step["name"]: step.get("output", {}).get("uri") for step in steps_of(name)}

    assert uris["report"] == "$(parameters.output)/report/"
    assert {step: uri for step, uri in uris.items() if uri and uri != f"$(parameters.output)/{step}/"} == {}


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pipeline_is_valid(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = validate_file(str(path))

    assert status == ExitStatus.COMPLETE, capsys.readouterr()


def imported_roots(package: Path) -> Iterator[tuple[str, str]]:
    for path in package.rglob("*.py"):
        for found in re.finditer(r"^\s*(?:from|import) ([a-z_A-Z0-9]+)", path.read_text(), re.MULTILINE):
            yield path.name, found[1]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_podreduce_is_imported(name: str) -> None:
    assert [each for each in imported_roots(find_package(name)) if each[1] in ("podreduce", "podreduce_operator")] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_valid_names_its_own_modules_and_has_a_sample_to_run_on(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "copy"
    assert copy_application(name, str(copied)) == ExitStatus.COMPLETE
    command = f"podreduce run {copied}/pipeline.yaml -p input={copied}/sample/ -p output=results"
    assert command in capsys.readouterr().out
    assert command.replace(str(copied), f"my-{name}") in (copied / "README.md").read_text()
    assert any(path.stat().st_size for path in (copied / "sample").rglob("*.csv"))

    monkeypatch.chdir(copied)
    status = validate_file(str(copied / "pipeline.yaml"))

    assert status == ExitStatus.COMPLETE, capsys.readouterr()
    text = (copied / "pipeline.yaml").read_text()
    assert f"module: {name}." in text
    assert f"podreduce_apps.{name}" not in text
    assert (copied / name / "sample.py").is_file()
    links = re.findall(r"\]\(([^)#]+)", (copied / "README.md").read_text())
    assert [link for link in links if not link.startswith("https://") and not (copied / link).is_file()] == []
    assert f"podreduce_apps.{name}" not in (copied / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_replaces_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    assert copy_application(name, str(tmp_path)) == ExitStatus.INVALID
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_sorted_within_a_group_are_partitioned_by_the_group(name: str) -> None:
    def key_of(step: dict) -> tuple[str, ...]:
        module = import_module(step["program"]["module"])
        return getattr(getattr(module, step["program"].get("className", ""), None), "key_columns", ())

    split = [
        step["name"]
        for step in steps_of(name)
        if len(key_of(step)) > 1 and "partitionKeyLength" not in step.get("reduce", {})
    ]

    assert split == []
