"""Which virtual bucket a key falls into, and which buckets make a partition. Rule: pure, and stable over versions.

Keys are hashed into many more buckets than there are reduce tasks; once the maps are done and every bucket's size is
known, buckets are packed into partitions of about the same size. Buckets lie in each map's blob in their order, so a
partition of neighbours is read with one request a map: neighbours are kept together as far as the sizes allow it.
The operator calls the packing, the tasks the hash.
"""

import zlib
from typing import Final

__all__ = ["hash_bucket"]
FIBONACCI: Final = 2654435769
"""2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, vol. 3, 6.4): carries low bits upwards."""


def hash_bucket(key: bytes, buckets: int) -> int:
    """Return the virtual bucket, 0 to `buckets` - 1, of an encoded key; the same in every process and version."""
    return ((zlib.crc32(key) * FIBONACCI & 0xFFFFFFFF) * buckets) >> 32
