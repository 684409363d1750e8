"""The keys of a partition in total order: from one cut up to the next. Rule: pure.

Only the first bytes of a long key are kept in cuts, indexes and samples. Every comparison with them stays exact.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["MAX_CUT_BYTES", "KeyRange"]

MAX_CUT_BYTES: Final = 256
"""How many bytes of a key are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """The encoded keys from `low` up to `high`, exclusive; None means no limit."""

    low: bytes = b""
    high: bytes | None = None

    @classmethod
    def of_partition(cls, ranges: Sequence[bytes], partition: int) -> Self:
        """Return the range of a partition; `ranges` are the keys between neighbours (see ShuffleManifest)."""
        lows, highs = [b"", *ranges], [*ranges, None]
        return cls(low=lows[partition], high=highs[partition])

    @property
    def is_empty(self) -> bool:
        """Whether the range has no keys."""
        return self.high is not None and self.high <= self.low

    def slice(self, keys: Sequence[bytes]) -> tuple[int, int]:
        """Return the slice (start, end) of ascending `keys` that is in the range."""
        return bisect_left(keys, self.low), len(keys) if self.high is None else bisect_left(keys, self.high)
