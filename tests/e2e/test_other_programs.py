"""What the standard programs do not use, on a real cluster: columns, order, formats, own combining, failurePolicy."""

import gzip
import io
import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.jobs import JobWorld
from tests.e2e.oracle import count_words, sum_milliseconds_by_url

pytestmark = pytest.mark.e2e

MILLISECONDS = """\
import pyarrow as pa


class Milliseconds:
    combiner = "sum"

    def map_batch(self, batch):
        return pa.table({"key": batch["1"], "value": batch["3"].cast(pa.int64())})
"""

OWN_PARTITIONS = """\
import os


class OwnPartitions:
    def setup(self, context):
        if os.environ["PODREDUCE_POD_NAME"].endswith("-m-2-1"):
            os._exit(3)

    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def combine_func(self, key, values):
        yield key, sum(values)

    def partition_func(self, key, partitions):
        return ord(key[0]) % partitions

    def reduce_func(self, key, values):
        yield key, sum(values)
"""


def test_columns_of_csv_come_out_as_parquet_in_total_order(world: JobWorld) -> None:
    data = {"job.py": MILLISECONDS}
    source = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "milliseconds"}, "data": data}
    world.cluster.apply(source, namespace=world.namespace)
    spec: dict[str, Any] = {
        "program": {"sourceFrom": {"configMapKeyRef": {"name": "milliseconds", "key": "job.py"}}},
        "input": {"uris": [world.input_uri("logs")], "format": "CSV", "csv": {"header": False}},
        "output": {"uri": world.output_uri("columns"), "format": "Parquet", "order": "Total"},
    }
    job = world.run("columns", "", **spec)
    tables = [pq.read_table(io.BytesIO(part)) for part in world.parts("columns")]
    rows = pa.concat_tables(tables)
    keys, sums = rows["key"].to_pylist(), rows["value"].to_pylist()
    assert dict(zip(keys, sums, strict=True)) == sum_milliseconds_by_url()
    assert keys == sorted(keys)
    assert min(len(table) for table in tables) > 0
    assert job["status"]["output"]["records"] == len(keys) == len(set(keys))


def test_own_combining_and_partitions_and_an_exit_code_that_costs_nothing(world: JobWorld) -> None:
    spec: dict[str, Any] = {
        "output": {"uri": world.output_uri("own"), "format": "JSONLines", "compression": "Gzip"},
        "backoffLimitPerTask": 0,
        "failurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]},
    }
    job = world.run("own", OWN_PARTITIONS, **spec)
    words: Counter[str] = Counter()
    for number, part in enumerate(world.parts("own")):
        for record in map(json.loads, gzip.decompress(part).splitlines()):
            assert ord(record["key"][0]) % 3 == number
            assert record["key"] not in words
            words[record["key"]] = record["value"]
    assert words == count_words()
    failures = [(failure["task"], failure["exitCode"], failure["counted"]) for failure in job["status"]["failures"]]
    assert failures == [("m-2", 3, False)]
