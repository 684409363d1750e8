"""Which columns of a Parquet part are written with a dictionary of their values: those whose values repeat. Rule: pure.

Where most values are distinct, as the keys of a reduce are, a dictionary is written beside the numbers that point into
it. Of numbers such a part takes twice as long, the count included, and nearly half as many bytes again.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["dictionary_paths"]

LISTS: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
COUNTED_ROWS: Final = 1 << 18
"""Arrow ends a dictionary at 1 MiB, which is half as many numbers."""


def dictionary_paths(table: pa.Table) -> list[str]:
    """Return the columns to write with a dictionary, as Parquet names them; those within nested columns always."""
    return [
        path
        for field, column in zip(table.schema, table.columns, strict=True)
        if field.type.num_fields or is_repeating(column)
        for path in leaf_paths(field)
    ]


def is_repeating(column: pa.ChunkedArray) -> bool:
    """Tell whether a plain column has each of its first values at least twice, on average."""
    first = column.slice(0, COUNTED_ROWS)
    try:
        return bool(2 * count_distinct(first) <= len(first))
    except pa.ArrowNotImplementedError:
        return True


def count_distinct(column: pa.ChunkedArray) -> int:
    """Return how many distinct values a column has. Numbers of 64 bits are sorted, in a seventh of Arrow's time."""
    if len(column) and not column.null_count and (pa.types.is_int64(column.type) or pa.types.is_float64(column.type)):
        words = np.sort(column.to_numpy().view(np.int64))
        return 1 + int(np.count_nonzero(words[1:] != words[:-1]))
    return int(pc.count_distinct(column, mode="all").as_py())


def leaf_paths(field: pa.Field) -> Iterator[str]:
    """Yield the name of each plain column that Parquet stores of a field; none for what it cannot hold."""
    kind = field.type
    if pa.types.is_map(kind):
        for name, inner in (("key", kind.key_field), ("value", kind.item_field)):
            yield from (f"{field.name}.key_value.{path}" for path in leaf_paths(inner.with_name(name)))
    elif pa.types.is_struct(kind):
        for inner in kind:
            yield from (f"{field.name}.{path}" for path in leaf_paths(inner))
    elif any(is_kind(kind) for is_kind in LISTS):
        inner = kind.value_field.with_name("element")
        yield from (f"{field.name}.list.{path}" for path in leaf_paths(inner))
    elif not kind.num_fields:
        yield field.name
