"""Records of an earlier release are read: what they do not say has a default."""

import json
from typing import Any

from podreduce.contract.task import CommitRecord, KeySample, ShuffleManifest
from podreduce.contract.wire import decode, encode
from tests.builders import make_commit


def without(record: Any, *names: str) -> bytes:
    fields = json.loads(encode(record))
    return json.dumps({name: value for name, value in fields.items() if name not in names}).encode()


def test_a_commit_without_samples_and_heavy_keys_is_read() -> None:
    record = make_commit()
    assert decode(without(record, "keySamples", "heavyKeys", "encodedBytes"), CommitRecord) == record


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
