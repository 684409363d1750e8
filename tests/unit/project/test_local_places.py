"""A run on this machine takes paths wherever a resource names an object; each becomes a URI that holds elsewhere, too.

The fields are those of the CRDs, so that a new one is a new case.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from podreduce_operator.cli.overrides import Overrides, StepOverrides, apply_overrides
from podreduce_operator.cli.pipelines.overrides import apply_pipeline_overrides
from podreduce_operator.cli.schedule_file import read_scheduled_job

CRDS = Path(__file__).parents[3] / "crds"
EACH = "[]"
DIGEST = f"sha256:{'0' * 64}"
NAMES = {"archive": "x.zip", "requirements": "x-1.0-py3-none-any.whl"}
Json = dict[str, Any]

SCHEDULE: Json = {
    "apiVersion": "podreduce.dev/v1beta1",
    "kind": "MapReduceSchedule",
    "metadata": {"name": "nightly"},
    "spec": {"schedule": "0 2 * * *"},
}


def find_places(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each field that names objects."""
    for name, field in (schema.get("properties") or {}).items():
        if name == "uri":
            yield (*path, name)
        elif name == "uris":
            yield (*path, name, EACH)
        elif field.get("type") == "array":
            yield from find_places(field.get("items") or {}, (*path, name, EACH))
        else:
            yield from find_places(field, (*path, name))


def places_of(plural: str) -> list[tuple[str, ...]]:
    crd = yaml.safe_load((CRDS / f"podreduce.dev_{plural}.yaml").read_text(encoding="utf-8"))
    return [*find_places(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])]


def build(path: tuple[str, ...], value: str) -> Any:
    """Return a spec with only this field."""
    if not path:
        return value
    first, *rest = path
    below = build(tuple(rest), value)
    return [below] if first == EACH else {first: below}


def read(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value[0] if name == EACH else value[name]
    return value


def as_job(spec: Json) -> Json:
    return dict(apply_overrides({"spec": spec}, Overrides())["spec"])


def as_pipeline(spec: Json) -> Json:
    manifest = {"spec": {"steps": [{"name": "only"}], **spec}}
    return dict(apply_pipeline_overrides(manifest, Overrides(), StepOverrides())["spec"])


def as_schedule(spec: Json) -> Json:
    """The job that a schedule makes, in the schedule's place. A schedule is checked first, so the rest is valid.

    The pipeline that it makes is read as a pipeline's own file is.
    """
    if "pipelineTemplate" in spec:
        return {"pipelineTemplate": {"spec": as_pipeline(spec["pipelineTemplate"]["spec"])}}
    given = spec["jobTemplate"]["spec"]
    job: Json = {"program": {"module": "jobs"}, "input": {"uris": ["in/"]}, "output": {"uri": "out/"}, **given}
    if "program" in given:
        (name, file), *_ = given["program"].items()
        listed = [{**each, "digest": DIGEST} for each in (file if name == "requirements" else [file])]
        job["program"] = {"module": "jobs", name: listed if name == "requirements" else listed[0]}
    for number, each in enumerate((*given.get("inputs", ()), *given.get("sideInputs", ()))):
        each["name"] = f"name-{number}"
    if "inputs" in given:
        del job["input"]
    manifest = {**SCHEDULE, "spec": {**SCHEDULE["spec"], "jobTemplate": {"spec": job}}}
    file = read_scheduled_job(json.dumps(manifest), "nightly.yaml", None, 0.0)
    assert file is not None
    return {"jobTemplate": {"spec": apply_overrides(file.manifest, Overrides())["spec"]}}


KINDS: dict[str, Callable[[Json], Json]] = {
    "mapreducejobs": as_job, "mapreducepipelines": as_pipeline, "mapreduceschedules": as_schedule
}  # fmt: skip
CASES = [(kind, path) for kind in KINDS for path in places_of(kind)]


@pytest.mark.parametrize(("kind", "path"), CASES, ids=[f"{kind}-{'.'.join(path)}" for kind, path in CASES])
def test_a_path_becomes_a_uri_in_every_field_that_names_objects(
    kind: str, path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = next((NAMES[each] for each in path if each in NAMES), "x/")
    for written, wanted in (
        (f"data/{name}", f"file://{tmp_path}/data/{name}"),
        (f"s3://corpus/{name}", f"s3://corpus/{name}"),
    ):
        found = read(KINDS[kind](build(path, written)), path)
        assert found.rstrip("/") == wanted.rstrip("/")


def test_the_fields_of_all_three_kinds_are_found() -> None:
    assert {len([case for case in CASES if case[0] == kind]) > 4 for kind in KINDS} == {True}
