from typing import Any

import pytest

from podreduce_operator.api.spec import (
    LIVE_FIELDS,
    SpecError,
    decode_spec,
    pinned_fields,
    spec_changed,
)
from tests.support.builders.jobs import make_raw_spec, make_spec


def test_a_defaulted_spec_is_decoded() -> None:
    spec = make_spec(map={"shardSize": "64Mi"}, parallelism=3)
    assert (spec.run_id, spec.backoff.factor, spec.storage.secret_ref.name) == ("1", 2.0, "podreduce-storage")
    assert (spec.map.shards, spec.map.shard_bytes, spec.parallelism) == (None, 64 * 1024**2, 3)
    assert (spec.reduce.partitions, spec.image, spec.active_deadline_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"backoff": {"factor": 2, "maxSeconds": 300}},
            "spec.backoff: Object missing required field `initialSeconds`",
            id="missing",
        ),
        pytest.param({"map": {"shards": "8"}}, "spec.map.shards: Expected `int | null`, got `str`", id="type"),
        pytest.param(
            {"input": {"uris": [1], "format": "Text", "encodingErrors": "Strict"}},
            "spec.input.uris[0]: Expected `str`, got `int`",
            id="item",
        ),
        pytest.param(
            {"output": {"uri": "s3://a/b/", "format": "Avro", "ifExists": "Fail", "order": "Partition"}},
            "spec.output.format: Invalid enum value 'Avro'",
            id="enum",
        ),
    ],
)
def test_errors_start_with_the_fields_path(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as refusal:
        decode_spec(make_raw_spec(**changes))
    assert str(refusal.value) == expected


def test_a_spec_without_its_defaults_is_refused() -> None:
    raw_spec = make_raw_spec()
    del raw_spec["runId"]
    with pytest.raises(SpecError, match=r"^spec: Object missing required field `runId`$"):
        decode_spec(raw_spec)


def test_live_fields_are_not_pinned() -> None:
    live = {"parallelism": 2, "activeDeadlineSeconds": 60}
    pinned = pinned_fields(make_raw_spec(**live))
    assert not LIVE_FIELDS & pinned.keys()
    assert sorted(pinned) == [
        "badRecords",
        "execution",
        "input",
        "output",
        "program",
        "runId",
        "storage",
        "tasksPerPod",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"suspend": True, "parallelism": 1, "backoffLimitPerTask": 0}, (), id="live-fields"),
        pytest.param(
            {"ttlSecondsAfterFinished": 1, "activeDeadlineSeconds": 1, "backoff": {}}, (), id="more-live-fields"
        ),
        pytest.param({"maxBadRecords": 3}, (), id="how-many-bad-records"),
        pytest.param({"badRecords": "Skip"}, ("spec.badRecords",), id="what-is-done-with-them"),
        pytest.param({"runId": "2"}, (), id="run-id"),
        pytest.param({"image": "other"}, ("spec.image",), id="added"),
        pytest.param({"program": {"source": "other"}}, ("spec.program.source",), id="program"),
        pytest.param({"program": {"module": "jobs"}}, ("spec.program.module", "spec.program.source"), id="replaced"),
        pytest.param(
            {"map": {"shards": 3}, "reduce": {"partitions": 0}}, ("spec.map", "spec.reduce"), id="whole-parts"
        ),
    ],
)
def test_changes_of_pinned_fields_are_named(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert spec_changed(pinned_fields(make_raw_spec()), make_raw_spec(**changes)) == expected
