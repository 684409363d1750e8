"""Arrow list columns as numpy arrays: the values of all rows in a row, and the place where each row begins."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Ints", "build_lists", "flat_values", "keep_in_lists", "list_offsets", "rows_of_values"]

Ints = npt.NDArray[np.int64]


def list_offsets(column: Any) -> Ints:  # noqa: ANN401 - pyarrow has no types
    """Return where each list begins, and the end of the last: one number more than there are rows."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def flat_values(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the values of all lists, one after the other."""
    flat = pc.list_flatten(column)
    return flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat


def rows_of_values(offsets: Ints) -> Ints:
    """Return the number of the row that each value is from."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def build_lists(offsets: Ints, values: Any) -> Any:  # noqa: ANN401 - an Arrow or numpy array
    """Return a list column of these values."""
    return pa.LargeListArray.from_arrays(offsets, pa.array(values)).cast(pa.list_(pa.array(values).type))


def keep_in_lists(offsets: Ints, kept: npt.NDArray[np.bool_]) -> Ints:
    """Return the offsets of the lists when only the kept values stay."""
    return np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))[offsets]
