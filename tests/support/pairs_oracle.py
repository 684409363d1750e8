"""The format Pairs written and read by other means than podreduce's: as docs/formats.md describes it, byte by byte.

It marks no Decimals, dates and the like, and compresses nothing; what it reads may be compressed.
"""

import marshal
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

__all__ = ["read_pairs", "write_pairs"]

Pair = tuple[Any, Any]
HEAD = b"\xfdPodreducePairs"


def write_pairs(pairs: Sequence[Pair], *, frame_records: int = 1000) -> bytes:
    """Return an object of these pairs, so many in a frame."""
    frames = [pairs[start : start + frame_records] for start in range(0, len(pairs), frame_records)]
    return b"".join(map(write_frame, frames))


def write_frame(pairs: Sequence[Pair]) -> bytes:
    """Return a frame of these pairs."""
    keys = b"".join(marshal.dumps(key, 2) for key, _ in pairs)
    body = keys + b"".join(marshal.dumps(value, 2) for _, value in pairs)
    stored = body.replace(HEAD, HEAD + b"\0")
    first = struct.pack("<BBH", 1, 2 if stored != body else 0, 0)
    last = struct.pack("<IQQQ", len(pairs), len(keys), len(body), len(stored))
    body_crc = struct.pack("<I", zlib.crc32(stored))
    header_crc = struct.pack("<I", zlib.crc32(body_crc + last, zlib.crc32(first)))
    return HEAD + b"\1" + first + header_crc + body_crc + last + stored


def read_pairs(data: bytes) -> list[Pair]:
    """Return the pairs of an object."""
    pairs: list[Pair] = []
    while data:
        head, data = data[:56], data[56:]
        assert head[:16] == HEAD + b"\1"
        _, flags, _, _, crc, records, key_bytes, raw_bytes, size = struct.unpack("<BBHIIIQQQ", head[16:])
        stored, data = data[:size], data[size:]
        assert zlib.crc32(stored) == crc
        body = stored.replace(HEAD + b"\0", HEAD) if flags & 2 else stored
        if flags & 1:
            body = bytes(pa.Codec("lz4_raw").decompress(body, decompressed_size=raw_bytes, asbytes=True))
        assert len(body) == raw_bytes
        pairs += zip(read_joined(body[:key_bytes], records), read_joined(body[key_bytes:], records), strict=True)
    return pairs


def read_joined(data: bytes, count: int) -> list[Any]:
    """Return so many encodings, decoded one after the other."""
    found = []
    for _ in range(count):
        assert data[0] != 1, "an encoding with a mark, which this oracle does not know"
        value = marshal.loads(data)  # noqa: S302 - a test's own data
        data = data[len(marshal.dumps(value, 2)) :]
        found.append(value)
    assert not data
    return found
