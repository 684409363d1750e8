"""The rows with the largest or smallest values of each key, as `rows.kept_values` keeps them. Rule: pure.

Arrow ranks the values only if its order is exactly Python's; see `aggregation`.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.aggregation import has_pythons_order
from podreduce.columnar.columns import one_array
from podreduce.contract.members import Ranking

__all__ = ["keep_rows"]


def keep_rows(table: pa.Table, ranking: Ranking) -> pa.Table | None:
    """Return the kept rows of each key, those of one key in order; None if only Python can rank the values."""
    if not has_pythons_order(table.column("value")):
        return None
    keys = codes_of(table.column("key"))[0]
    ranks = rank_values(table.column("value"))
    order = np.lexsort((-ranks if ranking.largest else ranks, keys))
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    places = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return table.take(order[places < ranking.most])


def rank_values(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the place of each value among the distinct values, from the least on."""
    codes, distinct = codes_of(values)
    ranks = np.empty(len(distinct), np.int64)
    ranks[pc.array_sort_indices(distinct).to_numpy()] = np.arange(len(distinct))
    found: NDArray[np.int64] = ranks[codes]
    return found


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], Any]:
    """Return a number for each row, the same for equal ones, and the distinct values by these numbers."""
    encoded = one_array(column).dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary
