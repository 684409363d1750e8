"""Parquet's values in Python and in filters: what has none is a bad row, NaN differs, categories are their values."""

import datetime as dt
import io
import math
import operator
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Condition, InputOptions, Piece
from podreduce.inputs import RecordBlock, read_records
from podreduce.inputs.parquet_values import ROW_NUMBER, make_block
from podreduce.storage import open_store
from tests.support.reading import salvage
from tests.support.task_runs import TaskRun

STORE = open_store("memory://parquet-values/")
MOMENT = 1_700_000_000_123_456_000
TIME = dt.datetime(2023, 11, 14, 22, 13, 20, 123456)  # noqa: DTZ001 - Parquet's has no zone either
BROKEN_TEXT = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])), pa.py_buffer(b"a\xff")]
)


def struct_of(kind: pa.DataType) -> pa.DataType:
    return pa.struct([("t", kind)])


NS = pa.timestamp("ns")
COLUMNS: dict[str, tuple[pa.Array, list[Any]]] = {
    "nanoseconds": (pa.array([MOMENT, MOMENT + 1], NS), [TIME]),
    "microseconds past 9999": (pa.array([MOMENT // 1000, 10**18], pa.timestamp("us")), [TIME]),
    "seconds past 9999": (pa.array([0, 10**12], pa.timestamp("s")), [dt.datetime(1970, 1, 1)]),  # noqa: DTZ001 - likewise
    "seconds before 1": (pa.array([0, -(10**12)], pa.timestamp("s")), [dt.datetime(1970, 1, 1)]),  # noqa: DTZ001 - likewise
    "an hour after 9999 in its zone": (
        pa.array([0, 253_402_300_799], pa.timestamp("s", "+01:00")),
        [dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))],
    ),
    "days past 9999": (pa.array([1, 10**8], pa.date32()), [dt.date(1970, 1, 2)]),
    "milliseconds that are no days": (pa.array([86_400_000, 5], pa.int64()).view(pa.date64()), [dt.date(1970, 1, 2)]),
    "times of day": (pa.array([1000, 1001], pa.time64("ns")), [dt.time(0, 0, 0, 1)]),
    "times past a day": (pa.array([5, 86_400_000_005], pa.time64("us")), [dt.time(0, 0, 0, 5)]),
    "durations": (pa.array([1000, 1001], pa.duration("ns")), [dt.timedelta(microseconds=1)]),
    "long durations": (pa.array([1, 10**17], pa.duration("s")), [dt.timedelta(seconds=1)]),
    "in lists": (pa.array([[MOMENT], [MOMENT, 1]], pa.list_(NS)), [[TIME]]),
    "in large lists": (pa.array([[MOMENT], [1]], pa.large_list(NS)), [[TIME]]),
    "in lists of one length": (pa.array([[MOMENT], [1]], pa.list_(NS, 1)), [[TIME]]),
    "in structs": (pa.array([{"t": MOMENT}, {"t": 1}], struct_of(NS)), [{"t": TIME}]),
    "in maps": (pa.array([[("k", MOMENT)], [("k", 1)]], pa.map_(pa.string(), NS)), [[("k", TIME)]]),
    "deep": (pa.array([[{"t": MOMENT}], [{"t": 1}]], pa.list_(struct_of(NS))), [[{"t": TIME}]]),
    "categories": (pa.array([MOMENT, 1], NS).dictionary_encode(), [TIME]),
    "text that is not UTF-8": (BROKEN_TEXT, ["a"]),
}


def block_of(column: pa.Array) -> RecordBlock:
    table = pa.table({"id": range(len(column)), "c": column, ROW_NUMBER: range(7, 7 + len(column))})
    return make_block(table, ["id", "c"], 9, "s3://in/a")


@pytest.mark.parametrize(("column", "values"), COLUMNS.values(), ids=COLUMNS)
def test_a_row_whose_value_python_cannot_hold_is_bad_and_named(column: pa.Array, values: list[Any]) -> None:
    block = block_of(column)
    with pytest.raises(InputError, match=r"s3://in/a: row 8 cannot be read: .* column c \(.*\): .*input\.columns"):
        _ = block.values
    salvaged = salvage(block)
    assert [row["c"] for row in salvaged.block.values] == values
    assert salvaged.block.keys() == [7]
    assert [(bad.key, bad.data) for bad in salvaged.bad] == [(8, b"{'id': 1, 'c': '?'}")]
    assert salvaged.block.stored_bytes == 9


@pytest.mark.parametrize(("column", "_"), COLUMNS.values(), ids=COLUMNS)
def test_as_columns_every_row_is_read_that_arrow_can_hold(column: pa.Array, _: list[Any]) -> None:
    block = block_of(column)
    salvaged = salvage(block, as_columns=True)
    places = [bad.key for bad in salvaged.bad]
    assert salvaged.block.to_arrow().num_rows == 2 - len(places)
    if places:
        assert places == [8]
        with pytest.raises(InputError, match="row 8 cannot be read"):
            block.to_arrow()
    else:
        assert block.to_arrow().num_rows == 2
    assert block.shown(1)["id"] == 1


@given(st.lists(st.sampled_from([0, 1, 1000, None]), max_size=40))
def test_bad_rows_among_many_are_all_found(values: list[int | None]) -> None:
    block = block_of(pa.array(values, NS))
    salvaged = salvage(block)
    assert [bad.key - 7 for bad in salvaged.bad] == [place for place, value in enumerate(values) if value == 1]
    assert len(salvaged.block.values) == len(values) - len(salvaged.bad)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "IsNotNull": lambda _value, _wanted: True,
}


