import copy
from collections.abc import Iterator
from typing import Any

import pytest

from podreduce_operator.api.crd import API_VERSION, GROUP, KIND, PLURAL, VERSION, job_schema, load_crd, read_crd
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.api.validation import (
    CLUSTER_ONLY,
    InvalidJobError,
    validate_job,
)
from tests.support.crd_cases import CRD_CASES, DEFAULTED_SPEC, JOB_CRD, NAMED_INPUTS, REFUSED, VALID_SPEC
from tests.support.manifest_cases import ABSENT, ManifestCase


@pytest.mark.parametrize("case", CRD_CASES, ids=lambda case: case.id)
def test_local_validation_agrees_with_the_table(case: ManifestCase) -> None:
    if case.refused_at is None or case.only_on_cluster:
        decode_spec(validate_job(case.manifest())["spec"])
        return
    with pytest.raises(InvalidJobError) as refusal:
        validate_job(case.manifest())
    assert {problem.path for problem in refusal.value.problems} == {case.refused_at}


def iter_rules(schema: dict[str, Any]) -> list[dict[str, str]]:
    children = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    below = [rule for child in children if child for rule in iter_rules(child)]
    return [*schema.get("x-kubernetes-validations", []), *below]


def test_each_rule_of_the_crd_has_a_case_that_breaks_it() -> None:
    rules = iter_rules(load_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    messages = {rule["message"] for rule in rules if not rule["message"].startswith(CLUSTER_ONLY)}
    told = set()
    for case in REFUSED:
        with pytest.raises(InvalidJobError) as refusal:
            validate_job(case.manifest())
        told |= {problem.message for problem in refusal.value.problems}
    assert messages <= told
    assert len([rule for rule in rules if rule["message"].startswith(CLUSTER_ONLY)]) == 6


@pytest.mark.parametrize("field", ["inputs", "sideInputs"])
def test_named_inputs_have_all_that_the_one_input_has(field: str) -> None:
    spec = job_schema()["properties"]["spec"]["properties"]
    one, named = spec["input"], spec[field]["items"]
    left_out = {"sample"} if field == "sideInputs" else set()  # a side input is read in full
    assert {*named["properties"]} == {"name", *one["properties"]} - left_out
    options = {*one["properties"]} - {"uris", *left_out}
    assert {name: named["properties"][name] for name in options} == {name: one["properties"][name] for name in options}
    rules_of_samples = (
        [each for each in one["x-kubernetes-validations"] if "sample" in each["rule"]] if left_out else []
    )
    expected = [each for each in one["x-kubernetes-validations"] if each not in rules_of_samples]
    assert named["x-kubernetes-validations"] == expected
    rules = (schema["properties"]["uris"]["items"]["x-kubernetes-validations"] for schema in (one, named))
    assert next(rules) == next(rules)


def unlimited(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The strings and lists below a schema that may have any length."""
    if schema.get("type") == "string" and not {"maxLength", "enum"} & {*schema}:
        yield path
    if schema.get("type") == "array" and "maxItems" not in schema:
        yield path
    children = {f"{path}.{name}": each for name, each in schema.get("properties", {}).items()}
    children |= {f"{path}[{name}]": schema[name] for name in ("items", "additionalProperties") if name in schema}
    for name, child in children.items():
        if isinstance(child, dict):
            yield from unlimited(child, name)


def test_every_text_and_list_of_the_spec_has_a_limit() -> None:
    """The API server reckons with megabytes for each that has none, and refuses the rules that read it."""
    assert list(unlimited(job_schema()["properties"]["spec"], "spec")) == []


def test_named_inputs_get_their_defaults() -> None:
    spec = validate_job(JOB_CRD.case("named", changes={"input": ABSENT, "inputs": NAMED_INPUTS}).manifest())["spec"]
    assert [each["encodingErrors"] for each in spec["inputs"]] == ["Strict", "Strict"]
    assert "input" not in spec
    spec = validate_job(JOB_CRD.case("side", changes={"sideInputs": NAMED_INPUTS}).manifest())["spec"]
    assert [each["encodingErrors"] for each in spec["sideInputs"]] == ["Strict", "Strict"]


def test_defaults_are_those_of_the_design() -> None:
    assert validate_job(JOB_CRD.case("plain").manifest())["spec"] == DEFAULTED_SPEC


def test_nulls_take_the_default_or_go() -> None:
    spec = validate_job(JOB_CRD.case("nulls", changes={"suspend": None, "image": None}).manifest())["spec"]
    assert spec == DEFAULTED_SPEC


def test_pod_templates_are_left_alone() -> None:
    template = {"spec": {"nodeSelector": None, "typo": [None]}}
    spec = validate_job(JOB_CRD.case("template", changes={"podTemplate": template}).manifest())["spec"]
    assert spec["podTemplate"] == template


def test_validation_does_not_change_what_it_is_given() -> None:
    manifest = JOB_CRD.case("plain").manifest()
    before = copy.deepcopy(manifest)
    validate_job(manifest)
    assert manifest == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"reduce": {"partitions": "four"}},
            'spec.reduce.partitions: must be an integer from 0 to 4096, got "four"',
            id="type",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: must be an integer ≥ 1, got 0", id="minimum"
        ),
        pytest.param(
            {"output.ifExists": "Skip"}, 'spec.output.ifExists: must be Fail or Replace, got "Skip"', id="enum"
        ),
        pytest.param({"output": ABSENT}, "spec.output: is required: a mapping", id="required"),
        pytest.param(
            {"runId": 2},
            "spec.runId: must be a string of at most 63 characters like "
            "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$, got 2: put it in quotes",
            id="unquoted",
        ),
        pytest.param({"suspend": "yes"}, 'spec.suspend: must be true or false, got "yes"', id="boolean"),
        pytest.param({"input.uris": []}, "spec.input.uris: must be a list of 1 to 1000 items, got []", id="items"),
        pytest.param(
            {"program.source": ABSENT}, "spec.program: set exactly one of source, sourceFrom and module", id="rule"
        ),
        pytest.param({"reduces": {}}, "spec.reduces: unknown field; did you mean reduce?", id="unknown-field"),
        pytest.param(
            {"input.q": 1},
            "spec.input.q: unknown field; expected one of columns, csv, encodingErrors, filter, format, keyLength, "
            "recordLength, sample, schema, unknownFields, uris",
            id="unknown-field-like-none",
        ),
    ],
)
def test_problems_name_the_field_and_what_is_expected(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidJobError) as refusal:
        validate_job(JOB_CRD.case("broken", changes=changes).manifest())
    assert str(refusal.value) == expected


def test_all_problems_are_told_at_once() -> None:
    case = JOB_CRD.case("broken", changes={"runId": "", "suspend": 1, "sspend": True})
    with pytest.raises(InvalidJobError) as refusal:
        validate_job(case.manifest())
    assert [problem.path for problem in refusal.value.problems] == ["spec.sspend", "spec.runId", "spec.suspend"]


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        pytest.param({}, "metadata.name", id="no-name"),
        pytest.param({"generateName": ""}, "metadata.name", id="no-start-of-a-name"),
        pytest.param({"generateName": None}, "metadata.name", id="null-for-a-start"),
        pytest.param({"generateName": "WC-"}, "metadata.generateName", id="upper-case-start"),
        pytest.param({"generateName": "-wc"}, "metadata.generateName", id="start-that-no-name-has"),
        pytest.param({"generateName": "wc."}, "metadata.generateName", id="start-that-ends-a-part"),
        pytest.param({"generateName": 3}, "metadata.generateName", id="start-that-is-no-string"),
        pytest.param({"name": "WordCount"}, "metadata.name", id="upper-case"),
        pytest.param({"name": "a", "label": {}}, "metadata.label", id="unknown"),
        pytest.param({"name": "a", "labels": {"n": 1}}, "metadata.labels.n", id="label-no-string"),
    ],
)
def test_metadata_is_checked_too(metadata: dict[str, Any], path: str) -> None:
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": VALID_SPEC}
    with pytest.raises(InvalidJobError) as refusal:
        validate_job(manifest)
    assert [problem.path for problem in refusal.value.problems] == [path]


def test_the_crd_is_named_as_the_code_says() -> None:
    crd = load_crd()
    assert crd["metadata"]["name"] == f"{PLURAL}.{GROUP}"
    assert crd["spec"]["names"]["kind"] == KIND
    assert [version["name"] for version in crd["spec"]["versions"]] == [VERSION]
    assert f"{GROUP}/{VERSION}" == API_VERSION


def test_the_crd_is_small_enough_for_plain_kubectl_apply() -> None:
    assert len(read_crd().encode()) < 200 * 1024
