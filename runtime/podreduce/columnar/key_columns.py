"""Several key columns, held as one column of structs: what a tuple of them is for the row tiers. Rule: pure.

So whatever sorts, merges, cuts and ships a table by its key column takes these as well. The program sees them as
columns of their own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from podreduce.columnar.python_types import to_python
from podreduce.encoding.keys import encode_key

__all__ = [
    "KEY",
    "bucket_tuples",
    "flat_batch",
    "flat_schema",
    "flat_table",
    "key_names",
    "nested_table",
    "one_array",
    "prefix_of",
]

KEY: Final = "key"


def key_names(schema: pa.Schema) -> list[str]:
    """Return the names of the key columns in the struct of a schema; empty if its key is a single column."""
    if not len(schema):
        return []
    first = schema.field(0)  # the lists of all names and types are made anew each time
    return [field.name for field in first.type] if first.name == KEY and pa.types.is_struct(first.type) else []


def nested_table(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the table with these columns as one key column, which is the first; unchanged if there are no names."""
    if not names:
        return table
    fields = [one_array(table.column(name)) for name in names]
    others = {name: table.column(name) for name in table.column_names if name not in names}
    return pa.table({KEY: pa.StructArray.from_arrays(fields, names=list(names)), **others})


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece; if it is one already, without the copy that Arrow would make."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def flat_table(table: pa.Table) -> pa.Table:
    """Return the table with each key column by itself, the first first."""
    names = key_names(table.schema)
    if not names:
        return table
    columns = [*table.column(0).flatten(), *table.columns[1:]]
    return pa.table(columns, names=[*names, *table.column_names[1:]])


def flat_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with each key column by itself, the first first."""
    names = key_names(batch.schema)
    if not names:
        return batch
    columns = [*batch.column(0).flatten(), *batch.columns[1:]]
    return pa.record_batch(columns, names=[*names, *batch.schema.names[1:]])


def flat_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of `flat_table`."""
    return pa.schema([*schema.types[0], *list(schema)[1:]]) if key_names(schema) else schema


def prefix_of(keys: Any, elements: int | None) -> list[Any]:  # noqa: ANN401 - an array
    """Return the first `elements` columns of a key (None: all), or a single key column."""
    return keys.flatten()[:elements] if pa.types.is_struct(keys.type) else [keys]


def bucket_tuples(fields: Sequence[pa.Array], bucket_of: Callable[[bytes], int]) -> NDArray[np.uint16]:
    """Return the virtual bucket of each row's tuple of fields; each distinct tuple is encoded and hashed once."""
    codes = np.zeros(len(fields[0]), np.int64)
    for field in fields:
        encoded = field.dictionary_encode(null_encoding="encode")
        numbers = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        _, first, codes = np.unique(
            codes * (len(encoded.dictionary) + 1) + numbers, return_index=True, return_inverse=True
        )
    rows = zip(*(to_python(field.take(pa.array(first))) for field in fields), strict=True)
    buckets = np.array([bucket_of(encode_key(row)) for row in rows], np.uint16)
    return buckets[codes] if len(buckets) else np.zeros(0, np.uint16)
