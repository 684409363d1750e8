"""Batches of jobs that skip bad records: tried again in halves, down to the rows that raise."""

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramError, TooManyBadRecordsError
from podreduce.contract.plan import InputOptions
from podreduce.contract.task import CommitRecord
from tests.support.task_runs import TaskRun

PICKY = """
import pyarrow as pa, pyarrow.compute as pc
class Job:
    {members}
    calls = 0
    def setup(self, context):
        self.context = context
    def map_batch(self, batch):
        self.context.count("map", "calls")
        words = pc.split_pattern_regex(batch["value"], " +").flatten()
        self.context.count("map", "words", len(words))
        yield pa.record_batch({{"key": words, "value": pa.array([1] * len(words), pa.int64())}})
        if pc.any(pc.match_substring(batch["value"], "bad")).as_py():
            raise ValueError("bad words")
"""
WAYS = {
    "declared": "combiner = 'sum'",
    "rows": "def reduce_func(self, key, values): yield key, len([*values])",
    "batches": (
        "def reduce_batch(self, batch):\n"
        "        counted = pa.table(batch).group_by('key').aggregate([('value', 'sum')])\n"
        "        return pa.table({'key': counted['key'], 'value': counted['value_sum']})"
    ),
    "map-only": "",
}


def skipping(source: str, data: bytes, **fields: Any) -> TaskRun:
    """A run of one object that skips bad records."""
    changes = {"bad_records": "Skip", **fields.pop("plan_changes", {})}
    return TaskRun(source=source, objects={"a": data}, plan_changes=changes, **{"partitions": 2, **fields})


def quarantined(run: TaskRun, record: CommitRecord) -> list[dict[str, Any]]:
    """The lines that an attempt has kept."""
    assert record.quarantine
    return [json.loads(line) for line in run.store.get(record.quarantine.key).decode().splitlines()]


