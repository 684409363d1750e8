"""A token bucket: so many things a second, and a few more at once after a pause.

Rule: no waiting here, and the clock is given. Source: Turner, "New directions in communications", IEEE Communications
Magazine 24 (10), 1986.
"""

from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """Full at first.

    Args:
        rate: tokens a second; may be changed at any time.
        burst_seconds: how many seconds' tokens it holds.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float, burst_seconds: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._tokens = rate * burst_seconds
        self._filled_at = clock()

    def take(self) -> float:
        """Take a token; return in how many seconds it may be used. Whoever comes next waits longer."""
        self._fill()
        self._tokens -= 1
        return max(0.0, -self._tokens / self.rate)

    def drain(self) -> None:
        """Throw away the tokens that have gathered."""
        self._fill()
        self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled_at) * self.rate, self.rate * self._burst_seconds)
        self._filled_at = now
