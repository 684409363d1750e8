import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from podreduce.outputs.parquet_dictionaries import COUNTED_ROWS, dictionary_paths

ROWS = 3000
UNIQUE = list(range(ROWS))
REPEATED = [number % 7 for number in range(ROWS)]


def with_dictionary(table: pa.Table, paths: Any) -> dict[str, bool]:
    sink = io.BytesIO()
    pq.write_table(table, sink, use_dictionary=paths)
    group = pq.ParquetFile(sink).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    return {each.path_in_schema: each.has_dictionary_page for each in columns}


NUMBERS = [
    pa.int64(),
    pa.uint64(),
    pa.float64(),
    pa.int32(),
    pa.float32(),
    pa.date32(),
    pa.date64(),
    pa.time32("ms"),
    pa.time64("ns"),
    pa.timestamp("us", "UTC"),
    pa.duration("s"),
]
OTHERS = [pa.string(), pa.large_string(), pa.binary(), pa.string_view(), pa.decimal128(30, 3), pa.int16(), pa.float16()]


def column_of(kind: pa.DataType, values: list[int]) -> pa.Array:
    if kind in NUMBERS:
        return pa.array(values, pa.int64() if kind.bit_width == 64 else pa.int32()).view(kind)
    return pa.array(values).cast(pa.string() if kind in OTHERS[:4] else kind).cast(kind)


@pytest.mark.parametrize("kind", [*NUMBERS, *OTHERS], ids=str)
def test_a_column_has_a_dictionary_unless_it_is_of_numbers_that_do_not_repeat(kind: pa.DataType) -> None:
    columns = {"unique": UNIQUE, "repeated": REPEATED, "twice": [each // 2 for each in UNIQUE]}
    table = pa.table({name: column_of(kind, values) for name, values in columns.items()})
    found = with_dictionary(table, dictionary_paths(table))
    assert found == {"unique": kind not in NUMBERS, "repeated": True, "twice": True}


def test_null_is_one_of_the_values() -> None:
    table = pa.table({"nulls": pa.array([None, None, 1, 2], pa.int64()), "all": pa.array([None, 1, 2, 3], pa.int64())})
    assert dictionary_paths(table) == []
    assert dictionary_paths(table.slice(0, 2)) == ["nulls"]


def test_what_is_within_nested_columns_always_has_one() -> None:
    rows = UNIQUE
    table = pa.table(
        {
            "lists": pa.array([[each] for each in rows]),
            "large": pa.array([[each] for each in rows], pa.large_list(pa.int64())),
            "pairs": pa.array([[each, each] for each in rows], pa.list_(pa.int64(), 2)),
            "records": pa.array([{"a.b": each, "inner": {"deep": [str(each)]}} for each in rows]),
            "maps": pa.array(
                [[(str(each), {"x": each})] for each in rows], pa.map_(pa.string(), pa.struct({"x": pa.int64()}))
            ),
            "plain.name": pa.array(rows),
        }
    )
    everywhere = with_dictionary(table, paths=True)
    assert all(everywhere.values())
    assert with_dictionary(table, dictionary_paths(table)) == {**everywhere, "plain.name": False}


def test_a_dictionary_that_would_be_cut_short_is_not_begun() -> None:
    sparse = np.arange(2 * COUNTED_ROWS) % (COUNTED_ROWS // 2 + 1)
    assert dictionary_paths(pa.table({"fits": sparse % (COUNTED_ROWS // 2), "does not": sparse})) == ["fits"]


def test_types_that_cannot_be_counted_have_one() -> None:
    table = pa.table({"uuid": pa.array([number.to_bytes(16) for number in UNIQUE], pa.uuid()), "none": pa.nulls(ROWS)})
    assert with_dictionary(table, dictionary_paths(table))["uuid"]


@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays([2], [1]),
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        pa.array([[1], [2]], pa.list_view(pa.int64())),
        pa.array([(1, 2, 3), (4, 5, 6)], pa.month_day_nano_interval()),
    ],
    ids=["run ends", "union", "list view", "interval"],
)
def test_a_type_that_parquet_may_not_hold_is_left_to_the_writer(column: pa.Array) -> None:
    assert dictionary_paths(pa.table({"other": column, "key": ["a", "a"]}))[-1:] == ["key"]
