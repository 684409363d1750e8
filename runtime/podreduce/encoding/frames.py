"""Frames: sorted pieces of one virtual bucket, the unit of all shuffled data, both in blobs and in spill files.

    header  36 bytes  version kind flags bucket groups rows raw-bytes stored-bytes crc32
    body    the following, compressed with lz4 as a whole if that makes it smaller:
            key lengths   u32 x groups
            value counts  u32 x groups
            value sizes   u32 x groups   (bytes of all the group's values)
            keys          joined
            values        joined: each group's encodings in order, or a mark and one encoding of the whole group

If every group has one value (the result of an aggregation), the body has key lengths, keys and values only.

A group is a key and some of its values. Keys never decrease; a key with many values has several groups in a row. So a
key is stored once for many values, and a group's values are cut out and decoded in one piece. The CRC covers header and
body. Lengths are in the machine's byte order, which is little-endian, like everything here. `kind` 0 is this layout,
1 is a batch of typed columns (see columnar.frames).
"""

import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple, TypeAlias

from podreduce.encoding.codec import LIST_MARK, Value, decode_list, decode_values, encode_value, encode_values

__all__ = [
    "FLAG_LZ4",
    "HEADER_BYTES",
    "KIND_COLUMNS",
    "AnyFrame",
    "CorruptBlobError",
    "Frame",
    "Header",
    "OnesFrame",
    "StoredFrame",
    "check_frame",
    "compress_body",
    "estimate_open_bytes",
    "pack_frame",
    "pack_ones",
    "parse_header",
    "plain_body",
    "unpack_frame",
]

VERSION: Final = 1
KIND_GROUPS: Final = 0
KIND_COLUMNS: Final = 1
FLAG_LZ4: Final = 1
FLAG_ONES: Final = 2

FIELDS: Final = "<BBHIIIQQ"
CHECKED: Final = struct.Struct(FIELDS)
"""What of a header its CRC is over, with the body."""
HEADER: Final = struct.Struct(f"{FIELDS}I")
HEADER_BYTES: Final = HEADER.size
GROUP_BYTES: Final = 12
"""How many bytes of the body a group takes besides its key and values."""
KEY_BYTES: Final = 4
"""The same if every group has one value."""
LEAST_COMPRESSED: Final = 4096
"""Smaller bodies are not compressed, so that a small job never imports pyarrow (0.3 s, 27 MB)."""
SAMPLE_BYTES: Final = 256 << 10
MOST_COMPRESSED: Final = 0x7E000000
"""The largest input that lz4 accepts."""
OPEN_FRAME_BYTES: Final = 2000
OPEN_BODIES: Final = 2
OPEN_GROUP_BYTES: Final = 250
OPEN_ROW_BYTES: Final = 80
"""The memory of a frame that is merged: for itself, how often its body, and for each group and each value."""


class CorruptBlobError(Exception):
    """The bytes read are not the bytes written; the message says where in the blob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """A frame as it is stored.

    Attributes:
        groups: how many groups; `rows` is how many values.
        raw_bytes: size of the body before compression.
        ends_segment: this frame is the last of its bucket in its blob or run. Readers know it, writers do not.
    """

    bucket: int
    groups: int
    rows: int
    raw_bytes: int
    flags: int
    body: bytes
    kind: int = KIND_GROUPS
    ends_segment: bool = False

    def header(self) -> bytes:
        """Return the header, CRC included."""
        sizes = (self.groups, self.rows, self.raw_bytes, len(self.body))
        plain = CHECKED.pack(VERSION, self.kind, self.flags, self.bucket, *sizes)
        return plain + zlib.crc32(self.body, zlib.crc32(plain)).to_bytes(4, "little")


class Header(NamedTuple):
    """A header's fields, in their order."""

    version: int
    kind: int
    flags: int
    bucket: int
    groups: int
    rows: int
    raw_bytes: int
    stored_bytes: int
    crc32: int


class Frame:
    """A frame in memory. `keys` may repeat; `frame.data(i)` and `frame.values(i)` are those of `keys[i]`."""

    __slots__ = ("_body", "_ends", "_rows", "_values", "counts", "keys")

    def __init__(self, body: bytes, groups: int) -> None:
        lengths, self.keys, end = cut_keys(body, groups, GROUP_BYTES)
        self.counts = lengths[groups : 2 * groups]
        self._ends = list(accumulate(lengths[2 * groups :], initial=end))
        self._body = body
        self._rows: list[int] = []
        self._values: list[Value] = []

    def data(self, group: int) -> bytes:
        """Return a group's encoded values, joined."""
        return self._body[self._ends[group] : self._ends[group + 1]]

    def values(self, group: int) -> list[Value]:
        """Return a group's values. The joined groups of the frame are decoded together, once."""
        if self._is_list(group):
            return decode_list(self.data(group))
        if not self._rows:
            self._decode_joined()
        return self._values[self._rows[group] : self._rows[group + 1]]

    def _is_list(self, group: int) -> bool:
        """Tell whether a group is encoded as a separate list."""
        return self._body.startswith(LIST_MARK, self._ends[group])

    def _decode_joined(self) -> None:
        """Decode all groups except lists."""
        listed = set(filter(self._is_list, range(len(self.keys))))
        counts, data = self.counts, memoryview(self._body)[self._ends[0] :]
        if listed:
            counts = [0 if group in listed else count for group, count in enumerate(counts)]
            data = memoryview(b"".join(self.data(group) for group in range(len(counts)) if group not in listed))
        self._rows = list(accumulate(counts, initial=0))
        self._values = decode_values(data, self._rows[-1])


