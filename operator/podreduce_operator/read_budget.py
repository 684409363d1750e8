"""How often to repeat an expensive read, so that it takes only a given share of the time.

Listing a hundred records takes a few milliseconds, so every pass may do it. Listing ten thousand takes an object store
a second or two. Between two listings, passes use the records that they expect. A busy API server is slower, so it is
read less often.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ReadingPace"]


class ReadingPace:
    """Says when to read: at once, then after a pause that depends on how long the last read took.

    Args:
        share: the share of the time that reading may take; 0.05 pauses for 19 times the length of the last read.
        clock: monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._due_at = -math.inf

    def is_due(self) -> bool:
        """Tell whether to read now. False while another read is running."""
        return self._clock() >= self._due_at

    def demand(self) -> None:
        """Make the next read due at once, because something unexpected happened."""
        self._due_at = -math.inf

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure how long a read takes. A read that fails is due again at once."""
        started = self._clock()
        self._due_at = math.inf
        try:
            yield
        except BaseException:
            self._due_at = -math.inf
            raise
        ended = self._clock()
        self._due_at = ended + (ended - started) * (1 / self._share - 1)
