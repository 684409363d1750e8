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
from tests.e2e.oracle import count_words, read_words, sum_milliseconds_by_url

pytestmark = pytest.mark.e2e

MILLISECONDS = """\
import pyarrow as pa


class Milliseconds:
    combiner = "sum"

    def map_batch(self, batch):
        return pa.table({"key": batch["1"], "value": batch["3"].cast(pa.int64())})
"""

EVEN = """\
class Even:
    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        count = sum(values)
        if count % 2 == 0:
            yield key, count
"""

COUNT_SOME = """\
import os


class CountSome:
    def setup(self, context):
        self.context, self.rows = context, []
        self.words = dict(context.side_input("words"))
        assert context.side_table("words").num_rows == len(self.words)
        self.report = None
        if context.task.startswith("r"):
            self.report = context.output_file(f"reports/{context.task}.txt")
            self.report.write_text("of an attempt that does not count")
            if os.environ["PODREDUCE_POD_NAME"].endswith("-r-0-1"):
                os._exit(9)

    def map_func(self, key, value):
        for word in value.split():
            if word in self.words:
                yield word, 1

    def reduce_func(self, key, values):
        count = sum(values)
        self.rows.append(f"{key} {count}\\n")
        yield key, count

    def teardown(self):
        if self.report:
            self.report.write_text("".join(self.rows))
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


def test_side_inputs_and_files_beside_the_parts(world: JobWorld) -> None:
    """The words of one job choose those of the next; files are of the attempts that count, in pods of several tasks."""
    even = {word: count for word, count in count_words().items() if count % 2 == 0}
    assert even
    world.run("chosen", EVEN, output={"uri": world.output_uri("chosen"), "format": "Pairs"})
    spec: dict[str, Any] = {
        "sideInputs": [{"name": "words", "uris": [world.output_uri("chosen")], "format": "Pairs"}],
        "map": {"shards": 6},
        "reduce": {"partitions": 3},
        "tasksPerPod": 3,
        "backoff": {"initialSeconds": 1},
    }
    world.run("counted", COUNT_SOME, **spec)
    assert read_words(world.parts("counted")) == even
    output = world.objects("counted")
    manifest = json.loads(output["_MANIFEST.json"])
    names = [each["name"] for each in manifest["files"]]
    assert names == [f"_files/reports/r-{index}.txt" for index in range(3)]
    assert {name for name in output if name.startswith("_files/")} == {*names}
    told = [line for name in names for line in output[name].decode().splitlines()]
    assert sorted(told) == sorted(f"{word} {count}" for word, count in even.items())


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
