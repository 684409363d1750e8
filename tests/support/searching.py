"""How long the tests that draw their cases search, and from where: two variables for all of them.

A plain run draws the same cases each time, so a change is judged by what it changed. `PODREDUCE_SEARCH=20` draws twenty
times as many, `PODREDUCE_SEED=7` others; `make properties` does both for as long as it is told to.
"""

import os
from collections.abc import Iterator
from typing import Final

__all__ = ["SEED", "TIMES", "count_drawn", "drawn", "first_seed", "seeds", "tries"]

TIMES: Final = float(os.environ.get("PODREDUCE_SEARCH", "1"))
SEED: Final = int(os.environ.get("PODREDUCE_SEED", "0"))
SEEDS_A_RUN: Final = 10_000_000

counts: list[int] = []


def tries(usual: int) -> int:
    """Return how many cases to draw where a plain run of the tests draws `usual`."""
    return max(round(usual * TIMES), 1)


def first_seed() -> int:
    """Return the first seed of this run's cases."""
    return SEED * SEEDS_A_RUN


def seeds(usual: int) -> Iterator[int]:
    """Yield the seeds of this run's cases, and count each."""
    for number in range(tries(usual)):
        count_drawn(1)
        yield first_seed() + number


def count_drawn(cases: int) -> None:
    """Count cases that were drawn without `seeds`."""
    counts.append(cases)


def drawn() -> int:
    """Return how many cases have been counted in this process."""
    return sum(counts)
