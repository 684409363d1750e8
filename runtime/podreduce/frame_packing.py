"""Sorted groups in, frames out: decides where one frame ends and the next begins.

A frame holds up to 8,192 values and 256 KiB of one bucket, so that a reader needs little memory for each run it
merges; a single larger value makes a frame of its own.
"""

from collections.abc import Callable, Iterator
from typing import Final

from podreduce.frames import GROUP_BYTES, StoredFrame, pack_frame

__all__ = ["MAX_RAW_BYTES", "MAX_ROWS", "FramePacker"]

MAX_ROWS: Final = 8192
MAX_RAW_BYTES: Final = 256 << 10


class FramePacker:
    """Packs groups, given in (bucket, key) order, into frames and hands each to `emit` as soon as it is full."""

    __slots__ = ("_bucket", "_counts", "_data", "_emit", "_keys", "_raw_bytes", "_rows")

    def __init__(self, emit: Callable[[StoredFrame], object]) -> None:
        self._emit = emit
        self._bucket = 0
        self._keys: list[bytes] = []
        self._counts: list[int] = []
        self._data: list[bytes] = []
        self._rows = 0
        self._raw_bytes = 0

    def add(self, bucket: int, key: bytes, count: int, data: bytes) -> None:
        """Take a group of `count` values whose joined encodings are `data`; it is not cut."""
        size = len(key) + len(data) + GROUP_BYTES
        if bucket != self._bucket or self._raw_bytes + size > MAX_RAW_BYTES or self._rows + count > MAX_ROWS:
            self.flush()
            self._bucket = bucket
        self._keys.append(key)
        self._counts.append(count)
        self._data.append(data)
        self._rows += count
        self._raw_bytes += size

    def add_values(self, bucket: int, key: bytes, values: list[bytes]) -> None:
        """Take a group of encoded values, cut where it is larger than a frame."""
        if len(values) == 1 or (len(values) <= MAX_ROWS and sum(map(len, values)) <= MAX_RAW_BYTES):
            self.add(bucket, key, len(values), b"".join(values))
            return
        for start, end in cut_values(values):
            self.add(bucket, key, end - start, b"".join(values[start:end]))

    def flush(self) -> None:
        """Emit what is left."""
        if self._keys:
            self._emit(pack_frame(self._bucket, self._keys, self._counts, self._data))
            self._keys, self._counts, self._data, self._rows, self._raw_bytes = [], [], [], 0, 0


def cut_values(values: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of `values` that fit into a frame each, or are a single value that fits into none."""
    start, size = 0, 0
    for at, value in enumerate(values):
        if at > start and (at - start == MAX_ROWS or size + len(value) > MAX_RAW_BYTES):
            yield start, at
            start, size = at, 0
        size += len(value)
    yield start, len(values)
