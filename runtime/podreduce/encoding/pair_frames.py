"""Frames of pairs: an object of the format Pairs is any number of them in a row, and nothing else.

    marker   16 bytes   FD, `PodreducePairs`, 01
    header   40 bytes   version flags 0 header-crc32 body-crc32 records key-bytes raw-bytes stored-bytes
    body     the keys' encodings joined, then the values' (see codec), compressed with lz4 as a whole if that makes them
             smaller; at last a 00 is put in after each FD `PodreducePairs`

So a marker is nowhere but at the start of a frame: a body has none, and a header has a 00 in any 12 bytes of it and at
its end; the marker has no 00, and does not overlap itself. A reader that starts anywhere finds the next frame by
searching for the marker, and a damaged frame ends where the next one begins. `key-bytes` and `raw-bytes` are the sizes
of the encoded keys and of the whole body before compression. Both CRCs are over bytes as they are stored.

Rule: pure. Objects live longer than releases: every release reads the frames of all before it. The layout of the header
never changes; what changes gets another version.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from podreduce.contract.texts import render_count
from podreduce.encoding.codec import Value, decode_values
from podreduce.encoding.frames import FLAG_LZ4, StoredFrame, compress_body, plain_body

__all__ = [
    "HEAD_BYTES",
    "MARKER",
    "CorruptPairsError",
    "PairHeader",
    "UnpackedPairs",
    "pack_pairs",
    "parse_head",
    "unpack_pairs",
]

PREFIX: Final = b"\xfdPodreducePairs"
MARKER: Final = PREFIX + b"\1"
STUFFED: Final = PREFIX + b"\0"

VERSION: Final = 1
FLAG_STUFFED: Final = 2
FLAGS: Final = FLAG_LZ4 | FLAG_STUFFED

HEADER: Final = struct.Struct("<BBHIIIQQQ")
HEAD_BYTES: Final = len(MARKER) + HEADER.size
CHECKED_AFTER: Final = 8
"""The header's CRC is over its first four bytes and over those from here on."""
MOST_SHRUNK: Final = 256
"""lz4 never makes a body smaller than one part in so many: no damaged or planted size takes all memory."""


class CorruptPairsError(Exception):
    """The bytes are not a frame as it was written; the message says what is wrong."""


class PairHeader(NamedTuple):
    """A header's fields, in their order."""

    version: int
    flags: int
    zero: int
    header_crc32: int
    body_crc32: int
    records: int
    key_bytes: int
    raw_bytes: int
    stored_bytes: int

    @property
    def frame_bytes(self) -> int:
        """The size of the whole frame."""
        return HEAD_BYTES + self.stored_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedPairs:
    """The pairs of a frame, not decoded yet."""

    records: int
    key_data: memoryview
    value_data: memoryview

    def keys(self) -> list[Value]:
        """Return the keys."""
        return decode_values(self.key_data, self.records)

    def values(self) -> list[Value]:
        """Return the values."""
        return decode_values(self.value_data, self.records)


def pack_pairs(records: int, keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Return a frame of `records` pairs; `keys` and `values` are their encodings, some of which may be joined."""
    key_data = b"".join(keys)
    packed = compress_body(0, b"".join([key_data, *values]), groups=records, rows=records)
    body, flags = packed.body, packed.flags
    if PREFIX in body:
        body, flags = body.replace(PREFIX, STUFFED), flags | FLAG_STUFFED
    header = PairHeader(
        version=VERSION,
        flags=flags,
        zero=0,
        header_crc32=0,
        body_crc32=zlib.crc32(body),
        records=records,
        key_bytes=len(key_data),
        raw_bytes=packed.raw_bytes,
        stored_bytes=len(body),
    )
    crc32 = header_crc32(HEADER.pack(*header))
    return b"".join([MARKER, HEADER.pack(*header._replace(header_crc32=crc32)), body])


def header_crc32(header: bytes) -> int:
    """Return the CRC of a header."""
    return zlib.crc32(header[CHECKED_AFTER:], zlib.crc32(header[:4]))


def parse_head(data: bytes) -> PairHeader:
    """Return the header of the frame at the start of `data`.

    Raises:
        CorruptPairsError: there is no sound header, or a later release wrote it.
    """
    if not data.startswith(MARKER):
        raise CorruptPairsError("it does not begin with the marker of a frame")
    if len(data) < HEAD_BYTES:
        raise CorruptPairsError(f"it is cut short: a header has {HEAD_BYTES} bytes, and {len(data)} are there")
    packed = data[len(MARKER) : HEAD_BYTES]
    header = PairHeader._make(HEADER.unpack(packed))
    if header.header_crc32 != header_crc32(packed):
        raise CorruptPairsError("its header fails its CRC")
    if header.version > VERSION or header.flags & ~FLAGS:
        raise CorruptPairsError(
            f"its version is {header.version}, flags {header.flags}: a later release of podreduce wrote it, and can "
            "read it"
        )
    if not header.key_bytes <= header.raw_bytes <= MOST_SHRUNK * (header.stored_bytes + 1):
        raise CorruptPairsError("its header has sizes that are not possible")
    return header


def unpack_pairs(data: bytes, size: int) -> UnpackedPairs:
    """Check and decompress a frame. From its marker to the next, or to the object's end, there are `size` bytes.

    `data` holds the first of them, at least as many as the header says.

    Raises:
        CorruptPairsError: it is not as it was written.
    """
    header = parse_head(data)
    if size != header.frame_bytes:
        what = "cut short" if size < header.frame_bytes else "followed by bytes that are no frame"
        expected = render_count(header.frame_bytes, "byte")
        raise CorruptPairsError(f"it is {what}: it has {expected}, and {size} are there")
    body = data[HEAD_BYTES:size]
    if zlib.crc32(body) != header.body_crc32:
        raise CorruptPairsError("its body fails its CRC")
    if header.flags & FLAG_STUFFED:
        body = body.replace(STUFFED, PREFIX)
    plain = memoryview(plain_body(as_stored(header, body)))
    return UnpackedPairs(
        records=header.records, key_data=plain[: header.key_bytes], value_data=plain[header.key_bytes :]
    )


def as_stored(header: PairHeader, body: bytes) -> StoredFrame:
    """Return the body in the form that `frames` decompresses."""
    records = header.records
    return StoredFrame(
        bucket=0, groups=records, rows=records, raw_bytes=header.raw_bytes, flags=header.flags & FLAG_LZ4, body=body
    )
