"""The CRD of schedules, by the local validator; the conformance suite asks the API server with the same table."""

import pytest

from podreduce_operator.api.crd import SCHEDULES, schema_of
from podreduce_operator.api.schedule_spec import decode_schedule_spec
from podreduce_operator.api.validation import CLUSTER_ONLY, InvalidJobError, validate_job
from tests.support.schedule_cases import DEFAULTED_SCHEDULE, REFUSED, SCHEDULE_CASES, ScheduleCase
from tests.unit.operator.api.test_validation import iter_rules, unlimited


@pytest.mark.parametrize("case", SCHEDULE_CASES, ids=lambda case: case.id)
def test_local_validation_agrees_with_the_table(case: ScheduleCase) -> None:
    if case.refused_at is None or case.only_on_cluster:
        decode_schedule_spec(validate_job(case.manifest())["spec"])
        return
    with pytest.raises(InvalidJobError) as refusal:
        validate_job(case.manifest())
    assert {problem.path for problem in refusal.value.problems} == {case.refused_at}


def test_the_defaults_are_filled_in() -> None:
    assert validate_job(ScheduleCase(id="plain").manifest())["spec"] == DEFAULTED_SCHEDULE


def test_a_name_that_the_api_server_chooses_is_taken() -> None:
    manifest = ScheduleCase(id="plain").manifest()
    manifest["metadata"] = {"generateName": "nightly-"}
    validate_job(manifest)


def test_each_rule_that_schedules_alone_have_has_a_case_that_breaks_it() -> None:
    schema = dict(schema_of(SCHEDULES))
    spec = {**schema["properties"]["spec"]}
    spec["properties"] = {name: each for name, each in spec["properties"].items() if name != "jobTemplate"}
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
