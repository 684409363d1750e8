"""How often something that costs much is read anew: so rarely that reading it takes but a given part of the time.

A listing of a hundred records takes a few milliseconds and may be made with every pass; one of ten thousand takes a
second or two of an object store, and passes go by what they expect meanwhile (`expected`). What takes a busy API server
longer is asked of it less often.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ReadingPace"]


class ReadingPace:
    """Says when to read: at once, and then by how long the last time took.

    Args:
        share: the part of the time that reading may take; 0.05 pauses for 19 times as long as it took.
        clock: monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._due_at = -math.inf

    def is_due(self) -> bool:
        """Tell whether to read now; not while somebody reads."""
        return self._clock() >= self._due_at

    def demand(self) -> None:
        """Have the next one due at once: something came another way than expected."""
        self._due_at = -math.inf

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Take the time of a reading; one that fails is due again."""
        started = self._clock()
        self._due_at = math.inf
        try:
            yield
        except BaseException:
            self._due_at = -math.inf
            raise
        ended = self._clock()
        self._due_at = ended + (ended - started) * (1 / self._share - 1)
