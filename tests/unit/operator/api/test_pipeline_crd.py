"""The CRD of pipelines: its rules, its defaults, its parts that are those of jobs, and its size."""

from pathlib import Path
from typing import Any

import pytest

from docs.generator.pipeline_crd import OF_THE_PIPELINE, render
from podreduce_operator.api.crd import PIPELINES, job_schema, load_crd, read_crd, schema_of
from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.api.validation import (
    apply_crd_defaults,
    find_problems,
    find_rule_problems,
    find_schema_problems,
)
from podreduce_operator.cli.pipelines.pipeline_file import graph_rules
from podreduce_operator.cluster.kubernetes.resource_kinds import parse_pipeline
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.pipelines.job_of_step import STEP_FIELDS
from tests.support.builders.pipelines import PAGERANK, PIPELINE_DEFAULTS
from tests.support.manifest_cases import ManifestCase
from tests.support.pipeline_cases import DEFAULTED_PIPELINE, DEFAULTED_STEP, PIPELINE_CASES, PIPELINE_CRD

ROOT = Path(__file__).parents[4]
SPEC = schema_of(PIPELINES)["properties"]["spec"]
STEP = SPEC["properties"]["steps"]["items"]
MOST_BYTES = 200_000


GRAPH_CASES = [case for case in PIPELINE_CASES if case.refused_at == "spec"]
OTHER_CASES = [case for case in PIPELINE_CASES if case.refused_at != "spec"]


@pytest.mark.parametrize("case", OTHER_CASES, ids=lambda case: case.id)
def test_the_local_validator_agrees_with_the_table(case: ManifestCase) -> None:
    manifest = apply_crd_defaults(case.manifest())
    found = find_schema_problems(manifest) or find_rule_problems(manifest, known=graph_rules())
    if case.refused_at is None or case.only_on_cluster:
        assert found == ()
        assert find_pipeline_problems(decode_pipeline_spec(manifest["spec"])) == ()
    else:
        assert case.refused_at in {problem.path for problem in found}


@pytest.mark.parametrize("case", GRAPH_CASES, ids=lambda case: case.id)
def test_a_wrong_graph_is_refused_by_the_rules_and_told_by_the_function(case: ManifestCase) -> None:
    manifest = apply_crd_defaults(case.manifest())
    assert "spec" in {problem.path for problem in find_problems(manifest)}
    assert find_pipeline_problems(decode_pipeline_spec(manifest["spec"])) != ()


def test_the_rules_take_a_right_graph() -> None:
    assert find_problems(apply_crd_defaults(PIPELINE_CRD.case("plain").manifest())) == ()


def test_defaults_are_filled_in() -> None:
    spec = apply_crd_defaults(PIPELINE_CRD.case("plain").manifest())["spec"]
    assert {name: value for name, value in spec.items() if name not in PAGERANK} == DEFAULTED_PIPELINE
    assert set(DEFAULTED_PIPELINE) == set(PIPELINE_DEFAULTS)
    for step, written in zip(spec["steps"], PAGERANK["steps"], strict=True):
        assert {name: value for name, value in step.items() if name not in written} == DEFAULTED_STEP
    assert spec["steps"][3]["output"] == {
        "uri": "s3://web/top",
        "compression": "None",
        "ifExists": "ReplaceOwn",
        "order": "Partition",
    }
    assert spec["loops"][0]["until"][0]["of"] == "Value"


def test_the_operator_reads_a_pipeline_with_its_defaults() -> None:
    manifest = PIPELINE_CRD.case("plain").manifest()
    metadata = {**manifest["metadata"], "uid": "u-1", "labels": {"team": "shop"}}
    view = parse_pipeline({**manifest, "metadata": metadata}, JobKey(namespace="shop", name="case"))
    assert view.raw_spec == apply_crd_defaults(manifest)["spec"]
    assert (view.uid, view.labels, view.spec.on_step_failure) == ("u-1", {"team": "shop"}, "FinishRunning")


def test_the_parts_of_a_job_are_those_of_its_crd() -> None:
    text = read_crd(PIPELINES)
    assert render(text) == text, "run `make docs`"


def test_a_step_has_each_field_of_a_job_that_the_pipeline_does_not_decide() -> None:
    of_jobs = set(job_schema()["properties"]["spec"]["properties"]) - OF_THE_PIPELINE
    assert set(STEP["properties"]) == of_jobs | STEP_FIELDS


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_described(part: str) -> None:
    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        fields = dict(schema.get("properties", {}))
        items = schema.get("items", {})
        missing = [f"{path}.{name}" for name, each in fields.items() if "description" not in each]
        below = [name for field, each in fields.items() for name in undescribed(each, f"{path}.{field}")]
        return missing + below + (undescribed(items, f"{path}[]") if "properties" in items else [])

    assert undescribed(schema_of(PIPELINES)["properties"][part], part) == []


def test_kubectl_can_apply_it() -> None:
    assert len(read_crd(PIPELINES).encode()) < MOST_BYTES


def test_printer_columns() -> None:
    columns = load_crd(PIPELINES)["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [each["name"] for each in columns if not each.get("priority")] == ["Phase", "Steps", "Loop", "Age"]
