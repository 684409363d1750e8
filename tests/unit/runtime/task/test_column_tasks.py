"""Whole tasks of the columnar tier: each way of reducing gives what the row tiers give."""

import os
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from podreduce.contract.errors import InputError, ProgramError
from podreduce.contract.plan import InputOptions
from podreduce.contract.task import TaskRef, TaskType
from podreduce.task.attempt import open_attempt
from podreduce.task.skip_batches import columns_of
from podreduce.watching.memory import buffer_budget_bytes
from tests.support.task_runs import TaskRun

TEXT = b"the quick brown fox\njumps over the lazy dog\nthe end\n" * 50
COUNTS = Counter(TEXT.decode().split())

SPLIT = """
import pyarrow as pa, pyarrow.compute as pc
class Job:
    {members}
    def map_batch(self, batch):
        words = pc.split_pattern_regex(batch["value"], " +").flatten()
        return pa.record_batch({{"key": words, "value": pa.array([1] * len(words))}})
"""
WAYS = {
    "declared": "combiner = 'sum'",
    "counted": "combiner = 'count'",
    "recognised": "def reduce_func(self, key, values): yield key, sum(values)",
    "rows": "def reduce_func(self, key, values): yield key, len([*values])",
    "combined rows": (
        "def combine_func(self, key, values): yield key, sum(values)\n"
        "    def reduce_func(self, key, values): yield key, sum(0 + value for value in values)"
    ),
    "batches": (
        "def reduce_batch(self, batch):\n"
        "        counted = pa.table(batch).group_by('key').aggregate([('value', 'sum')])\n"
        "        return pa.table({'key': counted['key'], 'value': counted['value_sum']})"
    ),
}


def output_of(run: TaskRun, partitions: int = 2) -> list[str]:
    run.shuffle([run.map(index) for index in range(run.plan.shards)])
    lines = []
    for index in range(partitions):
        part = run.reduce(index).part
        assert part
        lines += run.output.get(part.key).decode().splitlines()
    return lines


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_reduce_counts_the_words(way: str) -> None:
    run = TaskRun(source=SPLIT.format(members=WAYS[way]), objects={"a": TEXT}, cuts=[1000])
    counts = {word: int(count) for word, count in (line.split("\t") for line in output_of(run))}
    assert counts == COUNTS


def test_the_tier_is_named_in_the_counters() -> None:
    record = TaskRun(source=SPLIT.format(members=WAYS["batches"]), objects={"a": TEXT}).map(0)
    assert record.counters["podreduce"]["columnarTasks"] == 1
    assert record.records_in == 150


def test_without_a_reduce_batches_are_the_output() -> None:
    run = TaskRun(source=SPLIT.format(members=""), objects={"a": TEXT}, partitions=0)
    part = run.map(0).part
    assert part
    assert run.output.get(part.key).decode().split("\n")[:2] == ["the\t1", "quick\t1"]


@pytest.mark.parametrize("members", [WAYS["batches"], WAYS["rows"]], ids=["batches", "rows"])
def test_a_skewed_map_of_batches_names_its_heaviest_key(members: str) -> None:
    record = TaskRun(source=SPLIT.format(members=members), objects={"a": b"the quick\n" + b"the\n" * 300}).map(0)
    heaviest = record.heavy_keys[0]
    assert (heaviest.key, heaviest.values) == ("the", 301)
    assert 0.9 * record.encoded_bytes < heaviest.size_bytes < record.encoded_bytes


NULLS = """
import pyarrow as pa
class Nulls:
    combiner = "{combiner}"
    def map_batch(self, batch):
        return pa.table({{"key": batch["k"], "value": batch["v"].cast(pa.int64())}})
"""


@pytest.mark.parametrize("cuts", [[], [88], [44, 88]], ids=["1 shard", "2 shards", "3 shards"])
@pytest.mark.parametrize("combiner", ["sum", "min", "max", "count"])
def test_nulls_and_shards(combiner: str, cuts: list[int]) -> None:
    lines = [b'{"k":"apple","v":null}\n'] * 4 + [b'{"k":"apple","v":1234}\n'] * 4
    changes = {"input_format": "JSONLines"}
    run = TaskRun(
        source=NULLS.format(combiner=combiner), objects={"a": b"".join(lines)}, plan_changes=changes, cuts=cuts
    )
    if combiner == "count":
        assert run.output_lines() == ["apple\t8"]
        return
    with pytest.raises(ProgramError, match=r"'apple'.*NoneType.*write a reduce_func"):
        run.output_lines()


