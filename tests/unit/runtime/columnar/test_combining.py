"""Rows of columns that are combined: which are, what may take their place, and what is refused."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.columnar.columns import canonical_table, encoded_key
from podreduce.columnar.combining import COMBINED_BYTES, RowCombiner, check_combined
from podreduce.columnar.key_columns import flat_batch
from podreduce.columnar.key_runs import last_rows
from podreduce.columnar.sorting import OPEN_BYTES, ColumnSorter
from podreduce.contract.errors import ProgramError
from podreduce.rows.combining import TRIAL_ROWS

MEMBER = "Job.map_batch"


def test_a_combiner_that_saves_too_little_is_not_called_again() -> None:
    calls: list[int] = []

    def keep_all(batch: pa.RecordBatch, distinct: pa.Array) -> pa.Table:
        calls.append(len(distinct))
        return pa.Table.from_batches([batch])

    combiner = RowCombiner(keep_all, member=MEMBER)
    keys = np.repeat(np.arange(TRIAL_ROWS // 4), 2)
    pieces = [(bucket, pa.table({"key": keys, "value": keys})) for bucket in range(4)]
    assert [*combiner.combine_pieces(pieces)] == pieces
    assert calls == [TRIAL_ROWS // 4] * 2


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        ((), {"key": [1, 1], "value": [None, None]}),
        ((), {"key": [None, None], "value": [1, 2]}),
        (("a", "b"), {"a": [1, 1], "b": [None, None], "value": [1, 2]}),
    ],
    ids=["values", "keys", "a column of the key"],
)
def test_rows_with_a_column_that_has_no_type_yet_are_kept(names: tuple[str, ...], columns: dict[str, Any]) -> None:
    def refuse(batch: pa.RecordBatch, distinct: pa.Array) -> pa.Table:
        raise AssertionError((batch, distinct))

    table = canonical_table(pa.table(columns), MEMBER, names)
    assert [*RowCombiner(refuse, member=MEMBER).combine_pieces([(0, table)])] == [(0, table)]


@pytest.mark.parametrize(
    ("budget_bytes", "more", "fan_in"),
    [(COMBINED_BYTES + 5 * OPEN_BYTES, 0, 5), (COMBINED_BYTES, 0, 2), (1, 0, 2), (5 * OPEN_BYTES, 1, 5)],
)
def test_fewer_runs_are_merged_at_once_for_what_combining_takes(
    tmp_path: Path, budget_bytes: int, more: int, fan_in: int
) -> None:
    combiner = None if more else RowCombiner(lambda batch, _: pa.Table.from_batches([batch]), member=MEMBER)
    sorter = ColumnSorter(
        buckets=1,
        bucket_of=lambda _: 0,
        budget_bytes=budget_bytes,
        scratch_directory=str(tmp_path),
        member=MEMBER,
        combiner=combiner,
    )
    assert sorter._fan_in == fan_in  # noqa: SLF001 - the merges of 64 MiB would show it in minutes


SMALL = st.integers(-3, 3)
KEYS = {
    "int": (pa.int64(), st.one_of(st.none(), SMALL)),
    "known int": (pa.int64(), SMALL),
    "float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, -2.5, math.inf, None])),
    "known float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, -2.5, math.inf])),
    "text": (pa.string(), st.sampled_from(["", "a", "ab", "\u00e4", None])),
    "known text": (pa.string(), st.sampled_from(["", "a", "ab", "\u00e4"])),
    "binary": (pa.binary(2), st.sampled_from([b"aa", b"ab", b"b\0"])),
    "bool": (pa.bool_(), st.booleans()),
    "null": (pa.null(), st.none()),
}


@pytest.mark.parametrize("second", [None, "int", "text"])
@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data())
def test_the_last_row_of_each_key_is_found(kind: str, second: str | None, data: st.DataObject) -> None:
    names = ["a", "b"] if second else []
    columns = {}
    rows = range(data.draw(st.integers(0, 20)))
    for name, each in zip(names or ["key"], [kind, second], strict=False):
        of, values = KEYS[each or kind]
        columns[name] = pa.array([data.draw(values) for _ in rows], of)
    column = canonical_table(pa.table(columns), MEMBER, names).column(0).combine_chunks()
    encoded = sorted((encoded_key(column, row), row) for row in range(len(rows)))
    column = column.take(pa.array([row for _, row in encoded], pa.int64()))
    names = [key for key, _ in encoded]
    expected = [row for row in range(len(names)) if row + 1 == len(names) or names[row] != names[row + 1]]
    assert last_rows(column).tolist() == expected


GIVEN = {"key": pa.array([1, 1, 2, 4]), "value": pa.array([1, 2, 3, 4]), "text": ["a", "b", "c", "d"]}
TWO = {"user": ["a", "a", "b"], "time": [1, 1, 2], "value": [1.0, 2.0, 3.0]}


def checked(columns: dict[str, Any], returned: list[dict[str, Any]], names: tuple[str, ...] = ()) -> pa.Table:
    table = canonical_table(pa.table(columns), MEMBER, names).combine_chunks()
    keys = table.column(0).chunk(0)
    distinct = keys.take(pa.array(last_rows(keys)))
    found = check_combined(list(map(pa.table, returned)), table.schema, distinct, "Job.combine_batch")
    assert found.schema == table.schema
    assert found.schema.metadata is None
    return found


@pytest.mark.parametrize(
    ("names", "columns", "returned", "expected"),
    [
        ((), {"key": [1, 1], "value": [1, 2]}, [{"value": [3], "key": [1]}], [(1, 3)]),
        ((), {"key": [1, 1], "value": [1, 2]}, [{"key": pa.array([1], "int8"), "value": [3]}], [(1, 3)]),
        ((), {"key": [1, 1], "value": [0.5, 2]}, [{"key": [1], "value": pa.array([3], "int32")}], [(1, 3.0)]),
        ((), {"key": [1, 1], "value": [0.5, 2]}, [{"key": [1], "value": pa.array([None], "string")}], [(1, None)]),
        ((), {"key": ["a", "a"], "value": [1, 2]}, [{"key": pa.array(["a"], pa.string_view()), "value": [3]}], 3),
        ((), {"key": ["a", "a"], "value": [1, 2]}, [{"key": pa.array(["a"]).dictionary_encode(), "value": [3]}], 3),
        (
            (),
            {"key": [1, 2, 2], "value": [1, 2, 3]},
            [{"key": [2, 1, 2], "value": [7, 8, 9]}],
            [(1, 8), (2, 7), (2, 9)],
        ),
        ((), {"key": [1, 2, 2], "value": [1, 2, 3]}, [{"key": [2], "value": [7]}], [(2, 7)]),
        ((), {"key": [1, 2, 2], "value": [1, 2, 3]}, [{"key": [2], "value": [7]}, {"key": [1], "value": [8]}], 15),
        ((), {"key": [1, 1], "value": [1, 2]}, [], []),
        ((), {"key": [1, 1], "value": [1, 2]}, [{"key": [], "value": []}], []),
        ((), {"key": [None, None, 1], "value": [1, 2, 3]}, [{"key": [1, None], "value": [7, 8]}], [(None, 8), (1, 7)]),
        ((), {"key": pa.nulls(2), "value": [1, 2]}, [{"key": pa.nulls(1), "value": [3]}], [(None, 3)]),
        (("user", "time"), TWO, [{"value": [3.0], "user": ["b"], "time": [2]}], [("b", 2, 3.0)]),
        (
            ("user", "time"),
            TWO,
            [{"user": ["b", "a"], "time": [2, 1], "value": [3.0, 4.0]}],
            [("a", 1, 4.0), ("b", 2, 3.0)],
        ),
    ],
)
def test_what_is_returned_takes_the_place_of_the_rows(
    names: tuple[str, ...], columns: dict[str, Any], returned: list[dict[str, Any]], expected: list[Any] | int
) -> None:
    found = checked(columns, returned, names)
    rows = [tuple(row.values()) for batch in found.to_batches() for row in flat_batch(batch).to_pylist()]
    if isinstance(expected, int):
        assert sum(row[-1] for row in rows) == expected
        return
    assert rows == expected


@pytest.mark.parametrize("returned", [-0.0, 0.0])
def test_a_key_keeps_its_sign_whatever_is_returned(returned: float) -> None:
    (key,) = checked({"key": [0.0, -0.0], "value": [1, 2]}, [{"key": [returned], "value": [3]}])["key"].to_pylist()
    assert math.copysign(1, key) == 1


def test_the_metadata_of_what_is_returned_is_dropped() -> None:
    table = pa.table({"key": [1], "value": [2]}).replace_schema_metadata({"pandas": "{}"})
    keys = pa.array([1])
    schema = pa.schema([("key", pa.int64()), ("value", pa.int64())])
    assert check_combined([table], schema, keys, "x").schema.metadata is None


LEFT_OUT = "Job.combine_batch returned the columns {}: return those of its batch, which are {}; reduce_batch"
FOREIGN = (
    "Job.combine_batch returned a row with the key {}, which no row of its batch has: return only keys that it got"
)
RETYPED = (
    "Job.combine_batch returned the column {} of type {}, and its batch had {}: cast it there, or in map_batch, so"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns("text"), LEFT_OUT.format("key, value", "key, value, text")),
        (lambda t: t.drop_columns("key"), LEFT_OUT.format("value, text", "key, value, text")),
        (
            lambda t: t.append_column("n", t["value"]),
            LEFT_OUT.format("key, value, text, n", "key, value, text"),
        ),
        (
            lambda t: t.append_column("text", t["text"]),
            LEFT_OUT.format("key, value, text, text", "key, value, text"),
        ),
        (
            lambda t: t.rename_columns(["key", "value_sum", "text"]),
            LEFT_OUT.format("key, value_sum, text", "key, value, text"),
        ),
        (lambda t: t.set_column(0, "key", pa.array([1, 2, 3, 4])), FOREIGN.format("3")),
        (lambda t: t.set_column(0, "key", pa.array([4, 2, 1, 0])), FOREIGN.format("0")),
        (lambda t: t.set_column(0, "key", pa.array([4, None, 1, 2])), FOREIGN.format("None")),
        (lambda t: t.set_column(0, "key", t["text"]), RETYPED.format("key", "string", "int64")),
        (lambda t: t.set_column(0, "key", t["key"].cast("double")), RETYPED.format("key", "double", "int64")),
        (lambda t: t.set_column(1, "value", t["value"].cast("double")), RETYPED.format("value", "double", "int64")),
        (lambda t: t.set_column(1, "value", t["text"]), RETYPED.format("value", "string", "int64")),
        (lambda t: t.set_column(2, "text", t["value"]), RETYPED.format("text", "int64", "string")),
        (
            lambda t: t.set_column(0, "key", pa.array([1.0, math.nan, 2.0, 4.0])),
            "Job.combine_batch returned NaN among its keys",
        ),
        (
            lambda t: t.set_column(0, "key", pa.array([[1]] * 4)),
            "Job.combine_batch returned keys of type list<item: int64>",
        ),
    ],
)
def test_what_cannot_take_the_place_of_the_rows_is_refused(
    change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    table = pa.table(GIVEN)
    with pytest.raises(ProgramError, match=re.escape(message)):
        check_combined([change(table)], table.schema, pa.array([1, 2, 4]), "Job.combine_batch")


def test_a_foreign_key_of_several_columns_is_told_whole() -> None:
    with pytest.raises(ProgramError, match=re.escape(FOREIGN.format("('a', 2)"))):
        checked(TWO, [{"user": ["a", "b"], "time": [2, 2], "value": [3.0, 4.0]}], ("user", "time"))
    with pytest.raises(ProgramError, match=re.escape(LEFT_OUT.format("user, value", "user, time, value"))):
        checked(TWO, [{"user": ["a", "b"], "value": [3.0, 4.0]}], ("user", "time"))
