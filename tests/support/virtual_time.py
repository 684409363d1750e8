"""An event loop whose clock moves only when everybody waits: a test of seconds takes milliseconds, on any machine.

Rule: for what neither does I/O nor uses threads; their answers would come after all timers. A test asks for it by the
marker `virtual_time`.
"""

import asyncio
import selectors
from collections.abc import Sequence

__all__ = ["VirtualTimeLoop"]


class PatientSelector(selectors.SelectSelector):
    """Where nothing is ready, it lets the time pass instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Sequence[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; without a timeout there is nothing else to wait for."""
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on that selector."""

    def __init__(self) -> None:
        self._patience = PatientSelector()
        super().__init__(self._patience)

    def time(self) -> float:
        """Return the seconds that have been waited for."""
        return self._patience.now
