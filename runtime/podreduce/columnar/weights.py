"""The heaviest keys of sorted columns: see heavy_keys. Rule: pure.

Kernels find and weigh the runs of equal keys; only the few heaviest keys become Python objects.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.columns import encoded_key, one_array
from podreduce.columnar.key_columns import prefix_of
from podreduce.encoding.heavy_keys import MAX_KEYS, HeavyKeys

__all__ = ["weigh_table"]


def weigh_table(heavy_keys: HeavyKeys, bucket: int, table: pa.Table, elements: int | None = None) -> None:
    """Add a bucket's next sorted rows: the heaviest keys, the first and the last; of the others only the bytes.

    Of several key columns the first `elements` make a key.
    """
    keys = one_array(table.column(0))
    ends = np.unique(np.concatenate(list(map(run_ends, prefix_of(keys, elements)))))
    starts = np.concatenate(([0], ends[:-1]))
    weights = np.add.reduceat(row_bytes(table), starts)
    heaviest = np.argpartition(weights, -MAX_KEYS)[-MAX_KEYS:] if len(weights) > MAX_KEYS else np.arange(len(weights))
    chosen = np.unique(np.concatenate((heaviest, [0, len(weights) - 1])))
    encoded = [encoded_key(keys, int(start)) for start in starts[chosen]]
    sizes = [max(int(weight) - len(key), 0) for weight, key in zip(weights[chosen], encoded, strict=True)]
    heavy_keys.add_frame(bucket, encoded, (ends - starts)[chosen].tolist(), sizes)
    heavy_keys.encoded_bytes += int(weights.sum() - weights[chosen].sum())


def run_ends(column: pa.Array) -> NDArray[np.int64]:
    """Return where each run of equal values ends."""
    found: NDArray[np.int64] = pc.run_end_encode(column, run_end_type=pa.int64()).run_ends.to_numpy()
    return found


def row_bytes(table: pa.Table) -> NDArray[np.float64]:
    """Return about how many bytes each row takes."""
    total = np.zeros(table.num_rows)
    for column in table.columns:
        total += value_bytes(column)
    return total


def value_bytes(column: Any) -> Any:  # noqa: ANN401 - a chunked array → an array of lengths, or one for all
    """Return how many bytes the values of a column take: for each string, or the mean for other types."""
    kind = column.type
    if any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string)):
        return pc.fill_null(pc.binary_length(column), 0).to_numpy()
    return column.nbytes / len(column)