class Unreadable:
    """A block whose records make no columns."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def to_arrow(self) -> pa.RecordBatch:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [pa.ArrowInvalid("two types"), pa.ArrowNotImplementedError("that type"), OverflowError("too large"), ValueError()],
    ids=lambda error: type(error).__name__,
)
def test_records_that_make_no_columns_are_the_inputs_error(error: Exception) -> None:
    run = TaskRun(source=SORT, objects={"a": b"x\n"})
    attempt = open_attempt(run.environment(TaskRef(type=TaskType.MAP, index=0)), run.settings)
    attempt.context.uri = "s3://bucket/object.jsonl"
    block: Any = Unreadable(error)
    with pytest.raises(InputError, match=r"s3://bucket/object\.jsonl: .* cannot become columns .*: give each field"):
        columns_of(block, attempt)


SETUP = """
import os
class Job:
    {members}
    def setup(self, context):
        os.environ["TABLES"] = "loaded"
    def {map_member}
"""
MAPS = {
    "rows": "map_func(self, key, value): yield value, 1",
    "batches": "map_batch(self, batch): return batch.rename_columns(['value', 'key'])",
}


@pytest.mark.parametrize("map_member", MAPS)
@pytest.mark.parametrize("way", ["counted", "rows"])
def test_the_budget_is_what_setup_leaves(monkeypatch: pytest.MonkeyPatch, map_member: str, way: str) -> None:
    found: list[str] = []

    def measured(limit: int) -> int:
        found.append(os.environ["TABLES"])
        monkeypatch.setenv("TABLES", "none yet")
        return buffer_budget_bytes(limit)

    monkeypatch.setenv("TABLES", "none yet")
    monkeypatch.setattr("podreduce.task.attempt.buffer_budget_bytes", measured)
    source = SETUP.format(members=WAYS[way], map_member=MAPS[map_member])
    run = TaskRun(source=source, objects={"a": b"x\ny\n"}, partitions=1)
    assert len(run.output_lines()) == 2
    assert found == ["loaded", "loaded"]


SORT = """
class Sort:
    def map_batch(self, batch): return batch
    def reduce_batch(self, batch): return batch
"""


def test_records_of_fixed_length_are_sorted() -> None:
    data = b"".join(b"%03d-value " % (number * 7919 % 1000) for number in range(1000))
    changes: dict[str, Any] = {
        "input_format": "FixedLength",
        "input_options": InputOptions(record_length=10, key_length=3),
        "output_format": "FixedLength",
    }
    run = TaskRun(source=SORT, objects={"a": data}, cuts=[3005], partitions=1, plan_changes=changes)
    run.shuffle([run.map(0), run.map(1)])
    part = run.reduce(0).part
    assert part
    assert run.output.get(part.key) == b"".join(b"%03d-value " % number for number in range(1000))


@pytest.mark.parametrize(
    ("members", "body", "message"),
    [
        ("", "return 5", "Job.map_batch returned int 5: return a pyarrow.RecordBatch"),
        ("combiner = 'sum'", "return batch.rename_columns(['a', 'b'])", "name one of them key"),
        ("combiner = 'sum'", "return batch.append_column('c', batch['key'])", "needs exactly two, key and value"),
        ("combiner = 'sum'", "return batch", "cannot take values of the key 0: .* 'str'"),
        (
            "combiner = 'sum'",
            "return pa.table({'key': ['a'], 'value': pa.array([None], 'int8')})",
            "key 'a': .*NoneType",
        ),
        (
            "combiner = 'max'",
            "return pa.table({'key': ['a'], 'value': pa.array([1], pa.timestamp('ns'))})",
            "a timestamp.ns. that Python cannot hold .*: cast the column",
        ),
        ("combiner = 'max'", "return 1 / 0", "ZeroDivisionError"),
        (
            "def reduce_batch(self, batch): return batch",
            "yield pa.record_batch({'key': ['a'], 'value': [1]}); yield pa.record_batch({'key': [1], 'value': [1]})",
            "whose columns do not match",
        ),
    ],
)
def test_what_a_batch_may_not_be_is_a_program_error(members: str, body: str, message: str) -> None:
    source = f"import pyarrow as pa\nclass Job:\n    {members}\n    def map_batch(self, batch):\n        {body}\n"
    run = TaskRun(source=source, objects={"a": b"x\ny\n"}, partitions=1 if members else 0)
    with pytest.raises(ProgramError, match=message):
        run.map(0)
