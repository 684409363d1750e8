"""Where keys lie in a blob in total order. Rule: pure.

Such a blob is one key-sorted segment. Its footer has a sparse index: the first key of every k-th frame.
"""

from array import array
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, Self

from podreduce.encoding.key_range import KeyRange

__all__ = ["FRAME_SAMPLES", "KeyIndex"]
FRAME_SAMPLES: Final = 64
"""How many samples to take of a frame: small blobs have few frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIndex:
    """A blob's sparse index: `keys[i]` is the first key (or its first bytes) from byte `offsets[i]` on.

    Attributes:
        offsets: one more than there are keys; the last is the end of the segment.
    """

    keys: tuple[bytes, ...]
    offsets: tuple[int, ...]

    def overlap(self, key_range: KeyRange) -> tuple[int, int]:
        """Return the entries, first and last (exclusive), that cover the range's keys; equal if there are none.

        Only the first and the last entry may have keys outside the range. The first key of an entry may have begun in
        the entry before, so that one is included.
        """
        if key_range.is_empty:
            return 0, 0
        start, end = key_range.slice(self.keys)
        return min(max(start - 1, 0), end), end

    def encode(self) -> bytes:
        """Encode the index for `decode`."""
        lengths = array("I", map(len, self.keys))
        return b"".join([array("Q", self.offsets).tobytes(), lengths.tobytes(), *self.keys])

    @classmethod
    def decode(cls, data: memoryview, entries: int) -> Self:
        """Read an index of `entries` entries; `data` was checked."""
        lengths_at = 8 * (entries + 1)
        keys_at = lengths_at + 4 * entries
        ends = accumulate(data[lengths_at:keys_at].cast("I"), initial=keys_at)
        return cls(
            keys=tuple(bytes(data[start:end]) for start, end in pairwise(ends)),
            offsets=tuple(data[:lengths_at].cast("Q")),
        )
