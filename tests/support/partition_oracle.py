"""Which partition a key has with `reduce.partitioning: Hash`, from the description in docs/formats.md alone."""

import hashlib
import struct
from typing import Any

__all__ = ["key_bytes", "partition_of"]


def key_bytes(key: Any) -> bytes:
    """Return the bytes of a key: of None, a bool, a number that is a double, str, bytes, or a tuple of these."""
    if key is None:
        return bytes([1])
    if isinstance(key, bool):
        return bytes([3 if key else 2])
    if isinstance(key, int | float):
        (bits,) = struct.unpack(">Q", struct.pack(">d", float(key) + 0.0))
        return bytes([4]) + struct.pack(">Q", bits ^ (2**64 - 1 if bits >> 63 else 1 << 63)) + bytes([0x80])
    if isinstance(key, str):
        return bytes([5]) + key.encode()
    if isinstance(key, bytes):
        return bytes([6]) + key
    return bytes([7]) + b"".join(map(element_bytes, key)) + bytes([0])


def element_bytes(element: Any) -> bytes:
    """Return the bytes of an element of a tuple: texts and bytes have an end."""
    data = key_bytes(element)
    return data.replace(b"\0", b"\0\xff") + b"\0" if isinstance(element, str | bytes) else data


def partition_of(key: Any, partitions: int) -> int:
    """Return a key's partition."""
    return int(hashlib.sha256(key_bytes(key)).hexdigest()[:16], 16) % partitions
