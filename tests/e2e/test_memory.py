"""A reduce larger than its memory: over 1 GiB into one partition of a pod limited to 256Mi, half under one key."""

import pytest

from tests.e2e.corpus import decompressed, real_text
from tests.e2e.jobs import JobWorld
from tests.e2e.oracle import parse_text_output

pytestmark = pytest.mark.e2e

VALUE_BYTES = 2000
LARGE = f"""\
import os
import zlib

class Large:
    def map_func(self, key, value):
        heavy = zlib.crc32(value.encode()) % 2 == 0
        yield ("heavy" if heavy else f"{{key}} {{value[:20]}}"), os.urandom({VALUE_BYTES})

    def reduce_func(self, key, values):
        yield key, sum(map(len, values))
"""
SMALL_POD = {"spec": {"containers": [{"name": "task", "resources": {"limits": {"memory": "256Mi"}}}]}}


def test_a_reduce_larger_than_its_memory_spills_and_finishes(world: JobWorld) -> None:
    lines = sum(len(data.splitlines()) for data in decompressed(real_text()))
    assert lines * VALUE_BYTES > 2**30
    reduce = {"partitions": 1, "podTemplate": SMALL_POD}
    world.start("large", LARGE, reduce=reduce, parallelism=2, backoffLimitPerTask=0)
    job = world.wait("large", "Complete", timeout=480)
    totals = {key: int(value) for key, value in parse_text_output(world.parts("large"))}
    assert sum(totals.values()) == lines * VALUE_BYTES
    assert totals["heavy"] > 0.4 * lines * VALUE_BYTES
    assert job["status"]["counters"]["podreduce"]["reduceSpills"] > 0
    assert job["status"]["failures"] == []


def test_a_full_disk_is_named_and_nothing_is_published(world: JobWorld) -> None:
    disk = {"name": "podreduce-scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}
    container = {"name": "task", "resources": {"limits": {"memory": "160Mi"}}}
    reduce = {"partitions": 1, "podTemplate": {"spec": {"containers": [container], "volumes": [disk]}}}
    one_object = f"{world.input_uri('words')}a.txt"
    world.start("full", LARGE, input_uri=one_object, map={"shards": 2}, reduce=reduce, backoffLimitPerTask=0)
    job = world.wait("full", "Failed")
    failure = job["status"]["failures"][0]
    assert (failure["task"], failure["reason"]) == ("r-0", "ScratchFull")
    assert "No space left" in failure["message"] or "room" in failure["message"]
    bucket, _, prefix = world.output_uri("full").removeprefix("s3://").partition("/")
    world.cluster.wait_for(lambda: not world.keys(bucket, prefix), "the end of what was staged and claimed")
