"""A pipeline's file is checked as a whole, and each problem is told with its line."""

from pathlib import Path

import pytest

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.pipelines.pipeline_file import (
    InvalidPipelineError,
    has_pipeline,
    load_pipeline,
    parse_pipeline_file,
)
from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.validate import validate_file

PIPELINE = """\
apiVersion: podreduce.dev/v1beta1
kind: MapReducePipeline
metadata: {name: web}
spec:
  program:
    source: |
      class Clean:
          def map_func(self, key, value):
              yield key, value

      class Report:
          def map_func(self, key, value):
              yield key, value
  steps:
    - name: clean
      className: Clean
      inputs: [{uris: [logs/]}]
    - name: report
      className: Report
      inputs:
        - from: clean
      output: {uri: report/}
"""
CONFIG_MAP = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  steps.py: |
    class Clean:
        def map_func(self, key):
            yield key, 1
"""


def find(text: str) -> str:
    with pytest.raises(InvalidPipelineError) as refusal:
        load_pipeline(parse_pipeline_file(text, "web.yaml"))
    return str(refusal.value)


def test_a_valid_pipeline_has_its_defaults() -> None:
    pipeline = load_pipeline(parse_pipeline_file(PIPELINE, "web.yaml"))
    assert pipeline.key.name == "web"
    assert pipeline.raw_spec["steps"][0]["execution"] == "Auto"
    assert pipeline.spec.on_step_failure == "FinishRunning"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "- from: clean",
            "- from: cleen",
            "web.yaml:21: spec.steps[1].inputs[0].from: there is no step 'cleen'; the steps: clean, report",
        ),
        (
            "inputs: [{uris: [logs/]}]",
            "inputs: [{from: report}]",
            "web.yaml:17: spec.steps[0].inputs[0].from: report is listed below clean: move report above it",
        ),
        (
            "- from: clean",
            "- {from: clean, format: Text}",
            "web.yaml:21: spec.steps[1].inputs[0].format: clean writes Pairs, which format Text cannot read",
        ),
        (
            "uri: report/",
            "uri: $(parameters.out)/",
            "web.yaml:22: spec.steps[1].output.uri: there is no parameter 'out' for $(parameters.out)",
        ),
        (
            "className: Report",
            "clasName: Report",
            "web.yaml:19: spec.steps[1].clasName: unknown field; did you mean className?",
        ),
        (
            "      output:",
            "      map: {shards: 3, shardSize: 5Mi}\n      output:",
            "web.yaml:22: spec.steps[1].map: set shards or shardSize, not both",
        ),
        (
            "uri: report/",
            "uri: report/, compression: Gzip, format: Parquet",
            "web.yaml:22: spec.steps[1].output: Parquet (with zstd) and Pairs (with lz4) compress inside",
        ),
    ],
)
def test_a_problem_is_told_with_its_line(old: str, new: str, told: str) -> None:
    assert find(PIPELINE.replace(old, new)).startswith(told)


def test_what_only_the_job_of_a_step_shows_is_told_with_the_step() -> None:
    output = "      output: {compression: Gzip}\n"
    told = find(PIPELINE.replace("      className: Clean\n", f"      className: Clean\n{output}"))
    assert told.startswith(
        "web.yaml:17: spec.steps[0].output: Parquet (with zstd) and Pairs (with lz4) compress inside"
    )
    assert told.endswith("(step clean)")


def test_a_class_that_is_not_in_the_program_is_told_once() -> None:
    assert find(PIPELINE.replace("className: Report", "className: Repart")) == (
        "web.yaml: spec.program.source: program.className Repart: the program has no such class; did you mean Report?"
    )


def test_a_wrong_program_is_told_with_the_line_of_the_file() -> None:
    broken = PIPELINE.replace("              yield key, value\n\n", "              yield key value\n\n")
    assert find(broken).startswith("web.yaml:9:")


def test_a_program_in_a_config_map_of_the_file_is_checked() -> None:
    reference = "sourceFrom: {configMapKeyRef: {name: web, key: steps.py}}\n"
    start, end = PIPELINE.index("    source: |"), PIPELINE.index("  steps:\n")
    text = f"{PIPELINE[:start]}    {reference}{PIPELINE[end:]}"
    load_pipeline(parse_pipeline_file(text, "web.yaml"))
    assert "web.yaml:23:9: Clean.map_func(self, key) cannot be called" in find(text + CONFIG_MAP)


def test_the_program_of_a_step_is_checked_at_its_own_place() -> None:
    own = "      program:\n        source: |\n          class A:\n              pass\n      inputs: [{uris: [logs/]}]"
    text = PIPELINE.replace("      inputs: [{uris: [logs/]}]", own).replace("      className: Clean\n", "")
    assert find(text).startswith("web.yaml:18:1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: MapReduceJob\n---\nkind: MapReducePipeline\n", "found MapReduceJob, MapReducePipeline"),
        ("kind: MapReducePipeline\n---\nkind: MapReducePipeline\n", "found MapReducePipeline, MapReducePipeline"),
        ("kind: MapReducePipeline\napiVersion: v1\n", 'apiVersion: must be podreduce.dev/v1beta1, got "v1"'),
    ],
)
def test_a_file_has_one_pipeline(text: str, told: str) -> None:
    assert has_pipeline(text, "web.yaml")
    with pytest.raises(ManifestError) as refusal:
        parse_pipeline_file(text, "web.yaml")
    assert told in str(refusal.value)


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(PIPELINE)
    assert validate_file(str(file)) is ExitStatus.COMPLETE
    assert capsys.readouterr().out == (
        f"{file}: web is a valid MapReducePipeline\nit only runs on this machine: a cluster needs s3:// URIs in "
        "spec.steps[0].inputs[0].uris[0], spec.steps[1].output.uri\n"
    )
    file.write_text(PIPELINE.replace("from: clean", "from: cleen"))
    assert validate_file(str(file)) is ExitStatus.INVALID
    assert "there is no step 'cleen'" in capsys.readouterr().err
