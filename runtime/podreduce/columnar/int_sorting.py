"""Sorts a column of ints faster than Arrow, which compares them whatever order they are in. Rule: pure.

Rows that are in some runs already, as several batches in order are, only need to be merged: numpy does that (timsort).
Others that are within 2^32 of each other are sorted by their halves of 16 bits, the lower ones first. numpy sorts 16
bits by counting, and stably (LSD radix sort: Knuth, The Art of Computer Programming, vol. 3, 5.2.5). Where one half
would do, Arrow counts as well.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_ROWS", "MOST_RUNS", "sort_by_halves", "sort_ints"]

LEAST_ROWS: Final = 4096
"""With fewer rows comparing is as fast."""
MOST_RUNS: Final = 128
"""About so many are merged as fast as they are counted."""
HALF: Final = 1 << 16


def sort_ints(numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the rows in order, equal ones as they are; None if Arrow is as fast."""
    low, high = int(numbers.min()), int(numbers.max())
    if high - low < HALF:
        return None
    runs = 1 + np.count_nonzero(numbers[1:] < numbers[:-1])
    if runs <= MOST_RUNS:
        return np.argsort(numbers, kind="stable")
    return sort_by_halves(numbers, low) if high - low < HALF * HALF else None


def sort_by_halves(numbers: NDArray[np.int64], low: int) -> NDArray[np.int64]:
    """Return the rows in order; all numbers are from `low` on, and less than 2^32 above it."""
    halves = (numbers - low).astype("<u4").view("<u2").reshape(-1, 2)
    by_lower = np.argsort(halves[:, 0], kind="stable")
    upper = halves[by_lower, 1]
    rows: NDArray[np.int64] = by_lower[np.argsort(upper, kind="stable")]
    return rows
