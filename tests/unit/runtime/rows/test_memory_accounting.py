"""What stores say that they hold is what Python or Arrow has allocated, and not much more, whatever the shapes."""

import marshal
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.columnar.columns import TABLE_BYTES, compact_table
from podreduce.columnar.holding import HeldTables
from podreduce.columnar.sorting import ColumnSorter
from podreduce.contract.plan import Program
from podreduce.outputs.line_output import LineBody
from podreduce.program.fusion import fuse
from podreduce.program.loading import load_program
from podreduce.rows.aggregate_input import AggregateInput
from podreduce.rows.row_stores import Aggregates, ListGroups
from podreduce.task.batches_to_rows import RowSink
from podreduce.task.reduce_rows import BATCH_BYTES
from tests.support.blobs import PLENTY, make_map_output
from tests.support.searching import tries
from tests.support.task_runs import TaskRun

LEAST_SHARE = 0.8
MOST_SHARE = 1.5
KEY_BYTES = 400
"""What a store may count besides for each key: for sorting, and for what a dict and a list need to grow."""
NUMBER_BYTES = 32
"""How much more a number may take than the first one of its key, which alone is counted."""
FIXED_BYTES = 10_000
"""What a store has besides, whatever it holds: empty dicts, and what is allocated in passing."""
SEARCH = settings(
    max_examples=tries(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SIZES = st.sampled_from([0, 10, 100, 2000])

Make = Callable[[int], Any]
"""A number → a key or a value of some shape; other numbers make others."""

KEYS: dict[str, Callable[[int], Make]] = {
    "str": lambda size: lambda n: f"{n:04}" + "k" * size,
    "unicode": lambda size: lambda n: f"{n:04}" + "\U0001f600" * size,
    "bytes": lambda size: lambda n: b"%04d" % n + bytes(size),
    "int": lambda _: lambda n: n,
    "large int": lambda size: lambda n: (1 << (8 * size + 70)) + n,
    "float": lambda _: lambda n: n + 0.5,
    "tuple": lambda size: lambda n: (f"{n:04}" + "k" * size, n),
    "nested": lambda size: lambda n: ((n, "k" * size), 1.5),
}
SUMMED: dict[str, Callable[[int], Make]] = {
    "int": lambda _: lambda n: n,
    "float": lambda _: lambda n: n * 1.5,
    "large int": lambda size: lambda n: (1 << (8 * size)) + n,
}
VALUES: dict[str, Callable[[int], Make]] = {
    **SUMMED,
    "str": lambda size: lambda n: f"{n:09}" + "v" * size,
    "bytes": lambda size: lambda n: b"%09d" % n + bytes(size),
    "tuple": lambda size: lambda n: (n, f"{n}" + "v" * size),
    "list": lambda size: lambda n: [n, "v" * size],
    "many ints": lambda size: lambda n: [n, *range(1000, 1000 + size)],
    "dict in a list": lambda size: lambda n: [n, {f"f{n}": "v" * size, "g": [1.5, None]}],
    "none": lambda _: lambda _: None,
    "nan": lambda _: lambda _: math.nan,
    "tuple with a nan": lambda size: lambda n: (n, math.nan, "v" * size),
    "ranges": lambda size: lambda n: (*range(n % 3), math.nan, "v" * size),
}
KEY_SHAPES = st.builds(lambda name, size: KEYS[name](size), st.sampled_from(sorted(KEYS)), SIZES)
VALUE_SHAPES = st.builds(lambda name, size: VALUES[name](size), st.sampled_from(sorted(VALUES)), SIZES)
SUMMED_SHAPES = st.builds(lambda name, size: SUMMED[name](size), st.sampled_from(sorted(SUMMED)), SIZES)
COUNTS = st.sampled_from([(100, 1), (20, 5), (1, 100), (50, 3)])
"""How many keys there are, and how many values each has."""


def records_of(key: Make, value: Make, counts: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
    """Records of fresh objects, as a program makes them."""
    keys, each = counts
    for number in range(keys * each):
        pair: tuple[Any, Any] = marshal.loads(marshal.dumps((key(number % keys), value(1000 + number)), 2))  # noqa: S302 - our own
        yield pair


def allocated_by(fill: Callable[[], object]) -> int:
    """How many bytes Python has allocated more after `fill`."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    fill()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


class Account:
    """Grants exactly what is asked for, and adds it up."""

    def __init__(self) -> None:
        self.granted_bytes = 0

    def grant(self, missing_bytes: int) -> int:
        self.granted_bytes += missing_bytes
        return 0


def is_enough(told_bytes: int, allocated_bytes: int) -> bool:
    return told_bytes >= LEAST_SHARE * allocated_bytes - FIXED_BYTES


def is_true(told_bytes: int, allocated_bytes: int, keys: int) -> bool:
    most = MOST_SHARE * allocated_bytes + KEY_BYTES * keys + FIXED_BYTES
    return is_enough(told_bytes, allocated_bytes) and told_bytes <= most


@given(KEY_SHAPES, VALUE_SHAPES, COUNTS, st.booleans())
@SEARCH
def test_groups_tell_what_they_take(key: Make, value: Make, counts: tuple[int, int], interns: bool) -> None:
    account = Account()
    groups = ListGroups(account.grant)
    groups.interns = interns
    allocated = allocated_by(lambda: [groups.add(*record) for record in records_of(key, value, counts)] and None)
    assert is_true(account.granted_bytes, allocated, counts[0])
    assert groups.used_bytes() == account.granted_bytes


@given(KEY_SHAPES, VALUE_SHAPES, COUNTS, st.sampled_from(["min", "max", "count"]))
@example(KEYS["str"](1), VALUES["tuple"](5000), (100, 3), "max")
@example(KEYS["str"](1), VALUES["list"](5000), (100, 3), "max")
@SEARCH
def test_aggregates_tell_what_they_take(key: Make, value: Make, counts: tuple[int, int], aggregation: str) -> None:
    values = value if value(0) is not None else VALUES["int"](0)
    check_aggregates(aggregation, key, values, counts)


@given(KEY_SHAPES, SUMMED_SHAPES, COUNTS)
@SEARCH
def test_sums_tell_what_they_take(key: Make, value: Make, counts: tuple[int, int]) -> None:
    check_aggregates("sum", key, value, counts)


def check_aggregates(aggregation: str, key: Make, value: Make, counts: tuple[int, int]) -> None:
    account = Account()
    store = Aggregates(aggregation, account.grant)
    allocated = allocated_by(lambda: [store.add(*record) for record in records_of(key, value, counts)] and None)
    assert is_true(account.granted_bytes, allocated, counts[0])
    assert is_true(store.used_bytes(), allocated, counts[0])
    assert store.ranges or abs(store.used_bytes() - account.granted_bytes) <= NUMBER_BYTES * counts[0]


@pytest.mark.parametrize("size", [0, 1000])
def test_aggregates_of_columns_tell_what_they_take(size: int) -> None:
    account = Account()
    store = Aggregates("sum", account.grant)

    def fill() -> None:
        keys = [f"{n}" for n in range(500)]
        assert store.take_distinct(keys, [(1 << (8 * size)) + n for n in range(500)])

    allocated = allocated_by(fill)
    assert is_true(account.granted_bytes, allocated, 500)
    assert store.used_bytes() == account.granted_bytes


def test_counted_keys_are_measured_when_they_are_settled() -> None:
    account = Account()
    store = Aggregates("count", account.grant)
    for round_ in range(3):
        store.uncounted.extend(f"{n}" for n in range(500 * (round_ > 0) + 1))
        assert store.records == (1, 502, 1003)[round_]
        store.settle()
    assert (store.records, len(store.plain), store.plain["0"], store.plain["7"]) == (1003, 501, 3, 2)
    assert abs(store.used_bytes() - account.granted_bytes) <= NUMBER_BYTES * 501


@given(KEY_SHAPES, VALUE_SHAPES, COUNTS, st.sampled_from(["min", "max", "count", "sum"]))
@example(KEYS["str"](1), VALUES["tuple"](5000), (100, 3), "max")
@SEARCH
def test_the_reduce_tells_what_its_aggregates_take(
    tmp_path: Path, key: Make, value: Make, counts: tuple[int, int], aggregation: str
) -> None:
    sums = aggregation == "sum" and type(value(0)) in (int, float)
    values = value if (sums or aggregation != "sum") and value(0) is not None else VALUES["int"](0)
    frames: list[Any] = []
    for _ in range(2):
        blob, _ = make_map_output(records_of(key, values, counts), scratch=tmp_path, aggregation=aggregation)
        frames += blob.frames()
    taken = AggregateInput(aggregation, budget_bytes=PLENTY, scratch_directory=str(tmp_path))
    allocated = allocated_by(lambda: taken.add_blob(frames))
    assert is_true(taken.used_bytes, allocated, counts[0])


class Pairs:
    """Yields what it is given: for the fused path."""

    def map_func(self, key, value):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ARG002 - a job class is written so
        yield value[0], value[1]


@given(KEY_SHAPES, VALUE_SHAPES, COUNTS)
@SEARCH
def test_the_fused_function_tells_what_it_puts_into_groups(key: Make, value: Make, counts: tuple[int, int]) -> None:
    account = Account()
    groups = ListGroups(account.grant)
    fused = fuse(Pairs().map_func, groups.add, groups, is_text=False)
    assert fused
    allocated = allocated_by(
        lambda: [fused.map_func(None, record) for record in records_of(key, value, counts)] and None
    )
    assert is_enough(account.granted_bytes, allocated)


@given(VALUE_SHAPES, st.sampled_from([1, 3]))
@SEARCH
def test_what_a_combiner_leaves_is_measured(tmp_path: Path, value: Make, grown: int) -> None:
    def combine(_: Any, values: list[Any]) -> list[Any]:
        return [each for each in values for _ in range(grown)][:3000]

    buffers: list[Any] = []

    def fill() -> None:
        records = records_of(KEYS["int"](0), value, (30, 10))
        _, buffer = make_map_output([], scratch=tmp_path, combine=combine)
        for record in records:
            buffer.add(*record)
        buffers.append(buffer)

    allocated = allocated_by(fill)
    assert is_enough(buffers[0].store.used_bytes(), allocated)


TOP_TEN = "top ten"
TABLES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "whole": lambda table: table,
    TOP_TEN: lambda table: table.sort_by("key").slice(0, 10),
    "slice": lambda table: table.slice(100, 700),
    "last row": lambda table: table.slice(len(table) - 1),
    "taken": lambda table: table.take(list(range(0, len(table), 7))),
    "filtered": lambda table: table.filter(pc.greater(table["key"], "5")),
}


def make_table(rows: int, size: int) -> pa.Table:
    """A table of Arrow's own memory."""
    keys = pc.binary_join_element_wise(pa.array(np.arange(rows)).cast(pa.string()), "-" * size, "")
    return pa.table({"key": keys, "value": pc.add(pa.array(np.arange(rows)), 1)})


@pytest.mark.parametrize("shape", TABLES)
@pytest.mark.parametrize("size", [0, 300])
@pytest.mark.parametrize("store", ["sorter", "rows"])
def test_tables_tell_what_they_take(tmp_path: Path, shape: str, size: int, store: str) -> None:
    sorter = make_sorter(tmp_path, PLENTY)
    program = load_program(Program(source="class J:\n combiner = 'sum'\n def map_batch(self, batch): pass"), name="j")
    rows = RowSink(program, Aggregates("sum", Account().grant), combined_bytes=PLENTY)
    add, told = (sorter.add, lambda: sorter.held_bytes) if store == "sorter" else (rows.add, lambda: rows.held_bytes)
    before = pa.total_allocated_bytes()
    for _ in range(20):
        add(TABLES[shape](make_table(3000, size)))
    allocated = pa.total_allocated_bytes() - before
    assert told() >= LEAST_SHARE * allocated
    assert told() <= 2.5 * allocated + 20 * TABLE_BYTES


@given(st.lists(st.sampled_from([0, 1, 10, 3000]), max_size=60), st.booleans())
@SEARCH
def test_small_tables_are_put_together_in_their_order(sizes: list[int], mixed: bool) -> None:
    held = HeldTables()
    tables = [make_table(size, 30) for size in sizes]
    if mixed:
        tables = [
            table.append_column("more", pc.add(table["value"], 1)) if at % 9 > 5 else table
            for at, table in enumerate(tables)
        ]
    for table in tables:
        held.add(*compact_table(table))
    kept_bytes, taken = held.kept_bytes, held.take()
    assert kept_bytes >= sum(table.nbytes for table in taken)
    assert [row for table in taken for row in table.to_pylist()] == [row for each in tables for row in each.to_pylist()]
    assert (held.kept_bytes, held.take()) == (0, [])


def test_few_tables_are_left_of_many_small_ones() -> None:
    held = HeldTables()
    for _ in range(1000):
        held.add(*compact_table(make_table(3000, 30).slice(5, 10)))
    assert len(held.take()) < 40


HELD_SLICES = """
import resource
import numpy as np, pyarrow as pa, pyarrow.compute as pc
from podreduce.columnar.sorting import ColumnSorter
pa.set_memory_pool(pa.system_memory_pool())
sorter = ColumnSorter(buckets=1, bucket_of=None, budget_bytes=1 << 30, scratch_directory="/", member="x")
for number in range(150):
    payload = pc.binary_repeat("x", pa.array(np.full(10_000, 200)))
    batch = pa.table({"key": np.random.permutation(10_000), "payload": payload})
    sorter.add(batch.sort_by("key").slice(0, 10))
    if number == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_held_slices_do_not_keep_the_heap_from_being_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", HELD_SLICES], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100  # MiB, of 300 that have come and gone


@pytest.mark.parametrize(
    "way", ["combiner = 'max'", "combiner = None\n    def reduce_func(self, key, values): yield key, max(values)"]
)
def test_large_pairs_are_written_few_at_a_time(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    most = 0
    write_all = LineBody.write_all

    def watch(self: LineBody, pairs: Any) -> None:
        nonlocal most
        most = max(most, sum(len(value) for _, value in pairs))
        write_all(self, pairs)

    monkeypatch.setattr(LineBody, "write_all", watch)
    source = f"class Job:\n    {way}\n    def map_func(self, key, value): yield key, value * 50_000\n"
    run = TaskRun(source=source, objects={"a": b"x\n" * 300}, partitions=1)
    assert len(run.output_lines()) == 300
    assert most < 2 * BATCH_BYTES


def make_sorter(scratch: Path, budget_bytes: int) -> ColumnSorter:
    return ColumnSorter(
        buckets=1, bucket_of=lambda _: 0, budget_bytes=budget_bytes, scratch_directory=str(scratch), member="x"
    )


POOL = pa.proxy_memory_pool(pa.default_memory_pool())
"""It must outlive what was allocated from it."""


def test_sorting_takes_two_thirds_of_the_budget_and_the_order(tmp_path: Path) -> None:
    budget_bytes, rows, size = 24 << 20, 1000, 1000
    ordinary = pa.default_memory_pool()
    pa.set_memory_pool(POOL)
    try:
        sorter = make_sorter(tmp_path, budget_bytes)
        while sorter.held_bytes + rows * (size + 30) < budget_bytes // 3:
            sorter.add(make_table(rows, size))
        (sorted_table,) = (table for _, table in sorter.tables())
    finally:
        pa.set_memory_pool(ordinary)
    assert not sorter.spills
    assert sorted_table.num_rows > 5 * rows
    assert POOL.max_memory() <= budget_bytes * 2 / 3 * 1.05 + 16 * sorted_table.num_rows
