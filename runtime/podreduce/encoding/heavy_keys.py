"""Finds the heaviest keys of a blob while its frames are written: the author of a skewed job needs them.

The result is exact for a blob: a key's groups come in a row, so a heap of the heaviest keys so far is enough. The
operator combines the blobs' lists.
"""

from collections.abc import Sequence
from heapq import heappush, heapreplace
from itertools import accumulate, pairwise
from operator import add
from typing import Final

from podreduce.contract.task import HeavyKey
from podreduce.encoding.codec import decode_key
from podreduce.encoding.key_range import MAX_CUT_BYTES
from podreduce.encoding.keys import complete_prefix, key_prefix
from podreduce.encoding.showing import show

__all__ = ["HeavyKeys"]

MAX_KEYS: Final = 16
LEAST_SHARE: Final = 0.001
"""Keys with a smaller share of the blob are not recorded: only shares of at least 0.01 are shown."""
SHOWN_CHARACTERS: Final = 100


class HeavyKeys:
    """Collects the heaviest keys of the frames of one blob, given in their order.

    Args:
        key_elements: tuples that agree in this many first elements count as one key, as they share a partition.

    Attributes:
        encoded_bytes: how many bytes all keys and values took so far, before compression.
    """

    __slots__ = ("_heap", "_key", "_key_elements", "_least", "_open", "encoded_bytes")

    def __init__(self, *, key_elements: int | None = None) -> None:
        self._key_elements = key_elements
        self._heap: list[tuple[int, int, bytes, int]] = []
        self._least = 0
        self._key = (-1, b"")
        self._open = (0, 0)
        self.encoded_bytes = 0

    @property
    def least_bytes(self) -> int:
        """The bytes that a key must exceed to be among the heaviest so far."""
        return self._least

    def add_frame(self, bucket: int, keys: Sequence[bytes], counts: Sequence[int], sizes: Sequence[int]) -> None:
        """Add a frame with at least one group: `counts[i]` values of `keys[i]`, encoded in `sizes[i]` bytes."""
        lengths, groups = list(map(len, keys)), len(keys)
        self.encoded_bytes += sum(lengths) + sum(sizes)
        if self._key_elements is not None:
            keys = [key_prefix(key, self._key_elements) for key in keys]
        elif max(lengths) + max(sizes) <= self._least and len(set(keys)) == groups:
            # No key of this frame is heavy by itself, but the first and the last may continue in other frames.
            for at in sorted({0, groups - 1}):
                self._take(bucket, keys[at], lengths[at] + sizes[at], counts[at])
            return
        ends = list(accumulate(map(add, lengths, sizes), initial=0))
        starts = [at for at, (left, right) in enumerate(pairwise(keys), 1) if left != right]
        for start, end in pairwise([0, *starts, groups]):
            size_bytes = ends[end] - ends[start]
            if size_bytes > self._least or not start or end == groups:
                self._take(bucket, keys[start], size_bytes, sum(counts[start:end]))

    def heaviest(self) -> tuple[HeavyKey, ...]:
        """Return at most 16 keys, the heaviest first, each with at least a thousandth of the bytes. Call it last."""
        self._rank_current()
        least = self.encoded_bytes * LEAST_SHARE
        return tuple(
            HeavyKey(
                key=show_key(key), encoded=key[:MAX_CUT_BYTES], bucket=bucket, size_bytes=size_bytes, values=values
            )
            for size_bytes, bucket, key, values in sorted(self._heap, key=lambda item: (-item[0], *item[1:]))
            if size_bytes >= least
        )

    def _take(self, bucket: int, key: bytes, size_bytes: int, values: int) -> None:
        """Add a group; it may continue the key before it."""
        if (bucket, key) == self._key:
            self._open = (self._open[0] + size_bytes, self._open[1] + values)
            return
        self._rank_current()
        self._key, self._open = (bucket, key), (size_bytes, values)

    def _rank_current(self) -> None:
        """Put the key that is now complete among the heaviest, if it belongs there."""
        (bucket, key), (size_bytes, values) = self._key, self._open
        if size_bytes <= self._least:
            return
        item = (size_bytes, bucket, key, values)
        if len(self._heap) < MAX_KEYS:
            heappush(self._heap, item)
        else:
            heapreplace(self._heap, item)
        if len(self._heap) == MAX_KEYS:
            self._least = self._heap[0][0]


def show_key(encoded: bytes) -> str:
    """Return a key, or a tuple of the first elements, as text, cut at 100 characters."""
    key = decode_key(complete_prefix(encoded))
    text = key if isinstance(key, str) and key.isprintable() else show(key, SHOWN_CHARACTERS * 4)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
