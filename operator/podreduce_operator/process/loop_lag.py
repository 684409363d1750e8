"""Measures how late the event loop is, with a timer that fires once a second.

Rule: only measures; `health` judges.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

__all__ = ["LoopLag"]

BEAT_SECONDS = 1.0


class LoopLag:
    """The lag, measured inside a `measured` block.

    Args:
        sleep: waits, for tests.
        clock: monotonic seconds.
    """

    def __init__(
        self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._due_at = clock() + BEAT_SECONDS
        self._last_seconds = 0.0

    def seconds(self) -> float:
        """Return how late the last beat was, or how late the next one is already."""
        return max(self._last_seconds, self._clock() - self._due_at)

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        beating = asyncio.create_task(self._beat_forever(), name="measure the event loop")
        try:
            yield
        finally:
            beating.cancel()

    async def _beat_forever(self) -> NoReturn:
        while True:
            self._due_at = self._clock() + BEAT_SECONDS
            await self._sleep(BEAT_SECONDS)
            self._last_seconds = max(0.0, self._clock() - self._due_at)
