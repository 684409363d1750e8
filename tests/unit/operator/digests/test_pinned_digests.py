from typing import Any

import pytest

from podreduce_operator.api.crd import known_spec
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.digests.pinned_digests import digest_pinned, digest_text
from tests.support.builders.jobs import make_raw_output, make_raw_spec


@pytest.mark.parametrize(
    "changes",
    [{"runId": "2"}, {"suspend": True}, {"parallelism": 3}, {"badRecords": "Fail"}],
    ids=["run id", "live field", "live number", "default"],
)
def test_what_no_plan_pins_changes_no_digest(changes: dict[str, Any]) -> None:
    plain = digest_pinned(make_raw_spec())
    assert digest_pinned(make_raw_spec(**changes)) == plain


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "other"},
        {"map": {"shards": 7}},
        {"output": make_raw_output(format="JSONLines")},
        {"podTemplate": {"spec": {"priorityClassName": "low"}}},
        {"program": {"source": "class Other:\n    pass\n"}},
    ],
    ids=["image", "shards", "format", "template", "program"],
)
def test_every_field_that_a_plan_pins_changes_the_digest(changes: dict[str, Any]) -> None:
    assert digest_pinned(make_raw_spec(**changes)) != digest_pinned(make_raw_spec())


def test_the_plans_form_of_a_spec_has_the_digest_of_the_spec() -> None:
    spec = make_raw_spec(map={"shards": 7})
    assert digest_pinned(pinned_fields(known_spec(spec))) == digest_pinned(spec)


def test_digests_are_the_same_in_every_release() -> None:
    spec = {"program": {"module": "jobs"}, "input": {"uris": ["s3://a/b"]}, "output": {"uri": "s3://a/c/"}}
    assert digest_pinned(spec) == "b977270de12e199bbedbb1f3d89f0af9"
    assert digest_text("class A: pass\n") == "5b98e423bc71c375857311f5db519f9b"
    assert digest_text("\ud800") != digest_text("")
