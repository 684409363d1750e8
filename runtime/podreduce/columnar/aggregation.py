"""Aggregates of a column by key: as columns where Arrow's are exactly Python's, else not at all. Rule: pure.

Arrow skips nulls, wraps around past 64 bits and ranks NaN and -0.0 as it likes. So a null, which is a None to the row
tiers, a NaN and a -0.0 are left to them, like all types but the few below; sums that could exceed 64 bits are made of
decimals. What a job gives is then the same however its rows fall into batches and flushes.
"""

from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["aggregate_table", "count_ones", "python_values"]

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
    """Return each key once, with the aggregate of its values; None where only Python can say what that is."""
    values = table.column("value")
    if aggregation == "count":
        return grouped(table.select(["key"]), ([], "count_all"))
    if not is_exact(values, aggregation):
        return None
    if aggregation == "sum" and could_overflow(values):
        table = table.set_column(1, "value", values.cast(EXACT_INT))
    return grouped(table, ("value", aggregation))


def grouped(table: pa.Table, wanted: tuple[Any, str]) -> pa.Table:
    """Return what Arrow makes of each key's rows."""
    made = table.group_by("key", use_threads=False).aggregate([wanted])
    return pa.table({"key": made.column("key"), "value": made.column(made.column_names.index("key") ^ 1)})


def is_exact(values: pa.ChunkedArray, aggregation: str) -> bool:
    """Tell whether Arrow's aggregates of these values are Python's."""
    kind = values.type
    kinds = NUMBERS if aggregation == "sum" else NUMBERS + TEXTS
    if values.null_count or not any(is_kind(kind) for is_kind in kinds):
        return False
    return aggregation == "sum" or not pa.types.is_floating(kind) or are_ranked(values)


def are_ranked(values: pa.ChunkedArray) -> bool:
    """Tell whether each two of these floats are equal in all or one is less: there is no NaN and no -0.0."""
    floats = values.cast(pa.float64()).to_numpy()
    return not np.isnan(floats).any() and not (floats.view(np.int64) == NEGATIVE_ZERO).any()


def could_overflow(values: pa.ChunkedArray) -> bool:
    """Tell whether these are ints whose sum could exceed 64 bits, where Arrow would wrap around in silence."""
    if not pa.types.is_integer(values.type) or not len(values):
        return False
    bounds: dict[str, int] = pc.min_max(values).as_py()
    return max(abs(bounds["min"]), abs(bounds["max"])) * len(values) > MAX_EXACT_SUM


def count_ones(table: pa.Table) -> pa.Table:
    """Return the table with a 1 for each value: what adds up to how many there are."""
    return table.set_column(table.column_names.index("value"), "value", pa.repeat(1, table.num_rows))


def python_values(column: pa.ChunkedArray | pa.Array, *, exact_ints: bool = False) -> list[Any]:
    """Return a column's values as Python's; with `exact_ints`, decimals as the ints that they stand for."""
    values: list[Any] = column.to_pylist()
    return list(map(int, values)) if exact_ints and values and type(values[0]) is Decimal else values
