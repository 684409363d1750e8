"""Applies the job's combiner to groups, and stops if that does not pay.

A combiner may run never, once or repeatedly on parts of a key's values, always in their order. So this module is free
to decide where and how often to combine, by what it saves.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from podreduce.encoding.codec import Encoded, Key, Value, decode_key, restore
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.merge import Piece
from podreduce.rows.aggregations import condense

__all__ = ["Combine", "Combiner", "PackGroup", "aggregating", "has_paid"]

Combine: TypeAlias = Callable[[Key, list[Value]], list[Value | Encoded]]
"""(key, values in order) → captured values (`codec.capture`)."""

PackGroup: TypeAlias = Callable[[FramePacker, int, bytes, Iterable[Piece]], None]
"""Passes a merged group of a bucket to a packer, combined or unchanged."""

BATCH_ROWS: Final = 8192
"""How many values are decoded together, however large the group."""
TRIAL_ROWS: Final = 8192
PAYING_RATIO: Final = 0.8
"""If a combiner leaves more than this share of the values, it costs more than it saves."""


def has_paid(rows_in: int, rows_out: int) -> bool:
    """Tell whether combining so many rows to so many has saved enough, or has not been tried often enough."""
    return rows_in < TRIAL_ROWS or rows_out <= PAYING_RATIO * rows_in


class Combiner:
    """A combiner and what it has saved so far.

    Attributes:
        rows_in: values passed to the combiner; `rows_out` is how many it returned.
    """

    __slots__ = ("_combine", "rows_in", "rows_out")

    def __init__(self, combine: Combine) -> None:
        self._combine = combine
        self.rows_in = 0
        self.rows_out = 0

    @property
    def pays(self) -> bool:
        """Tell whether to continue."""
        return has_paid(self.rows_in, self.rows_out)

    def combine(self, key: Key, values: list[Value | Encoded]) -> list[Value | Encoded]:
        """Combine captured values: a large group in batches, then their results once more."""
        combined = values
        if len(values) > 1:
            batches = [values[start : start + BATCH_ROWS] for start in range(0, len(values), BATCH_ROWS)]
            combined = [value for batch in batches for value in self._combine_batch(key, batch)]
            if len(batches) > 1 and len(combined) <= BATCH_ROWS:
                combined = self._combine_batch(key, combined)
        self.rows_in += len(values)
        self.rows_out += len(combined)
        return combined

    def pack_group(self, packer: FramePacker, bucket: int, key: bytes, pieces: Iterable[Piece]) -> None:
        """Pass a merged group to `packer`, combined if that pays."""
        for batch in batch_pieces(pieces):
            if len(batch) > 1 and self.pays:
                values = [value for frame, index in batch for value in frame.values(index)]
                combined = self._combine(decode_key(key), values)
                self.rows_in += len(values)
                self.rows_out += len(combined)
                packer.add_values(bucket, key, combined)
            else:
                for frame, index in batch:
                    packer.add(bucket, key, frame.counts[index], frame.data(index))

    def _combine_batch(self, key: Key, values: list[Value | Encoded]) -> list[Value | Encoded]:
        """Combine values that are few enough to restore together."""
        return self._combine(key, restore(values))


def batch_pieces(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in lists of about `BATCH_ROWS` values."""
    batch, rows = [], 0
    for piece in pieces:
        batch.append(piece)
        rows += piece[0].counts[piece[1]]
        if rows >= BATCH_ROWS:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def aggregating(aggregation: str) -> PackGroup:
    """Return a function that packs a merged group of aggregates as one aggregate."""

    def pack_group(packer: FramePacker, bucket: int, key: bytes, pieces: Iterable[Piece]) -> None:
        values = (value for frame, index in pieces for value in frame.values(index))
        kept = condense(aggregation, key, values)
        if len(kept) == 1:
            packer.add_one(bucket, key, kept[0])
        else:
            packer.add_values(bucket, key, kept)

    return pack_group
