"""The heaviest keys of sorted columns: see heavy_keys. Rule: pure.

Kernels find and weigh the runs of equal keys, those of many buckets at a time; only the few heaviest keys become Python
objects.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.columns import encoded_key, one_array
from podreduce.columnar.key_columns import prefix_of
from podreduce.columnar.key_runs import all_ends, run_ends
from podreduce.encoding.heavy_keys import MAX_KEYS, HeavyKeys

__all__ = ["TOGETHER_BYTES", "gather_pieces", "weigh_pieces"]

TOGETHER_BYTES: Final = 1 << 20
"""About how much is weighed at a time: with little the calls would cost more than the work."""

Piece: TypeAlias = tuple[int, pa.Table]
"""A bucket and its next sorted rows, at least one."""


def gather_pieces(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in lists of about `TOGETHER_BYTES`."""
    gathered: list[Piece] = []
    size_bytes = 0
    for piece in pieces:
        gathered.append(piece)
        size_bytes += piece[1].nbytes
        if size_bytes >= TOGETHER_BYTES:
            yield gathered
            gathered, size_bytes = [], 0
    if gathered:
        yield gathered


def weigh_pieces(heavy_keys: HeavyKeys, pieces: Sequence[Piece], elements: int | None = None) -> None:
    """Add the next sorted rows of some buckets: of each piece the heaviest keys, the first and the last.

    Of the other keys only the bytes are added. All pieces have one schema. Of several key columns the first `elements`
    make a key.
    """
    table = pa.concat_tables([rows for _, rows in pieces])
    keys = one_array(table.column(0))
    piece_ends = np.cumsum([rows.num_rows for _, rows in pieces])
    ends = all_ends(table.num_rows, [piece_ends, *map(run_ends, prefix_of(keys, elements))])
    starts = np.concatenate(([0], ends[:-1]))
    counts, weights = ends - starts, np.add.reduceat(row_bytes(table), starts)
    edges = [0, *np.searchsorted(ends, piece_ends, side="right").tolist()]
    for (bucket, _), (first, end) in zip(pieces, pairwise(edges), strict=True):
        chosen = first + choose_keys(weights[first:end], heavy_keys.least_bytes)
        encoded = [encoded_key(keys, start) for start in starts[chosen].tolist()]
        sizes = [max(int(weight) - len(key), 0) for weight, key in zip(weights[chosen], encoded, strict=True)]
        heavy_keys.add_frame(bucket, encoded, counts[chosen].tolist(), sizes)
        heavy_keys.encoded_bytes += int(weights[first:end].sum() - weights[chosen].sum())


def choose_keys(weights: NDArray[np.float64], least: int) -> NDArray[np.int64]:
    """Return the places of the heaviest keys of more than `least` bytes, and the first and the last."""
    heavy = np.flatnonzero(weights > least)
    if len(heavy) > MAX_KEYS:
        heavy = heavy[np.argpartition(weights[heavy], -MAX_KEYS)[-MAX_KEYS:]]
    places = {0, *heavy.tolist(), len(weights) - 1}
    return np.array(sorted(places), np.int64)


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