class OnesFrame:
    """A frame in memory whose groups have one value each. `keys` never repeat; `ones[i]` is the value of `keys[i]`."""

    __slots__ = ("counts", "keys", "ones")

    def __init__(self, body: bytes, groups: int) -> None:
        _, self.keys, end = cut_keys(body, groups, KEY_BYTES)
        self.counts = [1] * groups
        self.ones = decode_values(memoryview(body)[end:], groups)

    def data(self, group: int) -> bytes:
        """Return a group's encoded value."""
        return encode_value(self.ones[group])

    def values(self, group: int) -> list[Value]:
        """Return a group's value."""
        return [self.ones[group]]


AnyFrame: TypeAlias = Frame | OnesFrame


def cut_keys(body: bytes, groups: int, group_bytes: int) -> tuple[list[int], list[bytes], int]:
    """Return the lengths at the start of `body` (`group_bytes` for each group), the keys after them, and their end."""
    lengths = memoryview(body)[: group_bytes * groups].cast("I").tolist()
    ends = list(accumulate(lengths[:groups], initial=group_bytes * groups))
    return lengths, [body[start:end] for start, end in pairwise(ends)], ends[-1]


def pack_frame(bucket: int, keys: Sequence[bytes], counts: Sequence[int], data: Sequence[bytes]) -> StoredFrame:
    """Make a frame of groups: `counts[i]` values of `keys[i]`, whose joined encodings are `data[i]`."""
    lengths = array("I", [*map(len, keys), *counts, *map(len, data)])
    return compress_body(bucket, b"".join([lengths.tobytes(), *keys, *data]), groups=len(keys), rows=sum(counts))


def pack_ones(bucket: int, keys: Sequence[bytes], values: list[Value]) -> StoredFrame:
    """Make a frame of distinct keys with one value each. Nobody may change the values meanwhile."""
    lengths = array("I", map(len, keys))
    body = b"".join([lengths.tobytes(), *keys, encode_values(values)])
    return compress_body(bucket, body, groups=len(keys), rows=len(keys), flags=FLAG_ONES)


def compress_body(
    bucket: int, body: bytes, *, groups: int, rows: int, flags: int = 0, kind: int = KIND_GROUPS
) -> StoredFrame:
    """Make a frame of `body`, compressed if that makes it smaller; for a large body a sample decides."""
    raw_bytes = len(body)
    if LEAST_COMPRESSED <= raw_bytes <= MOST_COMPRESSED and (raw_bytes < 2 * SAMPLE_BYTES or sample_shrinks(body)):
        compressed = lz4().compress(body, asbytes=True)
        if len(compressed) < raw_bytes:
            body, flags = compressed, flags | FLAG_LZ4
    return StoredFrame(bucket=bucket, groups=groups, rows=rows, raw_bytes=raw_bytes, flags=flags, body=body, kind=kind)


def sample_shrinks(body: bytes) -> bool:
    """Tell whether the middle of `body` shrinks by at least a tenth."""
    middle = len(body) // 2
    sample = memoryview(body)[middle : middle + SAMPLE_BYTES]
    return len(lz4().compress(sample)) < 0.9 * SAMPLE_BYTES


def plain_body(stored: StoredFrame) -> bytes:
    """Return a checked frame's body, decompressed."""
    if stored.flags & FLAG_LZ4:
        plain: bytes = lz4().decompress(stored.body, decompressed_size=stored.raw_bytes, asbytes=True)
        return plain
    return stored.body


def unpack_frame(stored: StoredFrame) -> AnyFrame:
    """Decompress a checked frame."""
    return (OnesFrame if stored.flags & FLAG_ONES else Frame)(plain_body(stored), stored.groups)


def parse_header(data: bytes | memoryview) -> Header:
    """Read a header's fields; only `check_frame` knows whether they are right.

    Raises:
        CorruptBlobError: this is not a frame, or has another version.
    """
    header = Header._make(HEADER.unpack(data))
    if header.version != VERSION or header.kind not in (KIND_GROUPS, KIND_COLUMNS):
        raise CorruptBlobError(
            f"a frame of version {header.version}, kind {header.kind}: corrupt, or of another release of podreduce"
        )
    return header


def check_frame(header_data: bytes | memoryview, body: bytes, *, ends_segment: bool) -> StoredFrame:
    """Return the frame with this header and body.

    Raises:
        CorruptBlobError: header or body changed since they were written, by the CRC.
    """
    header = parse_header(header_data)
    if zlib.crc32(body, zlib.crc32(header_data[: CHECKED.size])) != header.crc32:
        raise CorruptBlobError(f"a frame of bucket {header.bucket} fails its CRC")
    return StoredFrame(
        bucket=header.bucket,
        groups=header.groups,
        rows=header.rows,
        raw_bytes=header.raw_bytes,
        flags=header.flags,
        body=body,
        kind=header.kind,
        ends_segment=ends_segment,
    )


def estimate_open_bytes(frame: StoredFrame) -> int:
    """Return the memory of a frame that is unpacked, decoded and merged: body, keys, values, lists of places."""
    for_content = OPEN_BODIES * frame.raw_bytes + OPEN_GROUP_BYTES * frame.groups + OPEN_ROW_BYTES * frame.rows
    return OPEN_FRAME_BYTES + for_content


@cache
def lz4() -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the codec, imported when the first frame needs it."""
    import pyarrow as pa  # noqa: PLC0415 - see LEAST_COMPRESSED

    return pa.Codec("lz4_raw")
