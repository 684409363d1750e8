"""Exact sums of floats, so that a result is the same however the rows were cut into shards. Pure.

A float is an integer times a power of two. The integers are added for each power apart, in two halves that cannot
overflow, and then put together as one integer in units of 2^-1074, which is the smallest float.
"""

import numpy as np
import numpy.typing as npt

from podreduce_apps.counted_nouns import count_of

__all__ = ["UNIT_BITS", "exact_sums", "to_float"]

UNIT_BITS = 1074
MANTISSA_BITS = 53
HALF_BITS = 27
MOST_ROWS = 1 << 26
"""So many halves of 27 bits still add up exactly as floats."""


def exact_sums(columns: npt.NDArray[np.float64]) -> list[int]:
    """Return the sum of each column of an array (rows, columns), in units of 2^-1074.

    Raises:
        ValueError: a value is infinite or no number, or there are more rows than a sum is exact for.
    """
    if not np.isfinite(columns).all() or len(columns) > MOST_ROWS:
        raise ValueError(
            f"cannot add {count_of(len(columns), 'row')}: they must be at most {MOST_ROWS:,}, and all finite"
        )
    return [exact_sum(np.ascontiguousarray(column)) for column in columns.T]


def exact_sum(values: npt.NDArray[np.float64]) -> int:
    """Return the sum of finite values, in units of 2^-1074."""
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, MANTISSA_BITS).astype(np.int64)
    lowest = int(exponents.min(initial=0))
    places = exponents - lowest
    high = np.bincount(places, weights=mantissas >> HALF_BITS)
    low = np.bincount(places, weights=mantissas & ((1 << HALF_BITS) - 1))
    total = 0
    for place in np.flatnonzero((high != 0) | (low != 0)):
        mantissa = (int(high[place]) << HALF_BITS) + int(low[place])
        shift = lowest + int(place) - MANTISSA_BITS + UNIT_BITS
        total += mantissa << shift if shift >= 0 else mantissa >> -shift
    return total


def to_float(total: int) -> float:
    """Return a sum as the closest float."""
    return total / (1 << UNIT_BITS)
