"""Sums that no order changes, and no number of users makes too large: whole numbers, sent in words.

A column has 64 bits. So a sum is sent in words of WORD_BITS, each with a key of its own; the words of two thousand
million batches add up within a column. Who reads the sums joins their words.
"""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

__all__ = ["SCALE", "Sum", "join_words", "split_words", "sum_table"]

SCALE = 1 << 40
"""A measure is added up in so many parts of 1."""
WORD_BITS = 31
MARK = "^"
Sum = tuple[str, int]


def sum_table(sums: Iterable[Sum]) -> pa.Table:
    """Return sums as the rows of a job."""
    words = [word for key, value in sums for word in split_words(key, value)]
    return pa.table({"key": pa.array([key for key, _ in words], pa.string()), "value": [value for _, value in words]})


def split_words(key: str, value: int) -> Iterator[Sum]:
    """Yield the words of a sum that is not below 0; the lowest one has the sum's own key."""
    yield key, value & (1 << WORD_BITS) - 1
    place, value = 1, value >> WORD_BITS
    while value:
        yield f"{key}{MARK}{place}", value & (1 << WORD_BITS) - 1
        place, value = place + 1, value >> WORD_BITS


def join_words(words: Mapping[str, int]) -> dict[str, int]:
    """Return sums from the sums of their words."""
    sums: dict[str, int] = {}
    for word, value in words.items():
        key, _, place = word.partition(MARK)
        sums[key] = sums.get(key, 0) + (value << WORD_BITS * int(place or 0))
    return sums
