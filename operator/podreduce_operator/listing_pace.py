"""How often a run's records are listed anew: so rarely that listing takes a small part of the time.

A listing of a hundred objects takes a few milliseconds and may be made with every pass; one of ten thousand takes a
second or two of an object store, and passes go by what they expect meanwhile (`expected`).
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ListingPace"]

SHARE = 0.05
"""The part of the time that listings may take."""


class ListingPace:
    """Says when a listing is due: at once, and then by how long the last one took.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_at = -math.inf

    def is_due(self) -> bool:
        """Tell whether to list now."""
        return self._clock() >= self._due_at

    def demand(self) -> None:
        """Have the next one due at once: something came another way than expected."""
        self._due_at = -math.inf

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Take the time of a listing; one that fails is due again."""
        started = self._clock()
        self._due_at = -math.inf
        yield
        ended = self._clock()
        self._due_at = ended + (ended - started) * (1 / SHARE - 1)
