import math
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.columnar.aggregation import aggregate_table, count_ones, python_values

FUNCTIONS = {"sum": sum, "min": min, "max": max, "count": lambda values: len(list(values))}
INT64 = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | st.integers(17 * 10**17, 18 * 10**17)
ORDINARY: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), INT64),
    "uint64": (pa.uint64(), st.integers(0, 3) | st.integers(0, 2**64 - 1)),
    "bool": (pa.bool_(), st.booleans()),
    "float64": (pa.float64(), st.sampled_from([0.0, 0.5, -1.0, 2.0**60, math.inf])),
    "float32": (pa.float32(), st.sampled_from([0.0, 0.5, -1.0, 2.0**20])),
}
TEXTS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.text("aé\U0001f600", max_size=3)),
    "large string": (pa.large_string(), st.text("aé", max_size=3)),
    "binary": (pa.binary(), st.binary(max_size=3)),
    "fixed binary": (pa.binary(2), st.binary(min_size=2, max_size=2)),
}
ROWS = st.sampled_from(sorted(ORDINARY)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.tuples(st.sampled_from("abc"), ORDINARY[name][1]), min_size=1))
)
TEXT_ROWS = st.sampled_from(sorted(TEXTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.tuples(st.sampled_from("abc"), TEXTS[name][1]), min_size=1))
)


def table_of(kind: pa.DataType, rows: list[tuple[str, Any]]) -> pa.Table:
    return pa.table({"key": [key for key, _ in rows], "value": pa.array([value for _, value in rows], kind)})


def expected_of(table: pa.Table, aggregation: str) -> dict[str, Any]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row["key"]].append(row["value"])
    return {key: FUNCTIONS[aggregation](values) for key, values in groups.items()}


def found_of(made: pa.Table) -> dict[str, Any]:
    values = python_values(made.column("value"), exact_ints=True)
    return dict(zip(made.column("key").to_pylist(), values, strict=True))


@pytest.mark.parametrize("aggregation", FUNCTIONS)
@given(drawn=ROWS)
@example(drawn=("int64", [("a", 2**61)] * 4))
@example(drawn=("int64", [("a", -(2**63))] * 2))
@example(drawn=("uint64", [("a", 2**64 - 1), ("b", 1)]))
def test_of_ordinary_numbers_arrow_computes_what_python_does(aggregation: str, drawn: tuple[str, Any]) -> None:
    name, rows = drawn
    table = table_of(ORDINARY[name][0], rows)
    made = aggregate_table(table, aggregation)
    assert made is not None
    expected, found = expected_of(table, aggregation), found_of(made)
    assert found == expected
    if name != "bool":
        assert {key: type(value) for key, value in found.items()} == {k: type(v) for k, v in expected.items()}
    if aggregation in {"min", "max"}:
        assert made.column("value").type == table.column("value").type


@pytest.mark.parametrize("aggregation", FUNCTIONS)
@given(drawn=TEXT_ROWS)
def test_texts_are_compared_and_counted_but_not_added(aggregation: str, drawn: tuple[str, Any]) -> None:
    table = table_of(TEXTS[drawn[0]][0], drawn[1])
    made = aggregate_table(table, aggregation)
    if aggregation == "sum":
        assert made is None
    else:
        assert made is not None
        assert found_of(made) == expected_of(table, aggregation)


@pytest.mark.parametrize("aggregation", ["sum", "min", "max"])
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int64(), [1, None]),
        (pa.float64(), [1.0, math.nan]),
        (pa.float64(), [0.0, -0.0]),
        (pa.float32(), [0.0, -0.0]),
        (pa.float16(), [0.5]),
        (pa.decimal128(5, 2), [Decimal("1.50")]),
        (pa.list_(pa.int64()), [[1]]),
        (pa.timestamp("us"), [0]),
    ],
    ids=str,
)
def test_what_arrow_computes_in_another_way_is_left_to_python(kind: pa.DataType, values: Any, aggregation: str) -> None:
    made = aggregate_table(table_of(kind, [("a", value) for value in values]), aggregation)
    is_arrows = aggregation == "sum" and kind in {pa.float32(), pa.float64()}
    assert (made is not None) == is_arrows


@pytest.mark.parametrize("values", [[None, None], [-0.0, math.nan], [0.5]], ids=str)
def test_anything_is_counted(values: list[Any]) -> None:
    table = pa.table({"key": ["a"] * len(values), "other": ["x"] * len(values), "value": values})
    made = aggregate_table(table, "count")
    assert made is not None
    assert made.to_pylist() == [{"key": "a", "value": len(values)}]
    assert count_ones(table).to_pylist() == [{"key": "a", "other": "x", "value": 1} for _ in values]


def test_only_decimals_that_stand_for_ints_become_ints() -> None:
    decimals = pa.array([Decimal(2**70), Decimal(-1)], pa.decimal128(38, 0))
    assert python_values(decimals, exact_ints=True) == [2**70, -1]
    assert all(type(value) is int for value in python_values(decimals, exact_ints=True))
    assert all(type(value) is Decimal for value in python_values(decimals))
    assert python_values(decimals.slice(2), exact_ints=True) == []
    assert python_values(pa.array(["a"]), exact_ints=True) == ["a"]
