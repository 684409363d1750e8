"""How long to wait before trying the API server again: exponential, with jitter.

Rule: does not wait, and the caller gives the randomness. Source of the jitter: Brooker, "Exponential backoff and
jitter", AWS Architecture Blog, 2015.
"""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays after failures. The n-th is at most first x 2^(n-1) seconds, and at most `limit`.

    Attributes:
        jitter: returns a number from 0 to 1. Half of each delay is fixed; the other half is multiplied by it.
    """

    jitter: Callable[[], float]
    first: float = 0.5
    limit: float = 30.0
    failures: int = 0

    def next_delay(self) -> float:
        """Count a failure and return how many seconds to wait."""
        delay = min(self.first * 2.0 ** min(self.failures, 32), self.limit)
        self.failures += 1
        return delay * (0.5 + 0.5 * self.jitter())

    def reset(self) -> None:
        """Start again after a success."""
        self.failures = 0
