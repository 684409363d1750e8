"""Several key columns are what a tuple of them is for the row tiers: in their order, their buckets and their groups."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podreduce.columnar import runs as column_runs
from podreduce.columnar.columns import bucket_rows, canonical_table, unify_tables
from podreduce.columnar.frames import clip_columns, pack_columns, unpack_columns
from podreduce.columnar.key_columns import flat_batch, flat_table
from podreduce.columnar.row_order import sort_rows
from podreduce.columnar.runs import sort_table
from podreduce.columnar.sorting import ColumnSorter
from podreduce.columnar.weights import weigh_pieces
from podreduce.contract.errors import ProgramError
from podreduce.contract.members import describe_key_columns
from podreduce.encoding.heavy_keys import HeavyKeys
from podreduce.encoding.key_hash import HashBuckets, PrefixBuckets
from podreduce.encoding.key_range import KeyRange
from podreduce.encoding.keys import encode_key
from podreduce.watching import memory
from tests.support.searching import tries
from tests.support.task_runs import TaskRun

MEMBER = "Job.map_batch"
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.sampled_from(["", "a", "a\0", "b", None])),
    "int": (pa.int32(), st.sampled_from([-1, 0, 7, None])),
    "float": (pa.float64(), st.sampled_from([-0.0, 0.0, 0.5, 7.0])),
    "bool": (pa.bool_(), st.sampled_from([True, False, None])),
    "binary": (pa.binary(), st.sampled_from([b"", b"\0", b"\xff"])),
    "fixed": (pa.binary(9), st.sampled_from([b"12345678a", b"12345678b", b"02345678a"])),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
    "null": (pa.null(), st.none()),
}


@st.composite
def draw_tables(draw: st.DrawFn, *, least: int = 0) -> pa.Table:
    """Rows with two or three key columns and their number."""
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=2, max_size=3))
    rows = draw(st.lists(st.tuples(*(COLUMNS[kind][1] for kind in kinds)), min_size=least, max_size=30))
    columns = {f"k{place}": make_column([row[place] for row in rows], kind) for place, kind in enumerate(kinds)}
    return pa.table({"number": range(len(rows)), **columns})


def make_column(values: Sequence[Any], kind: str) -> pa.Array:
    column_type = COLUMNS[kind][0]
    if kind == "dictionary":
        return pa.array(values, pa.string()).dictionary_encode().cast(column_type)
    return pa.array(values, column_type)


def nest(table: pa.Table) -> pa.Table:
    return canonical_table(table, MEMBER, [name for name in table.column_names if name != "number"])


def keys_of(table: pa.Table) -> list[bytes]:
    """The encoded tuples of a table's key columns."""
    rows = flat_table(table).drop_columns("number").to_pylist()
    return [encode_key(tuple(row.values())) for row in rows]


@given(draw_tables())
def test_rows_are_sorted_as_the_tuples_of_their_keys_and_equal_ones_stay_in_order(table: pa.Table) -> None:
    nested = nest(table)
    keys = keys_of(nested)
    order = sort_rows(nested.column(0).combine_chunks()).tolist()
    assert order == sorted(range(len(keys)), key=keys.__getitem__)


@given(draw_tables(), st.none() | st.integers(1, 3))
def test_a_row_has_the_bucket_of_its_tuple(table: pa.Table, elements: int | None) -> None:
    nested = nest(table)
    bucket_of = HashBuckets(50) if elements is None else PrefixBuckets(50, elements)
    found = bucket_rows(nested.column(0).combine_chunks(), bucket_of, elements)
    assert found.tolist() == list(map(bucket_of, keys_of(nested)))


@given(draw_tables(), draw_tables())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_key_columns_go_together_as_plain_columns_do(one: pa.Table, other: pa.Table) -> None:
    def unify(tables: list[pa.Table]) -> pa.Table | None:
        try:
            return unify_tables(tables, MEMBER)
        except ProgramError:
            return None

    tables = [canonical_table(table, MEMBER, ["k0", "k1"]) for table in (one, other)]
    together, plain = unify(tables), unify(list(map(flat_table, tables)))
    assert (together is None) == (plain is None)
    assert together is None or flat_table(together).equals(plain)


@given(draw_tables(least=1), st.data())
def test_a_range_of_keys_is_cut_from_a_frame(table: pa.Table, data: st.DataObject) -> None:
    [(_, ordered)] = sort_table(nest(table), 1, lambda _: 0)
    keys = keys_of(ordered)
    low, high = sorted(data.draw(st.tuples(st.sampled_from(keys), st.sampled_from(keys))))
    clipped = clip_columns(pack_columns(0, ordered), KeyRange(low=low, high=high))
    assert [key for key in keys if low <= key < high] == ([] if clipped is None else keys_of(unpack_columns(clipped)))


