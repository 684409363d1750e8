"""Checks before every write whether this operator may still act.

Rule: no I/O, no waiting, callable from any thread. The clock is read right before each write. The reason: a process may
be paused between any two instructions (SIGSTOP, a frozen container, a suspended machine) and does not notice it.
"""

import math
import time
from collections.abc import Callable

from podreduce_operator.model.errors import OperatorError

__all__ = ["Fence", "NotLeadingError", "read_clock"]

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A monotonic clock. If the system has one, it continues while the machine is suspended."""


class NotLeadingError(OperatorError):
    """This operator tried to write, but it does not lead or no longer leads."""


def read_clock() -> float:
    """Return monotonic seconds."""
    return time.clock_gettime(CLOCK)


class Fence:
    """Closed at first. Each renewal of the lease opens it until a deadline. After the lease is lost it stays closed.

    Args:
        on_lost: called once with the reason. In an operator it ends the process and does not return.
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
        """Forbid all writes, because this operator stops and the lease will be released."""
        self._deadline = -math.inf

    def seconds_left(self) -> float:
        """Return how long writes are still allowed; 0 or less if they are not."""
        return -math.inf if self._is_lost else self._deadline - self.clock()

    def check(self) -> None:
        """Check that a write is allowed now.

        Raises:
            NotLeadingError: it is not allowed.
        """
        left = self.seconds_left()
        if left > 0:
            return
        if math.isfinite(left):
            self.lose(f"it ran out {-left:.1f} s ago")
        raise NotLeadingError("a write was refused: this operator does not hold the lease of its installation")

    def lose(self, reason: str) -> None:
        """Forbid all writes for good and report the reason. Another operator has or may have the lease."""
        if not self._is_lost:
            self._is_lost = True
            self._on_lost(reason)
