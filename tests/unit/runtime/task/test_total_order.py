"""Whole tasks in total order or partitioned by a prefix: the parts together are sorted, and keys stay together."""

import json
import random
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.errors import MapOutputLostError, ProgramError
from podreduce.contract.task import CommitRecord
from tests.support.builders.tasks import map_task
from tests.support.task_runs import WORD_COUNT, TaskRun

SORT = """
class Sort:
    def map_func(self, key, value):
        yield value, None

    def reduce_func(self, key, values):
        for _ in values:
            yield key, None
"""

VISITS = """
class Visits:
    def map_func(self, key, value):
        user, time = value.split()
        yield (user, int(time)), key

    def reduce_func(self, key, values):
        yield key, len(list(values))
"""

PARTITIONED = WORD_COUNT + "\n    def partition_func(self, key, partitions):\n        return 0\n"

TOTAL = {"order": "Total"}


def make_lines(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)  # noqa: S311 - a seeded case
    return [f"{rng.randrange(1 << 40):011x} {rng.randrange(10**12)}" for _ in range(count)]


def even_cuts(data: bytes, shards: int) -> list[int]:
    return [len(data) * number // shards for number in range(1, shards)]


def make_sort(lines: list[str], *, shards: int = 3, **fields: Any) -> TaskRun:
    data = "".join(f"{line}\n" for line in lines).encode()
    return TaskRun(source=SORT, objects={"in": data}, cuts=even_cuts(data, shards), plan_changes=TOTAL, **fields)


def keys_of(lines: list[str]) -> list[str]:
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("partitions", [1, 2, 7])
@pytest.mark.parametrize("memory_bytes", [512 * 1024 * 1024, None], ids=["memory", "default"])
def test_the_parts_in_their_order_are_sorted(partitions: int, memory_bytes: int | None) -> None:
    lines = make_lines(3000)
    run = make_sort(lines, partitions=partitions, memory_bytes=memory_bytes)
    records = run.run()
    assert keys_of(run.lines_of(records)) == sorted(lines)
    sizes = [record.records_out for record in records]
    assert max(sizes) - min(sizes) < 0.1 * len(lines) / partitions + 1


def test_spilling_maps_and_reduces_sort_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podreduce.task.attempt.Attempt.budget_bytes", lambda _: 50_000)
    lines = make_lines(3000)
    run = make_sort(lines, partitions=2)
    records = run.run()
    assert keys_of(run.lines_of(records)) == sorted(lines)
    assert all(record.spills for record in records)


WORDS = st.lists(st.text("abc", max_size=3), max_size=30)


@settings(deadline=None, max_examples=40)
@given(words=WORDS, shards=st.integers(1, 4), partitions=st.integers(1, 5))
def test_any_input_is_sorted_whatever_shards_and_partitions(words: list[str], shards: int, partitions: int) -> None:
    run = make_sort([f"{word}." for word in words], shards=shards, partitions=partitions)
    assert keys_of(run.output_lines()) == sorted(f"{word}." for word in words)


def test_counting_in_total_order_counts_each_word_once() -> None:
    data = b"the quick the lazy\nthe end of the quick\n" * 50
    run = TaskRun(objects={"in": data}, cuts=even_cuts(data, 4), partitions=3, plan_changes=TOTAL)
    assert run.output_lines() == ["end\t50", "lazy\t50", "of\t50", "quick\t100", "the\t200"]


def test_a_map_in_total_order_leaves_samples_of_its_keys() -> None:
    run = make_sort(make_lines(3000))
    record = run.map(0)
    assert len(decode_sizes(record.bucket_bytes)) == 1
    assert sum(sample.size_bytes for sample in record.key_samples) == sum(decode_sizes(record.bucket_bytes))


def test_without_total_order_no_keys_are_sampled() -> None:
    run = TaskRun(source=SORT, objects={"in": b"a\nb\n"})
    assert run.map(0).key_samples == ()


def test_a_skewed_map_names_its_heaviest_key() -> None:
    source = "class Job:\n    def map_func(self, key, value): yield value, str(key).rjust(50)\n"
    source += "    def reduce_func(self, key, values): yield key, ''.join(values)\n"
    data = b"".join(b"the\n" if number % 2 else b"word%d\n" % number for number in range(4000))
    record = TaskRun(source=source, objects={"in": data}).map(0)
    heaviest = record.heavy_keys[0]
    assert (heaviest.key, heaviest.values) == ("the", 2000)
    assert 0.44 < heaviest.size_bytes / record.encoded_bytes < 0.5


def flip(run: TaskRun, record: CommitRecord, at: int) -> None:
    assert record.blob
    data = bytearray(run.store.get(record.blob.key))
    data[at] ^= 1
    run.store.put(record.blob.key, bytes(data))


@pytest.mark.parametrize("at", [0, -1], ids=["first frame", "index"])
def test_a_damaged_blob_in_total_order_is_a_lost_map_output(at: int) -> None:
    run = make_sort(make_lines(300), partitions=1)
    maps = [run.map(index) for index in range(3)]
    flip(run, maps[1], at)
    run.shuffle(maps)
    with pytest.raises(MapOutputLostError) as lost:
        run.reduce(0)
    assert lost.value.lost is not None
    assert (str(lost.value.lost.task), lost.value.lost.generation) == ("m-1", 0)


@pytest.mark.parametrize(
    ("source", "changes", "words"),
    [
        (PARTITIONED, TOTAL, "output.order: Total .* WordCount.partition_func"),
        (PARTITIONED, {"partition_key_length": 1}, "reduce.partitionKeyLength and WordCount.partition_func"),
        ("class Job:\n    def map_func(self, key, value): yield key, value\n", TOTAL, "output.order: Total .* Job"),
    ],
    ids=["partition_func and order", "partition_func and key length", "map-only"],
)
def test_what_contradicts_the_order_is_a_program_error(source: str, changes: dict[str, Any], words: str) -> None:
    run = TaskRun(source=source, objects={"in": b"a\n"}, plan_changes=changes)
    with pytest.raises(ProgramError, match=words):
        run.map(map_task(0).index)


@pytest.mark.parametrize("order", ["Partition", "Total"])
def test_tuples_with_the_same_first_element_reach_one_partition_in_order(order: str) -> None:
    rng = random.Random(4)  # noqa: S311 - a seeded case
    visits = [(f"user{rng.randrange(30)}", rng.randrange(1000)) for _ in range(2000)]
    data = "".join(f"{user} {time}\n" for user, time in visits).encode()
    changes = {"order": order, "partition_key_length": 1}
    run = TaskRun(source=VISITS, objects={"in": data}, cuts=even_cuts(data, 3), partitions=4, plan_changes=changes)
    parts = [[json.loads(key) for key in keys_of(run.lines_of([record]))] for record in run.run()]
    homes = defaultdict(set)
    for number, part in enumerate(parts):
        assert part == sorted(part)
        for user, _ in part:
            homes[user].add(number)
    assert sorted(key for part in parts for key in part) == sorted([user, time] for user, time in set(visits))
    assert {len(found) for found in homes.values()} == {1}
    assert len(set.union(*homes.values())) == 4
