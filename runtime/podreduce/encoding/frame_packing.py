"""Packs sorted groups into frames: decides where one frame ends and the next begins.

A frame holds up to 8,192 values and 256 KiB of one bucket, so a reader needs little memory for each run that it
merges. A larger single value has a frame for itself.
"""

from collections.abc import Callable, Iterator, Sequence
from sys import getsizeof
from typing import Final, TypeAlias

from podreduce.encoding.codec import Encoded, Value, encode_captured, encode_list, encode_values
from podreduce.encoding.frames import GROUP_BYTES, StoredFrame, pack_frame, pack_ones

__all__ = ["MAX_RAW_BYTES", "MAX_ROWS", "Emit", "FramePacker"]

Emit: TypeAlias = Callable[[StoredFrame, Sequence[bytes], Sequence[int], Sequence[int]], object]
"""Takes a frame, its keys, the number of values of each group, and the bytes of these values."""

MAX_ROWS: Final = 8192
MAX_RAW_BYTES: Final = 256 << 10
LEAST_LISTED: Final = 32
"""Groups of fewer values are decoded with their whole frame: this costs less than a call for each group."""
SAMPLE_VALUES: Final = 64
HEADER_BYTES: Final = 24
"""How much more memory than its encoding any object takes, at least."""
NUMBERS: Final = frozenset({int, float})
NUMBER_BYTES: Final = 9
"""How much memory a decoded number takes, unless it is a very large int."""


class FramePacker:
    """Packs groups, given in (bucket, key) order, into frames and hands each to `emit` as soon as it is full."""

    __slots__ = ("_bucket", "_counts", "_data", "_emit", "_keys", "_ones", "_raw_bytes", "_rows")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._bucket = 0
        self._keys: list[bytes] = []
        self._counts: list[int] = []
        self._data: list[bytes] = []
        self._ones: list[Value] = []
        self._rows = 0
        self._raw_bytes = 0

    def add(self, bucket: int, key: bytes, count: int, data: bytes) -> None:
        """Add a group of `count` values, encoded as `data` (`encode_group`); it is not cut."""
        size = len(key) + len(data) + GROUP_BYTES
        full = self._raw_bytes + size > MAX_RAW_BYTES or self._rows + count > MAX_ROWS
        if full or bucket != self._bucket or self._ones:
            self.flush()
            self._bucket = bucket
        self._keys.append(key)
        self._counts.append(count)
        self._data.append(data)
        self._rows += count
        self._raw_bytes += size

    def add_values(self, bucket: int, key: bytes, values: list[Value | Encoded]) -> None:
        """Add a group of captured values (`codec.capture`); it is cut if it is larger than a frame."""
        rows = rows_of_frame(values)
        for start in range(0, len(values), rows):
            batch = values[start : start + rows] if len(values) > rows else values
            data = encode_group(batch)
            if len(data) <= MAX_RAW_BYTES or len(batch) == 1:
                self.add(bucket, key, len(batch), data)
            else:
                for piece in cut_values(list(map(encode_captured, batch))):
                    self.add(bucket, key, len(piece), b"".join(piece))

    def add_one(self, bucket: int, key: bytes, value: Value) -> None:
        """Add a group of one value, the only group of its key."""
        if bucket != self._bucket or self._counts or len(self._ones) == MAX_ROWS or self._raw_bytes > MAX_RAW_BYTES:
            self.flush()
            self._bucket = bucket
        self._keys.append(key)
        self._ones.append(value)
        self._raw_bytes += len(key) + (NUMBER_BYTES if type(value) in NUMBERS else len(encode_captured(value)))

    def add_ones(self, bucket: int, keys: list[bytes], values: list[Value]) -> None:
        """Add a bucket's groups of one value each, each the only group of its key."""
        fits = len(keys) <= MAX_ROWS and sum(map(len, keys)) <= MAX_RAW_BYTES and NUMBERS.issuperset(map(type, values))
        if keys and fits:
            self.flush()
            self._bucket, self._keys, self._ones = bucket, keys, values
            self.flush()
            return
        for key, value in zip(keys, values, strict=True):
            self.add_one(bucket, key, value)

    def flush(self) -> None:
        """Emit the last, unfinished frame."""
        keys, groups = self._keys, len(self._keys)
        if self._ones:
            frame = pack_ones(self._bucket, keys, self._ones)
            self._emit(frame, keys, [1] * groups, [NUMBER_BYTES] * groups)
        elif keys:
            frame = pack_frame(self._bucket, keys, self._counts, self._data)
            self._emit(frame, keys, self._counts, list(map(len, self._data)))
        self._keys, self._counts, self._data, self._ones = [], [], [], []
        self._rows, self._raw_bytes = 0, 0


def encode_group(values: list[Value | Encoded]) -> bytes:
    """Return the encoding of captured values: as a list if that can store repeated values once, else joined."""
    if len(values) >= LEAST_LISTED and type(values[0]) is str and Encoded not in set(map(type, values)):
        return encode_list(values)
    return encode_values(values)


def rows_of_frame(values: list[Value | Encoded]) -> int:
    """Return about how many of `values` fill a frame, so that only a little is encoded at a time."""
    if len(values) <= SAMPLE_VALUES:
        return SAMPLE_VALUES
    sample = values[:: len(values) // SAMPLE_VALUES]
    mean_bytes = max(sum(map(getsizeof, sample)) // len(sample) - HEADER_BYTES, NUMBER_BYTES)
    return min(max(MAX_RAW_BYTES // mean_bytes, 1), MAX_ROWS)


def cut_values(encoded: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the encoded values in lists that fit into a frame each; a value that is too large is alone in its list."""
    start, size = 0, 0
    for at, value in enumerate(encoded):
        if at > start and size + len(value) > MAX_RAW_BYTES:
            yield encoded[start:at]
            start, size = at, 0
        size += len(value)
    yield encoded[start:]
