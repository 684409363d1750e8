"""Aggregates of a column by key, computed by Arrow only if its result is exactly Python's. Rule: pure.

Arrow skips nulls, wraps around beyond 64 bits and has its own order for NaN and -0.0. So columns with a null (a None in
the row tiers), a NaN or a -0.0 go to the row tiers, and so do all but a few types. Sums that could exceed 64 bits are
computed as decimals. The result of a job is then the same for all batches and flushes.
"""

from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce.columnar.python_types import to_python

__all__ = ["aggregate_table", "count_ones", "has_pythons_order", "python_values"]

MAX_EXACT_SUM: Final = 2**62
EXACT_INT: Final = pa.decimal128(38, 0)
NEGATIVE_ZERO: Final = np.array(-0.0).view(np.int64)[()]
NUMBERS: Final = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_float32, pa.types.is_float64)
TEXTS: Final = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def aggregate_table(table: pa.Table, aggregation: str) -> pa.Table | None:
    """Return each key once, with the aggregate of its values; None if only Python can compute it."""
    values = table.column("value")
    if aggregation == "count":
        return grouped(table.select(["key"]), ([], "count_all"))
    if not is_exact(values, aggregation):
        return None
    if aggregation == "sum" and could_overflow(values):
        table = table.set_column(1, "value", values.cast(EXACT_INT))
    return grouped(table, ("value", aggregation))


def grouped(table: pa.Table, wanted: tuple[Any, str]) -> pa.Table:
    """Return Arrow's aggregate of each key's rows."""
    return table.group_by("key", use_threads=False).aggregate([wanted]).rename_columns(["key", "value"])


def is_exact(values: pa.ChunkedArray, aggregation: str) -> bool:
    """Tell whether Arrow's aggregates of these values equal Python's."""
    if aggregation != "sum":
        return has_pythons_order(values)
    return not values.null_count and any(is_kind(values.type) for is_kind in NUMBERS)


def has_pythons_order(values: pa.ChunkedArray) -> bool:
    """Tell whether Arrow compares these values as Python does."""
    kind = values.type
    if values.null_count or not any(is_kind(kind) for is_kind in NUMBERS + TEXTS):
        return False
    return not pa.types.is_floating(kind) or are_ranked(values)


def are_ranked(values: pa.ChunkedArray) -> bool:
    """Tell whether these floats have one order: none is NaN or -0.0."""
    floats = values.cast(pa.float64()).to_numpy()
    return not np.isnan(floats).any() and not (floats.view(np.int64) == NEGATIVE_ZERO).any()


def could_overflow(values: pa.ChunkedArray) -> bool:
    """Tell whether these are ints whose sum could exceed 64 bits, so that Arrow would wrap around without an error."""
    if not pa.types.is_integer(values.type) or not len(values):
        return False
    bounds: dict[str, int] = pc.min_max(values).as_py()
    return max(abs(bounds["min"]), abs(bounds["max"])) * len(values) > MAX_EXACT_SUM


def count_ones(table: pa.Table) -> pa.Table:
    """Return the table with a 1 for each value, so that the sum is their number."""
    return table.set_column(table.column_names.index("value"), "value", pa.repeat(1, table.num_rows))


def python_values(column: pa.ChunkedArray | pa.Array, *, exact_ints: bool = False) -> list[Any]:
    """Return a column's values as Python objects; `exact_ints` turns decimals into the ints that they represent."""
    values = to_python(column)
    return list(map(int, values)) if exact_ints and values and type(values[0]) is Decimal else values
