"""A token bucket: limits the rate, and allows a short burst after a pause.

Rule: does not wait, and the caller gives the clock. Source: Turner, "New directions in communications", IEEE
Communications Magazine 24 (10), 1986.
"""

from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """A token bucket that starts full.

    Args:
        rate: tokens per second; may be changed at any time.
        burst_seconds: it holds the tokens of this many seconds.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float, burst_seconds: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._tokens = rate * burst_seconds
        self._filled_at = clock()

    def take(self) -> float:
        """Take a token. Return after how many seconds it may be used; the next token takes longer."""
        self._fill()
        self._tokens -= 1
        return max(0.0, -self._tokens / self.rate)

    def drain(self) -> None:
        """Remove all saved tokens."""
        self._fill()
        self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled_at) * self.rate, self.rate * self._burst_seconds)
        self._filled_at = now
