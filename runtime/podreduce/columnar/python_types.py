"""Arrow columns as Python values, whatever packages are installed.

Rule: where a column may hold times, only this module calls `to_pylist`. Arrow makes pandas objects of nanoseconds if
pandas is there, and raises if it is not. Here they are Python's own times, or an error.
"""

from typing import Any

import pyarrow as pa

__all__ = ["as_python", "to_python"]


def to_python(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return a column's values as Python objects.

    Raises:
        ValueError, OverflowError, pa.ArrowException: Python cannot hold a value, such as one with nanoseconds.
    """
    kind = as_python(column.type)
    values: list[Any] = (column if kind == column.type else column.cast(kind)).to_pylist()
    return values


def as_python(kind: pa.DataType) -> pa.DataType:
    """Return a type with Python's units for times, so that the result does not depend on installed packages."""
    if pa.types.is_dictionary(kind):
        return as_python(kind.value_type)
    if pa.types.is_nested(kind):
        return nested_as_python(kind)
    if getattr(kind, "unit", None) != "ns":
        return kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")


def nested_as_python(kind: pa.DataType) -> pa.DataType:
    """Return a type of lists, maps or structs in the same way."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(as_python(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(as_python(kind.key_type), as_python(kind.item_type))
    if not hasattr(kind, "value_field"):
        return kind
    item = kind.value_field.with_type(as_python(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size)
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)
