"""Texts as numbers that order as their bytes do, for texts that are short, or of which many are equal. Rule: pure."""

from itertools import takewhile
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Texts", "number_texts"]

WORD_BYTES: Final = 8
SAMPLE_ROWS: Final = 1 << 14
MOST_DISTINCT: Final = 0.5
"""If more of the texts differ, numbering those that do takes longer than sorting all."""

Words = NDArray[np.uint64]


class Texts:
    """The bytes of a column of strings or binary: text i is `data[starts[i] : starts[i] + sizes[i]]`; a null is empty.

    `data` has at least WORD_BYTES more bytes than the texts.
    """

    def __init__(self, column: pa.Array) -> None:
        _, offsets, data = column.buffers()
        edges = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        first, end = int(edges[0]), int(edges[-1])
        self.data = np.zeros(end - first + WORD_BYTES, np.uint8)
        if end > first:
            self.data[: end - first] = np.frombuffer(data, np.uint8)[first:end]
        self.starts = edges[:-1].astype(np.int64) - first
        self.sizes = np.diff(edges).astype(np.int64)
        if column.null_count:
            self.sizes[column.is_null().to_numpy(zero_copy_only=False)] = 0

    def longest(self) -> int:
        """Return the bytes of the longest text."""
        return int(self.sizes.max(initial=0))

    def has_zeros(self) -> bool:
        """Tell whether a byte of a text may be 0."""
        return bool((self.data[:-WORD_BYTES] == 0).any())

    def words(self, skipped: int) -> Words:
        """Return the eight bytes after the first `skipped` of each text as a number; bytes that are missing are 0."""
        view = np.ndarray((len(self.data) - WORD_BYTES + 1,), ">u8", self.data, strides=(1,))
        sizes = np.maximum(self.sizes - skipped, 0)
        found = view[np.minimum(self.starts + skipped, len(view) - 1)].astype(np.uint64)
        unused = (8 * np.maximum(WORD_BYTES - sizes, 0)).astype(np.uint64)
        # A shift by all 64 bits is undefined: so by half of them, twice.
        half = unused >> np.uint64(1)
        return np.asarray((found >> half >> (unused - half)) << unused % np.uint64(8 * WORD_BYTES))


def number_texts(column: pa.Array) -> Words | None:
    """Return a number for each text that orders as its bytes do, any for null; None if that would not be faster."""
    texts = Texts(column)
    longest, skipped = texts.longest(), 0
    if longest > WORD_BYTES:
        skipped = common_bytes(column)
    if longest - skipped <= WORD_BYTES and not texts.has_zeros():
        unused = 8 * max(WORD_BYTES - (longest - skipped), 0)
        return texts.words(skipped) >> np.uint64(min(unused, 8 * WORD_BYTES - 1))
    return number_distinct(column)


def common_bytes(column: pa.Array) -> int:
    """Return how many bytes all texts begin with: those of the least and the greatest of them."""
    ends = pc.min_max(column.cast(pa.binary())).as_py()
    pairs = zip(ends["min"] or b"", ends["max"] or b"", strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def number_distinct(column: pa.Array) -> Words | None:
    """Return the rank of each text among the distinct ones; None if too many are distinct."""
    sample = column.slice(0, SAMPLE_ROWS)
    if len(column) > SAMPLE_ROWS and pc.count_distinct(sample).as_py() > MOST_DISTINCT * len(sample):
        return None
    encoded = column.dictionary_encode()
    if len(encoded.dictionary) > MOST_DISTINCT * len(column):
        return None
    ranks = np.empty(len(encoded.dictionary), np.uint64)
    ranks[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks), dtype=np.uint64)
    return np.asarray(ranks[encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)])
