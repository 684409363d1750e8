"""How fast pods are created: as fast as the API server allows, and fairly among jobs.

The rate starts low and doubles while the server accepts all requests. If the server answers 429, the operator waits as
long as the server says, halves its rate, and then increases it slowly. TCP adapts to a network in the same way
(Jacobson, "Congestion avoidance and control", SIGCOMM 1988). Turns are given in the order of the requests, and a job
requests few at a time. So a job of ten thousand pods does not delay a job of ten.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from podreduce_operator.cluster.kubernetes.token_bucket import TokenBucket

__all__ = ["CreationPace"]

FIRST_RATE = 100.0
LEAST_RATE = 1.0
BURST_SECONDS = 0.5
GROWTH = 2.0
"""Multiplies the rate after each second that used it fully, until the first 429."""
STEP = 10.0
"""Added to the rate after each such second from then on."""


class CreationPace:
    """The pace of pod creation; one object for the whole operator.

    Args:
        most: pods a second at most.
        clock: monotonic seconds.
        sleep: waits, for tests.
    """

    def __init__(
        self,
        most: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._bucket = TokenBucket(min(FIRST_RATE, most), BURST_SECONDS, clock)
        self._was_throttled = False
        self._closed_until = clock()
        self._counted_since = clock()
        self._count = 0

    @property
    def rate(self) -> float:
        """Pods a second."""
        return self._bucket.rate

    async def turn(self) -> None:
        """Wait until one more pod may be created."""
        self._grow()
        self._count += 1
        wait = max(self._bucket.take(), self._closed_until - self._clock())
        if wait > 0:
            await self._sleep(wait)

    def slow_down(self, retry_seconds: float) -> None:
        """Handle a 429 from the server, with the delay that it asks for."""
        now = self._clock()
        if now >= self._closed_until:  # requests already sent will be refused too, and do not lower the rate again
            self._bucket.rate = max(self._bucket.rate / 2, LEAST_RATE)
        self._bucket.drain()
        self._was_throttled = True
        self._closed_until = max(self._closed_until, now + retry_seconds)
        self._count, self._counted_since = 0, self._closed_until

    def _grow(self) -> None:
        """Raise the rate if the last second used it fully."""
        elapsed = self._clock() - self._counted_since
        if elapsed < 1.0:
            return
        if self._count >= self._bucket.rate * min(elapsed, 1.0 + BURST_SECONDS) / 2:
            faster = self._bucket.rate + STEP if self._was_throttled else self._bucket.rate * GROWTH
            self._bucket.rate = min(faster, self._most)
        self._count, self._counted_since = 0, self._clock()
