"""How fast pods are created: as fast as the API server takes them, and no job before another.

It begins cautiously and doubles what it asks of the server while all goes well; told that there are too many requests
(429), it waits for as long as the server says, halves its rate, and from then on grows slowly. That is how TCP finds
what a network carries (Jacobson, "Congestion avoidance and control", SIGCOMM 1988). Turns are taken in the order in
which they are asked for, and a job asks for few at a time: a job of ten thousand pods does not hold up one of ten.
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
"""By what the rate is multiplied in a second in which all of it was used, before the server first complained."""
STEP = 10.0
"""What is added to it in such a second from then on."""


class CreationPace:
    """One for the whole operator.

    Args:
        most: pods a second, whatever the server would take.
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
        """Take that the server is asked too much, and when it would like to be asked again."""
        now = self._clock()
        if now >= self._closed_until:  # what was under way when it first complained will be refused as well
            self._bucket.rate = max(self._bucket.rate / 2, LEAST_RATE)
        self._bucket.drain()
        self._was_throttled = True
        self._closed_until = max(self._closed_until, now + retry_seconds)
        self._count, self._counted_since = 0, self._closed_until

    def _grow(self) -> None:
        """Ask for more if the last second used what there was."""
        elapsed = self._clock() - self._counted_since
        if elapsed < 1.0:
            return
        if self._count >= self._bucket.rate * min(elapsed, 1.0 + BURST_SECONDS) / 2:
            faster = self._bucket.rate + STEP if self._was_throttled else self._bucket.rate * GROWTH
            self._bucket.rate = min(faster, self._most)
        self._count, self._counted_since = 0, self._clock()
