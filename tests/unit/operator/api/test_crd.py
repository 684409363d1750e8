"""The CRD beside the code: what the operator writes must not be pruned by the API server, nor refused."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft4Validator

from podreduce_operator.api.crd import (
    JOBS,
    PIPELINES,
    SCHEDULES,
    ResourceNames,
    explicit_spec,
    job_schema,
    known_spec,
    load_crd,
    schema_of,
    schema_of_version,
)
from podreduce_operator.api.crd_schema import as_json_schema, iter_unknown_fields
from podreduce_operator.api.spec import LIVE_FIELDS, pinned_fields, spec_changed
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import HeavyKeyView, PinnedDigests, RunState, SeenProgram
from podreduce_operator.policy.status import build_status
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.observed import make_observed, make_post_mortem_view, make_published
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.crd_cases import DEFAULTED_SPEC

LONG = "é" * 40_000


PLANNING = Verdict(phase=Phase.PLANNING)


def write_status(phase: Phase = Phase.FAILED) -> dict[str, Any]:
    """A status as long as it gets. One of a run that has ended and one of a run in progress have all fields."""
    failures = [
        make_failure(map_task(index), message=LONG, traceback=LONG, record=LONG, exit_code=64, finished_at=float(index))
        for index in range(20)
    ]
    counters = {f"group {number} {LONG}": {f"name {number} {LONG}": 2**62} for number in range(50)}
    observed = make_observed(
        spec={"image": "other"},
        run_id="1-g2",
        run=RunState(run_id="1-g2", started_at=0.0),
        commits=[
            make_commit(map_task(index), counters=counters, quarantine=make_quarantine(2**50))
            for index in range(0, 10_000, 2)
        ]
        + [make_commit(reduce_task(0))],
        failures=failures,
        shuffle=make_shuffle(),
        skew=tuple(HeavyKeyView(key="é" * 100, share=0.123456, partition=4095) for _ in range(5)),
        quarantine_uri=f"s3://corpus/{LONG}",
        published=make_published(),
        post_mortem=make_post_mortem_view(),
        plan=make_plan_summary(pinned=PinnedDigests(spec="0" * 32, program="1" * 32)),
        seen_program=SeenProgram(generation=2**40, digest="2" * 32),
    )
    verdict = Verdict(phase=phase, reason="ProgramError", message=LONG, next_attempt_at=5.5)
    return build_status(observed, verdict, 1000.5, pinned_fields(make_raw_spec()))


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.MAPPING])
def test_the_operators_status_fits_the_crd(phase: Phase) -> None:
    schema = job_schema()["properties"]["status"]
    status = write_status(phase)
    assert list(iter_unknown_fields(schema, status, "status")) == []
    assert [error.message[:200] for error in Draft4Validator(as_json_schema(schema)).iter_errors(status)] == []


def test_every_field_of_the_status_is_written() -> None:
    adopted = {"installation"}  # the loop writes it before anything else
    replaced = make_observed(run_id="1-g2", superseded="1")
    written = {*write_status(), *write_status(Phase.MAPPING), *build_status(replaced, PLANNING, 1000.5, None)}
    assert written | adopted == set(job_schema()["properties"]["status"]["properties"])


def test_live_fields_are_fields_of_the_spec() -> None:
    assert set(job_schema()["properties"]["spec"]["properties"]) > LIVE_FIELDS


def test_the_tests_specs_have_the_crds_defaults() -> None:
    assert make_raw_spec() == DEFAULTED_SPEC


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_described(part: str) -> None:
    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        fields = schema.get("properties", {}) | (
            {"[]": schema["items"]} if "properties" in schema.get("items", {}) else {}
        )
        missing = [f"{path}.{name}" for name, field in fields.items() if name != "[]" and "description" not in field]
        return missing + [each for name, field in fields.items() for each in undescribed(field, f"{path}.{name}")]

    assert undescribed(job_schema()["properties"][part], part) == []


@pytest.mark.parametrize("names", [JOBS, PIPELINES, SCHEDULES], ids=["jobs", "pipelines", "schedules"])
def test_each_default_is_in_its_description_because_kubectl_explain_shows_no_other(names: ResourceNames) -> None:
    def untold(schema: Mapping[str, Any], path: str) -> list[str]:
        default = schema.get("default", {})
        shown = json.dumps(default) if isinstance(default, bool) else str(default)
        told = isinstance(default, dict) or str(schema["description"]).endswith(f"Default: {shown}.")
        fields = {f"{path}.{name}": field for name, field in schema.get("properties", {}).items()}
        fields |= {f"{path}[]": schema["items"]} if "items" in schema else {}
        deeper = [each for place, field in fields.items() for each in untold(field, place)]
        return deeper if told else [path, *deeper]

    assert untold(schema_of(names)["properties"]["spec"], "spec") == []


WIDE_COLUMNS = ["Percent", "Left", "Run", "Reason", "Started", "Ended", "Took", "Failures", "Skipped", "Installation"]
"""Besides the others, with --output wide."""


def test_printer_columns_are_those_of_the_readme() -> None:
    columns = load_crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if not column.get("priority")]
    assert shown == ["Phase", "Maps", "Reduces", "Changed", "Age"]
    assert [column["name"] for column in columns if column.get("priority")] == WIDE_COLUMNS


def test_the_schema_is_that_of_the_version_whatever_the_order() -> None:
    def version(name: str) -> dict[str, Any]:
        return {"name": name, "schema": {"openAPIV3Schema": {"description": name}}}

    crd = {"spec": {"versions": [version("v1"), version("v1beta1")]}}
    assert schema_of_version(crd, "v1beta1") == {"description": "v1beta1"}


def changed(pinned: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[str, ...]:
    """What is told to have changed since the plan."""
    return spec_changed(known_spec(pinned), known_spec(current))


def without(spec: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """The spec as a release without this field stores it."""
    if len(place) == 1:
        return {name: value for name, value in spec.items() if name != place[0]}
    return {**spec, place[0]: without(spec[place[0]], place[1:])}


def defaulted_places(schema: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The place of each field of `spec` that has a default."""
    for name, child in schema.get("properties", {}).items():
        if "default" in child:
            yield (name,)
        if isinstance(spec.get(name), Mapping):
            yield from ((name, *place) for place in defaulted_places(child, spec[name]))


