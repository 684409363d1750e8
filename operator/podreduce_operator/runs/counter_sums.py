"""Adds up the counters over the commits that count, so that no commit needs to keep its own.

Rule: pure. The order in which commits are added does not matter. A commit that counts no longer is subtracted.
"""

from collections.abc import Mapping

__all__ = ["CounterSums"]

MOST_NAMES = 2000
"""How many names have a sum. A program has at most 1,000, and the status shows 20: the first in alphabetical order."""

Counters = Mapping[str, Mapping[str, int]]
Name = tuple[str, str]


class CounterSums:
    """The sum of each counter, by its group and name.

    If there are too many names, the first in alphabetical order have a sum, whatever is added or subtracted later.
    """

    def __init__(self) -> None:
        self._sums: dict[Name, int] = {}
        self._commits: dict[Name, int] = {}
        self._end: Name | None = None

    def __len__(self) -> int:
        """Return how many names have a sum."""
        return len(self._sums)

    @property
    def sums(self) -> Mapping[Name, int]:
        """The sums, as they are now."""
        return dict(self._sums)

    def add(self, counters: Counters) -> None:
        """Add the counters of a commit."""
        for name, value in named(counters):
            if self._end is None or name < self._end:
                self._sums[name] = self._sums.get(name, 0) + value
                self._commits[name] = self._commits.get(name, 0) + 1
        if len(self._sums) > MOST_NAMES:
            self._drop_last()

    def subtract(self, counters: Counters) -> None:
        """Subtract the counters of a commit that was added."""
        for name, value in named(counters):
            if name in self._sums:
                self._sums[name] -= value
                self._commits[name] -= 1
                if not self._commits[name]:
                    del self._sums[name], self._commits[name]

    def _drop_last(self) -> None:
        names = sorted(self._sums)
        self._end = names[MOST_NAMES]
        for name in names[MOST_NAMES:]:
            del self._sums[name], self._commits[name]


def named(counters: Counters) -> list[tuple[Name, int]]:
    """Return the counters with their names."""
    return [((group, name), value) for group, values in counters.items() for name, value in values.items()]