def filtered(column: pa.Array, name: str, wanted: list[Any], *, group: int) -> list[Any]:
    """The row numbers that a filter leaves."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"c": column}), sink, row_group_size=group)
    data = sink.getvalue()
    STORE.put("a", data)
    several = name in ("In", "NotIn")
    condition = Condition(
        column="c",
        operator=name,
        values=tuple(wanted) if several else (),
        value=None if several or name == "IsNotNull" else wanted[0],
    )
    options = InputOptions(filter=(condition,))
    plan = TaskRun(plan_changes={"input_format": "Parquet", "input_options": options}).plan
    piece = Piece(uri=STORE.uri_of("a"), start=0, end=len(data), object_bytes=len(data))
    keys: list[Any] = []
    for block in read_records(plan, STORE, "a", piece):
        keys += block.keys()
    return keys


FLOATS = st.sampled_from([None, math.nan, 5.0, 6.5, -0.0, 0.0, math.inf, -math.inf])
KINDS = st.sampled_from([pa.float64(), pa.float32(), pa.float16(), pa.dictionary(pa.int32(), pa.float64())])


@given(st.lists(FLOATS, max_size=12), st.sampled_from(sorted(COMPARE)), st.integers(1, 5), KINDS)
def test_nan_differs_from_every_number_whatever_lies_beside_it(
    values: list[float | None], name: str, group: int, kind: pa.DataType
) -> None:
    column = (
        pa.array(values, kind.value_type).dictionary_encode()
        if pa.types.is_dictionary(kind)
        else pa.array(values, kind)
    )
    wanted: Any = [5.0, 0.0] if name in ("In", "NotIn") else 5.0
    expected = [at for at, value in enumerate(values) if value is not None and COMPARE[name](value, wanted)]
    assert filtered(column, name, ["5", "0"], group=group) == expected


@pytest.mark.parametrize("name", sorted(COMPARE))
@pytest.mark.parametrize("group", [1, 100])
@pytest.mark.parametrize(
    ("values", "wanted"),
    [(["x", "y", "x", None, "z"], ["y", "a"]), ([3, 1, None, 2, 3], [2, 9]), ([b"x", None, b"z"], ["x"])],
    ids=["text", "ints", "bytes"],
)
def test_a_category_is_compared_as_its_value(values: list[Any], wanted: list[Any], name: str, group: int) -> None:
    asked: Any = [each.encode() if isinstance(values[0], bytes) else each for each in wanted]
    if name not in ("In", "NotIn"):
        asked = asked[0]
    expected = [at for at, value in enumerate(values) if value is not None and COMPARE[name](value, asked)]
    assert filtered(pa.array(values).dictionary_encode(), name, wanted, group=group) == expected
    assert filtered(pa.array(values), name, wanted, group=group) == expected


def test_a_nanosecond_can_be_asked_for() -> None:
    column = pa.array([MOMENT, MOMENT + 1], NS)
    assert filtered(column, "Equal", ["2023-11-14 22:13:20.123456001"], group=5) == [1]


def test_two_columns_of_one_name_are_refused() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), sink)
    data = sink.getvalue()
    STORE.put("twice", data)
    piece = Piece(uri=STORE.uri_of("twice"), start=0, end=len(data), object_bytes=len(data))
    with pytest.raises(InputError, match="twice: has more than one column a: rename all but one"):
        list(read_records(TaskRun(plan_changes={"input_format": "Parquet"}).plan, STORE, "twice", piece))