PLACES = sorted(defaulted_places(job_schema()["properties"]["spec"], make_raw_spec()))


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_field_that_a_release_adds_with_a_default_is_no_change(place: tuple[str, ...]) -> None:
    newer, older = make_raw_spec(), without(make_raw_spec(), place)
    assert changed(older, newer) == ()
    assert changed(newer, older) == ()


def test_a_field_of_another_release_is_no_change() -> None:
    spec = make_raw_spec()
    other = {**spec, "novel": 1, "input": {**spec["input"], "novel": True}}
    assert changed(other, spec) == ()
    assert changed(spec, other) == ()


def test_an_edit_of_a_template_is_told() -> None:
    spec = make_raw_spec()
    edited = {**spec, "podTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"disk": "ssd"}}}}
    assert changed(spec, edited) == ("spec.podTemplate",)


def test_a_spec_without_its_defaults_is_the_same_whether_they_were_given_or_not() -> None:
    given = {
        "program": {"source": "x", "parameters": {"suspend": "false"}},
        "input": {"uris": ["s3://a/b"], "format": "CSV"},
        "output": {"uri": "s3://a/c/"},
        "backoff": {"factor": 3},
        "podTemplate": {"spec": {"volumes": [{"name": "x", "emptyDir": {}}]}},
    }
    for spec in (given, known_spec(given), known_spec({**given, "suspend": False, "none": 1})):
        assert explicit_spec(spec) == given