def counts_of(lines: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for word, count in (line.split("\t") for line in lines):
        counts[word] += int(count)
    return counts


@pytest.mark.parametrize("way", WAYS)
def test_the_rows_that_raise_are_skipped_and_the_others_counted(way: str) -> None:
    lines = ["the quick fox", "a bad one", "", "the end", "bad"] * 40
    run = skipping(PICKY.format(members=WAYS[way]), "\n".join(lines).encode(), partitions=0 if way == "map-only" else 2)
    record = run.map(0)
    expected = Counter(" ".join(line for line in lines if "bad" not in line).split())
    found = counts_of(run.lines_of([record] if way == "map-only" else run.reduce_all([record])))
    assert {word: count for word, count in found.items() if word} == expected
    kept = quarantined(run, record)
    assert [line["text"] for line in kept] == ["a bad one", "bad"] * 40
    assert (kept[0]["key"], kept[0]["error"]) == (14, "ValueError: bad words")
    assert record.records_in == len(lines)


def test_a_batch_that_raised_counts_for_nothing() -> None:
    run = skipping(PICKY.format(members=WAYS["declared"]), b"one two\nbad\nthree\n")
    record = run.map(0)
    assert record.counters["map"] == {"calls": 2, "words": 3}
    assert (record.records_in, record.records_out) == (3, 3)


def test_few_bad_rows_cost_few_calls() -> None:
    program = PICKY.format(members=WAYS["declared"]).replace('self.context.count("map", "calls")', "Job.calls += 1")
    program += "    def teardown(self):\n        self.context.count('map', 'all calls', Job.calls)\n"
    lines = [b"word"] * 4096
    lines[1234] = b"bad"
    record = skipping(program, b"\n".join([*lines, b""])).map(0)
    assert record.counters["map"]["all calls"] == 1 + 2 * 12


def test_keys_that_cannot_be_shuffled_make_their_row_bad() -> None:
    source = """
import pyarrow as pa, pyarrow.compute as pc
class Job:
    combiner = "count"
    def map_batch(self, batch):
        return pa.record_batch({"key": pc.cast(batch["value"], pa.float64()), "value": batch["value"]})
"""
    run = skipping(source, b"1\nnan\nx\n2.5\n", partitions=1)
    record = run.map(0)
    assert run.lines_of(run.reduce_all([record])) == ["1\t1", "2.5\t1"]
    nan, text = quarantined(run, record)
    assert (nan["key"], "NaN among its keys" in nan["error"]) == (2, True)
    assert (text["key"], text["error"].partition(":")[0]) == (6, "ArrowInvalid")


def test_a_batch_that_the_output_format_cannot_write_makes_its_rows_bad() -> None:
    source = """
import pyarrow as pa
class Job:
    def map_batch(self, batch):
        for key, value in zip(*batch.columns):
            yield pa.record_batch({"key": [b"k"], "value": [value.as_py().encode() or None]})
"""
    run = skipping(source, b"1\n\n2\n", partitions=0, plan_changes={"output_format": "FixedLength"})
    record = run.map(0)
    assert record.part
    assert run.output.get(record.part.key) == b"k1k2"
    assert [line["key"] for line in quarantined(run, record)] == [2]


def test_parquet_parts_hold_the_good_rows_of_batches() -> None:
    run = skipping(
        PICKY.format(members=""),
        b"one two\na bad one\nthree\n",
        partitions=0,
        plan_changes={"output_format": "Parquet"},
    )
    record = run.map(0)
    assert record.part
    table = pq.read_table(pa.BufferReader(run.output.get(record.part.key)))
    assert table.to_pylist() == [{"key": word, "value": 1} for word in ("one", "two", "three")]
    assert [line["text"] for line in quarantined(run, record)] == ["a bad one"]


@pytest.mark.parametrize(
    ("input_format", "data", "key"),
    [
        ("Text", b"1\n\xff\n3\n", 2),
        ("JSONLines", b'{"value": "1"}\n[]\n{"value": "3"}\n', 15),
        ("CSV", b"value\n1\n2,2\n3\n", 8),
    ],
)
def test_what_cannot_be_decoded_does_not_get_into_a_batch(input_format: str, data: bytes, key: int) -> None:
    source = """
class Job:
    def map_batch(self, batch):
        return batch.select(["value"]).append_column("doubled", batch["value"])
"""
    run = skipping(source, data, partitions=0, plan_changes={"input_format": input_format})
    record = run.map(0)
    assert run.lines_of([record]) == ["1\t1", "3\t3"]
    assert [(line["key"], line["reason"]) for line in quarantined(run, record)] == [(key, "InputError")]
    assert record.records_in == 3


def test_records_of_fixed_length_are_named_by_their_keys() -> None:
    source = """
class Job:
    def map_batch(self, batch):
        if b"bad" in batch["value"].to_pylist():
            raise ValueError("bad")
        return batch
"""
    changes = {
        "input_format": "FixedLength",
        "input_options": InputOptions(record_length=5, key_length=2),
        "output_format": "FixedLength",
    }
    run = skipping(source, b"k1onek2badk3two", partitions=0, plan_changes=changes)
    record = run.map(0)
    (line,) = quarantined(run, record)
    assert (line["unit"], line["key"], line["text"]) == ("key", "b'k2'", "bad")


@pytest.mark.parametrize(
    ("members", "body", "message"),
    [
        ("combiner = 'sum'", "return batch", "cannot take values of the key 0: .* 'str'"),
        ("combiner = 'sum'", "return batch.append_column('c', batch['key'])", "needs exactly two, key and value"),
        ("combiner = 'sum'", "raise MemoryError", None),
    ],
    ids=["what cannot be added", "columns", "memory"],
)
def test_what_is_no_rows_fault_fails_the_attempt(members: str, body: str, message: str | None) -> None:
    source = f"class Job:\n    {members}\n    def map_batch(self, batch):\n        {body}\n"
    with pytest.raises(MemoryError if message is None else ProgramError, match=message):
        skipping(source, b"x\ny\n").map(0)


def test_an_attempt_with_too_many_bad_rows_fails() -> None:
    run = skipping(PICKY.format(members=WAYS["declared"]), b"bad\n" * 9)
    with pytest.raises(TooManyBadRecordsError, match=r"more bad records \(6\)") as told:
        run.map(0, max_bad_records=5)
    assert told.value.record == f"{run.input.uri}a at byte 20: 'bad'"


@settings(max_examples=40)
@given(
    lines=st.lists(st.sampled_from(["the end", "", "bad", "so bad", "x", "no\ufffd"]), max_size=40),
    places=st.lists(st.floats(0, 1), max_size=3),
    way=st.sampled_from(["declared", "rows", "batches"]),
)
def test_whatever_rows_are_bad_the_output_is_that_of_the_good_ones(
    lines: list[str], places: list[float], way: str
) -> None:
    data = "\n".join(lines).encode().replace("\ufffd".encode(), b"\xff")
    run = skipping(PICKY.format(members=WAYS[way]), data, cuts=sorted(round(place * len(data)) for place in places))
    maps = [run.map(index) for index in range(run.plan.shards)]
    found = counts_of(run.lines_of(run.reduce_all(maps)))
    bad = [line for line in lines if "bad" in line or "\ufffd" in line]
    expected = Counter(word for line in lines if line not in bad for word in line.split())
    assert {word: count for word, count in found.items() if word} == expected
    assert sum(record.quarantine.records for record in maps if record.quarantine) == len(bad)
