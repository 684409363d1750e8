"""The CRD of schedules, by the local validator; the conformance suite asks the API server with the same table."""

import json

import pytest

from docs.generator.schedule_crd import render
from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, ResourceNames, load_crd, read_crd, schema_of
from podreduce_operator.api.schedule_spec import decode_schedule_spec
from podreduce_operator.api.spec import SpecError
from podreduce_operator.api.validation import (
    CLUSTER_ONLY,
    InvalidJobError,
    apply_crd_defaults,
    find_rule_problems,
    find_schema_problems,
    validate_job,
)
from podreduce_operator.cli.pipelines.pipeline_file import graph_rules
from tests.support.manifest_cases import ManifestCase
from tests.support.schedule_cases import DEFAULTED_SCHEDULE, REFUSED, SCHEDULE_CASES, SCHEDULE_CRD
from tests.unit.operator.api.test_validation import iter_rules, unlimited

OWN_CASES = [case for case in SCHEDULE_CASES if case.refused_at != "spec.pipelineTemplate.spec"]
"""Without those of a pipeline's graph: its rules are slow here, and `find_pipeline_problems` says the same."""


@pytest.mark.parametrize("case", OWN_CASES, ids=lambda case: case.id)
def test_local_validation_agrees_with_the_table(case: ManifestCase) -> None:
    manifest = apply_crd_defaults(case.manifest())
    problems = find_schema_problems(manifest) or find_rule_problems(manifest, known=graph_rules())
    if case.refused_at is None or case.only_on_cluster:
        assert problems == ()
        decode_schedule_spec(manifest["spec"])
    else:
        assert {problem.path for problem in problems} == {case.refused_at}


def test_the_defaults_are_filled_in() -> None:
    assert validate_job(SCHEDULE_CRD.case("plain").manifest())["spec"] == DEFAULTED_SCHEDULE


def test_a_name_that_the_api_server_chooses_is_taken() -> None:
    manifest = SCHEDULE_CRD.case("plain").manifest()
    manifest["metadata"] = {"generateName": "nightly-"}
    validate_job(manifest)


def test_each_rule_that_schedules_alone_have_has_a_case_that_breaks_it() -> None:
    schema = dict(schema_of(SCHEDULES))
    spec = {**schema["properties"]["spec"]}
    spec["properties"] = {name: each for name, each in spec["properties"].items() if not name.endswith("Template")}
    rules = {rule["message"] for rule in iter_rules({**schema, "properties": {"spec": spec}})}
    told = set()
    for case in REFUSED:
        with pytest.raises(InvalidJobError) as refusal:
            validate_job(case.manifest())
        told |= {problem.message for problem in refusal.value.problems}
    assert rules <= told
    assert not any(rule.startswith(CLUSTER_ONLY) for rule in rules)


def test_every_text_and_list_of_the_spec_has_a_limit() -> None:
    assert list(unlimited(dict(schema_of(SCHEDULES))["properties"]["spec"], "spec")) == []


@pytest.mark.parametrize(("names", "field"), [(JOBS, "jobTemplate"), (PIPELINES, "pipelineTemplate")])
def test_the_spec_of_a_template_is_that_of_its_own_crd(names: ResourceNames, field: str) -> None:
    template = schema_of(SCHEDULES)["properties"]["spec"]["properties"][field]
    assert template["properties"]["spec"] == schema_of(names)["properties"]["spec"], "run `make docs`"


def test_both_templates_get_the_same_metadata() -> None:
    fields = schema_of(SCHEDULES)["properties"]["spec"]["properties"]
    of_jobs, of_pipelines = (
        dict(fields[name]["properties"]["metadata"]["properties"]) for name in ("jobTemplate", "pipelineTemplate")
    )
    assert of_jobs == of_pipelines


def test_kubectl_can_apply_it() -> None:
    """kubectl keeps the whole manifest in an annotation as JSON, and all annotations have 256 KiB."""
    assert len(json.dumps(load_crd(SCHEDULES)).encode()) < 200_000


def test_its_templates_have_the_specs_of_jobs_and_pipelines() -> None:
    text = read_crd(SCHEDULES)
    assert render(text) == text, "run `make docs`"


@pytest.mark.parametrize("templates", [(), ("jobTemplate", "pipelineTemplate")])
def test_a_spec_that_an_older_crd_has_cut_is_not_understood(templates: tuple[str, ...]) -> None:
    spec = {name: value for name, value in DEFAULTED_SCHEDULE.items() if name != "jobTemplate"}
    with pytest.raises(SpecError, match="set exactly one of jobTemplate and pipelineTemplate"):
        decode_schedule_spec({**spec, **{name: {"spec": {}} for name in templates}})
