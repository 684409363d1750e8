"""The question before every write: may this operator still act?

Rule: no I/O, no waiting, callable from any thread. It asks the clock each time and right before the write, because a
process may be stopped between any two of its instructions (SIGSTOP, a frozen container, a suspended machine) and goes
on afterwards as if nothing had been.
"""

import math
import time
from collections.abc import Callable

from podreduce_operator.model.errors import OperatorError

__all__ = ["Fence", "NotLeadingError", "read_clock"]

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Monotonic, and where there is such a clock one that goes on while the machine is suspended."""


class NotLeadingError(OperatorError):
    """A write was tried that is not, or no longer, this operator's to make."""


def read_clock() -> float:
    """Return monotonic seconds."""
    return time.clock_gettime(CLOCK)


class Fence:
    """Closed at first; open until a deadline that each renewal of the lease moves; closed for good when it is lost.

    Args:
        on_lost: called once with the reason; in an operator it ends the process and does not return.
        clock: monotonic seconds.
    """

    def __init__(self, on_lost: Callable[[str], None], clock: Callable[[], float] = read_clock) -> None:
        self.clock = clock
        self._on_lost = on_lost
        self._deadline = -math.inf
        self._is_lost = False

    def open_until(self, deadline: float) -> None:
        """Allow writes until `deadline` (by `clock`), unless the lease was lost."""
        self._deadline = deadline

    def close(self) -> None:
        """Allow nothing any more: the work is over and the lease will be given away."""
        self._deadline = -math.inf

    def seconds_left(self) -> float:
        """Return for how long writes are allowed from now on; not above 0 if they are not."""
        return -math.inf if self._is_lost else self._deadline - self.clock()

    def check(self) -> None:
        """Return if a write is allowed now.

        Raises:
            NotLeadingError: it is not.
        """
        left = self.seconds_left()
        if left > 0:
            return
        if math.isfinite(left):
            self.lose(f"it ran out {-left:.1f} s ago")
        raise NotLeadingError("a write was held back: this operator does not hold the lease of its installation")

    def lose(self, reason: str) -> None:
        """Allow nothing any more, and say so: the lease is, or may be, another's."""
        if not self._is_lost:
            self._is_lost = True
            self._on_lost(reason)
