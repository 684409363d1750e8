"""Which virtual bucket a key has. Rule: pure, and the same in all versions."""

import zlib
from typing import Final

__all__ = ["hash_bucket"]
FIBONACCI: Final = 2654435769
"""2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, vol. 3, 6.4): carries low bits upwards."""


def hash_bucket(key: bytes, buckets: int) -> int:
    """Return the virtual bucket, 0 to `buckets` - 1, of an encoded key; the same in every process and version."""
    return ((zlib.crc32(key) * FIBONACCI & 0xFFFFFFFF) * buckets) >> 32
