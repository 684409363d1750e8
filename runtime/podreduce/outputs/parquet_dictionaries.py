"""Which columns of a Parquet part have a dictionary: all but those of numbers that are mostly distinct. Rule: pure.

Where most values are distinct, as the keys of a reduce are, a dictionary is written beside the numbers that point into
it. Of numbers such a part takes twice as long, this count included, and nearly half as many bytes again. Texts and
decimals have a dictionary always: to count texts takes three times as long as to write a dictionary in vain, which
Arrow ends at 1 MiB.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

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
COUNTED_BITS: Final = (32, 64)


def dictionary_paths(table: pa.Table) -> list[str]:
    """Return the columns to write with a dictionary, as Parquet names them."""
    return [
        path
        for field, column in zip(table.schema, table.columns, strict=True)
        if not is_of_numbers(field.type) or is_repeating(column)
        for path in leaf_paths(field)
    ]


def is_of_numbers(kind: pa.DataType) -> bool:
    """Tell whether a column's values are numbers or times of 32 or 64 bits. Smaller ones repeat in any long part."""
    return bool(pa.types.is_primitive(kind) and kind.bit_width in COUNTED_BITS)


def is_repeating(column: pa.ChunkedArray) -> bool:
    """Tell whether a column of numbers has each of its first values at least twice, on average."""
    first = column.slice(0, COUNTED_ROWS)
    return count_distinct(first) * 2 <= len(first)


def count_distinct(column: pa.ChunkedArray) -> int:
    """Return how many distinct numbers a column has, null among them. They are sorted: a seventh of Arrow's time."""
    present = column.drop_null().combine_chunks()
    words = np.sort(present.view(f"int{column.type.bit_width}").to_numpy())
    changes = int(np.count_nonzero(words[1:] != words[:-1]))
    return changes + bool(len(words)) + bool(column.null_count)


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