@pytest.mark.parametrize("budget_bytes", [1, 2000, 1 << 20])
def test_spilled_rows_come_back_in_order(tmp_path: Path, budget_bytes: int) -> None:
    rows = [(f"user{number * 7 % 5}", number * 31 % 17, number) for number in range(500)]
    sorter = ColumnSorter(
        buckets=3,
        bucket_of=PrefixBuckets(3, 1),
        budget_bytes=budget_bytes,
        scratch_directory=str(tmp_path),
        member=MEMBER,
        key_elements=1,
    )
    for start in range(0, len(rows), 37):
        users, times, numbers = zip(*rows[start : start + 37], strict=True)
        sorter.add(canonical_table(pa.table({"u": users, "t": times, "number": numbers}), MEMBER, ["u", "t"]))
    found: dict[int, list[Any]] = {}
    for bucket, table in sorter.tables():
        found.setdefault(bucket, []).extend(tuple(row.values()) for row in flat_table(table).to_pylist())
    expected: dict[int, list[Any]] = {}
    for row in sorted(rows):
        expected.setdefault(PrefixBuckets(3, 1)(encode_key(row[:2])), []).append(row)
    assert found == expected
    assert (sorter.spills > 0) == (budget_bytes < 1 << 20)


def test_a_heavy_key_is_counted_by_the_columns_that_choose_its_partition() -> None:
    table = pa.table({"u": ["a"] * 3 + ["b"] * 300, "t": range(303), "text": ["x" * 50] * 303})
    heavy = HeavyKeys(key_elements=1)
    weigh_pieces(heavy, [(0, canonical_table(table, MEMBER, ["u", "t"]))], 1)
    assert [(each.key, each.values) for each in heavy.heaviest()] == [("('b',)", 300), ("('a',)", 3)]


@pytest.mark.parametrize("columns", [("key",), ("a", "a"), ("a", 1), ("a", ""), "ab", {"a", "b"}, 5, tuple("ab") * 51])
def test_what_key_columns_may_not_be(columns: Any) -> None:
    found = describe_key_columns("Job", ["map_batch", "reduce_batch"], columns)
    assert found is not None
    assert "a tuple of 2 to 100 names" in found


def test_key_columns_are_for_a_reduce_of_batches() -> None:
    assert describe_key_columns("Job", ["map_batch", "reduce_batch"], ["a", "b"]) is None
    found = describe_key_columns("Job", ["map_batch", "reduce_func"], ("a", "b"))
    assert found == "Job.key_columns are the keys of a reduce_batch: write one, or yield tuples as keys"


ROWS = """
class Job:
    def map_func(self, key, value):
        user, time, text = value.split(",")
        yield (user or None, int(time)), text
    def reduce_func(self, key, values):
        for value in values:
            yield key[0], f"{key[1]} {value}"
"""
BATCHES = """
import pyarrow as pa
class Job:
    key_columns = ("user", "time")
    def map_batch(self, batch):
        rows = [value.split(",") for value in batch["value"].to_pylist()]
        times = pa.array([int(time) for _, time, _ in rows], pa.int16())
        users = [user or None for user, _, _ in rows]
        return pa.table({"text": [text for _, _, text in rows], "time": times, "user": users})
    def reduce_batch(self, batch):
        assert batch.schema.names == ["user", "time", "text"]
        rows = zip(batch["time"].to_pylist(), batch["text"].to_pylist())
        return pa.table({"key": batch["user"].cast("string"), "value": [f"{time} {text}" for time, text in rows]})
"""
SEARCH = settings(
    max_examples=tries(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(-2, 2)), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 200), max_size=3),
    limits=st.tuples(st.sampled_from([1, 3, 1 << 16]), st.sampled_from([1, 500, 16 << 20])),
    changes=st.sampled_from([{}, {"partition_key_length": 1}, {"partition_key_length": 1, "order": "Total"}]),
)
@SEARCH
def test_batches_are_sorted_and_placed_as_rows_are(
    monkeypatch: pytest.MonkeyPatch,
    rows: list[tuple[str, int]],
    cuts: list[int],
    limits: tuple[int, int],
    changes: dict[str, Any],
) -> None:
    data = "".join(f"{user},{time},{number}\n" for number, (user, time) in enumerate(rows)).encode()
    plan_changes = {"output_format": "JSONLines", **changes}
    edges = sorted({cut for cut in cuts if cut < len(data)})
    wanted = TaskRun(source=ROWS, objects={"a": data}, partitions=3, plan_changes=plan_changes)
    monkeypatch.setattr(column_runs, "BATCH_ROWS", limits[0])
    monkeypatch.setattr(memory, "LEAST_BUDGET", limits[1])
    run = TaskRun(
        source=BATCHES, objects={"a": data}, cuts=edges, partitions=3, plan_changes=plan_changes, memory_bytes=1
    )
    assert list(map(json.loads, run.output_lines())) == list(map(json.loads, wanted.output_lines()))


@pytest.mark.parametrize("elements", [1, None])
def test_a_batch_ends_where_a_group_does(monkeypatch: pytest.MonkeyPatch, elements: int | None) -> None:
    monkeypatch.setattr(column_runs, "BATCH_ROWS", 4)
    table = pa.table({"u": ["a"] * 5 + ["b"] * 4 + ["c"] * 3, "t": [0, 1, 2, 3, 3, 0, 0, 1, 2, 0, 1, 2]})
    tables = [canonical_table(table, MEMBER, ["u", "t"])]
    batches = list(map(flat_batch, column_runs.cut_batches(tables, MEMBER, elements)))
    assert sum(batch.num_rows for batch in batches) == 12
    keys = [[tuple(row.values())[: elements or 2] for row in batch.select(["u", "t"]).to_pylist()] for batch in batches]
    assert len(batches) > 1
    assert all(len(set(one)) == 1 or one[-1] != other[0] for one, other in pairwise(keys))
