"""In which order the runs are made. Pure.

Interleaved: each repeat has every competitor once, and each starts with the next one, so that a slow quarter of an hour
of the machine, or the neighbour before, hits all of them alike.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["interleave"]

Entry = TypeVar("Entry")


def interleave(entries: Sequence[Entry], repeats: int) -> Iterator[tuple[int, Entry]]:
    """Yield (repeat, entry): all entries in each repeat, begun one further each time."""
    for repeat in range(repeats):
        start = repeat % max(len(entries), 1)
        for entry in (*entries[start:], *entries[:start]):
            yield repeat, entry
