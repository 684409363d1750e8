"""Tables of two schemas go together whatever types their other columns have."""

from typing import Any

import pyarrow as pa
import pytest

from podreduce.columnar.columns import unify_schemas, unify_tables
from podreduce.task.side_table import fit

UUID = b"sixteen bytes it"
KINDS = {
    "uuid": (pa.uuid(), UUID),
    "json": (pa.json_(), '{"a":1}'),
    "decimal": (pa.decimal128(20, 3), 1),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), "a"),
    "repeated": (pa.run_end_encoded(pa.int32(), pa.int64()), 1),
    "view": (pa.string_view(), "a"),
}


def array_of(kind: pa.DataType, value: Any) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(pa.array([value], kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        return pa.RunEndEncodedArray.from_arrays([1], [value])
    return pa.array([value], kind)


def nested(shape: str, inner: pa.Array) -> pa.Array:
    if shape == "list":
        return pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), inner)
    if shape == "struct":
        return pa.StructArray.from_arrays([inner], ["field"])
    return inner


@pytest.mark.parametrize("shape", ["plain", "list", "struct"])
@pytest.mark.parametrize("name", KINDS)
def test_a_column_of_any_type_stays_as_it_is_beside_one_that_is_cast(name: str, shape: str) -> None:
    value = nested(shape, array_of(*KINDS[name]))
    narrow, wide = (pa.table({"key": pa.array([1], kind), "value": value}) for kind in (pa.int32(), pa.int64()))
    schema = unify_schemas([narrow.schema, wide.schema], "Program.map_batch")
    together = unify_tables([narrow, wide], "Program.map_batch")
    assert schema == together.schema == wide.schema
    assert fit(narrow.to_batches()[0], schema).equals(wide)
    assert together.slice(0, 1).equals(wide)
    assert together.slice(1).equals(wide)
