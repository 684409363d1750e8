"""Records of an earlier release are read: what they do not say has a default."""

import json
from typing import Any

from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, FailureRecord, KeySample, QuarantineRef, ShuffleManifest
from podreduce.contract.wire import decode, encode
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit, make_failure


def without(record: Any, *names: str) -> bytes:
    fields = json.loads(encode(record))
    return json.dumps({name: value for name, value in fields.items() if name not in names}).encode()


def test_a_commit_without_samples_and_heavy_keys_is_read() -> None:
    record = make_commit()
    assert decode(without(record, "keySamples", "heavyKeys", "encodedBytes"), CommitRecord) == record


def test_a_commit_a_failure_and_a_plan_that_know_nothing_of_bad_records_are_read() -> None:
    commit, failure, plan = make_commit(), make_failure(), make_plan()
    assert decode(without(commit, "quarantine"), CommitRecord) == commit
    assert decode(without(failure, "badRecords"), FailureRecord) == failure
    assert decode(without(plan, "badRecords"), Plan) == plan


def test_a_commit_says_how_many_records_were_bad_and_where_they_are() -> None:
    ref = QuarantineRef(key="quarantine/m-0-pod-0.jsonl", records=1200, kept=1000)
    record = make_commit(quarantine=ref)
    assert decode(encode(record), CommitRecord).quarantine == ref


def test_a_manifest_without_ranges_is_read() -> None:
    manifest = ShuffleManifest(
        generation=0,
        map_generations=(0,),
        maps=(),
        partitions=((0, 1),),
        partition_bytes=(5,),
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )
    assert decode(without(manifest, "ranges"), ShuffleManifest) == manifest


def test_samples_and_ranges_travel_as_base64() -> None:
    record = make_commit(key_samples=(KeySample(b"\x05a\xff", 7),))
    assert json.loads(encode(record))["keySamples"] == [["BWH/", 7]]
    assert decode(encode(record), CommitRecord) == record
