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


@pytest.mark.parametrize(
    "kind",
    [pa.int64(), pa.float64(), pa.string(), pa.large_string(), pa.binary(), pa.date32(), pa.decimal128(30, 3)],
    ids=str,
)
def test_a_column_has_a_dictionary_if_its_values_repeat(kind: pa.DataType) -> None:
    columns = {
        name: pa.array(values)
        .cast(pa.int32() if kind == pa.date32() else kind if kind != pa.binary() else pa.string())
        .cast(kind)
        for name, values in {"unique": UNIQUE, "repeated": REPEATED, "twice": [each // 2 for each in UNIQUE]}.items()
    }
    table = pa.table(columns)
    assert with_dictionary(table, dictionary_paths(table)) == {"unique": False, "repeated": True, "twice": True}


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
    ],
    ids=["run ends", "union", "list view"],
)
def test_a_type_that_parquet_may_not_hold_is_left_to_the_writer(column: pa.Array) -> None:
    assert dictionary_paths(pa.table({"other": column, "key": ["a", "a"]}))[-1:] == ["key"]
