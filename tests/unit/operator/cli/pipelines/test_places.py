"""What is read and written on this machine: paths become URIs, and a parameter may be a path or a whole URI."""

from pathlib import Path

import pytest

from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.pipelines.overrides import load_local_pipeline
from podreduce_operator.cli.pipelines.pipeline_file import parse_pipeline_file
from podreduce_operator.cli.run import InvalidFileError

PIPELINE = """\
apiVersion: podreduce.dev/v1beta1
kind: MapReducePipeline
metadata: {name: web}
spec:
  parameters: {base: s3://corpus/logs, day: "1"}
  program: {module: web}
  steps:
    - name: clean
      inputs: [{uris: ["INPUT"]}]
      output: {uri: "OUTPUT"}
"""


def places(source: str, target: str, *parameters: str) -> tuple[str, str | None]:
    """Where a local run reads and writes."""
    text = PIPELINE.replace("INPUT", source).replace("OUTPUT", target)
    pipeline = load_local_pipeline(
        parse_pipeline_file(text, "web.yaml"), Overrides(parameters=parameters), StepOverrides()
    )
    (step,) = resolve_steps(pipeline.spec).steps
    return step.all_inputs[0].read_uris[0], step.output.uri


@pytest.mark.parametrize(
    ("written", "parameters", "read"),
    [
        ("logs/day=$(parameters.day)/", (), "HERE/logs/day=1/"),
        ("logs/day=$(parameters.day)/", ("day=2",), "HERE/logs/day=2/"),
        ("$(parameters.base)/day=$(parameters.day)/", (), "s3://corpus/logs/day=1/"),
        ("$(parameters.base)/day=$(parameters.day)/", ("base=logs",), "HERE/logs/day=1/"),
        ("$(parameters.base)/day=$(parameters.day)/", ("base=/srv/logs",), "file:///srv/logs/day=1/"),
        ("$(parameters.base)/x/", ("base=$(odd)",), "HERE/$(odd)/x/"),
        ("$$(parameters.base)/x/", (), "HERE/$(parameters.base)/x/"),
        ("s3://corpus-$(parameters.day)/x/", (), "s3://corpus-1/x/"),
    ],
)
def test_a_place_may_begin_with_a_parameter(
    written: str, parameters: tuple[str, ...], read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = read.replace("HERE", f"file://{tmp_path}")
    assert places(written, "out/", *parameters)[0] == expected
    assert places("in/", written, *parameters)[1] == expected


def test_an_unknown_parameter_is_told_with_its_line() -> None:
    told = r"web\.yaml:9: spec\.steps\[0\]\.inputs\[0\]\.uris\[0\]: there is no parameter 'nothing'"
    with pytest.raises(InvalidFileError, match=told):
        places("$(parameters.nothing)/x/", "out/")
