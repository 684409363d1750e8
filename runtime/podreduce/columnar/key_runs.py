"""Where runs of equal keys end in sorted rows. Rule: pure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.key_columns import prefix_of

__all__ = ["all_ends", "last_rows", "run_ends"]


def last_rows(keys: pa.Array) -> NDArray[np.int64]:
    """Return the last row of each distinct key; the keys are sorted. Several key columns count as one."""
    columns = prefix_of(keys, None)
    ends = run_ends(columns[0]) if len(columns) == 1 else all_ends(len(keys), [*map(run_ends, columns)])
    return ends - 1


def all_ends(rows: int, several: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return all ends among so many rows, in order, each once."""
    is_end = np.zeros(rows + 1, np.bool_)
    for ends in several:
        is_end[ends] = True
    return np.flatnonzero(is_end)


def run_ends(column: pa.Array) -> NDArray[np.int64]:
    """Return where each run of equal values ends."""
    rows = len(column)
    if not rows or column.null_count:
        found: NDArray[np.int64] = pc.run_end_encode(column, run_end_type=pa.int64()).run_ends.to_numpy()
        return found
    is_end = np.ones(rows, np.bool_)  # comparing takes half of the time of encoding
    if pa.types.is_integer(column.type) or pa.types.is_float64(column.type):
        numbers = column.to_numpy()
        np.not_equal(numbers[1:], numbers[:-1], out=is_end[:-1])
    else:
        is_end[:-1] = pc.not_equal(column.slice(1), column.slice(0, rows - 1)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(is_end) + 1
