"""Which virtual bucket or partition a key has, by its encoding (see keys). Rule: pure, and the same in all versions.

The two hashes have nothing to do with each other. So the keys of one part of an output, which share the one, are still
spread evenly by the other when a later job shuffles them.
"""

import hashlib
import zlib
from dataclasses import dataclass
from typing import Final

from podreduce.encoding.keys import key_prefix

__all__ = ["FIBONACCI", "HASHED_BYTES", "HashBuckets", "PrefixBuckets", "hash_bucket", "hash_partition"]

FIBONACCI: Final = 2654435769
"""2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, vol. 3, 6.4): carries low bits upwards."""
HASHED_BYTES: Final = 8
"""How many bytes of the SHA-256 choose the partition."""


def hash_bucket(key: bytes, buckets: int) -> int:
    """Return the virtual bucket, 0 to `buckets` - 1, of an encoded key; the same in every process and version."""
    return ((zlib.crc32(key) * FIBONACCI & 0xFFFFFFFF) * buckets) >> 32


@dataclass(frozen=True, slots=True)
class HashBuckets:
    """`hash_bucket` for so many buckets: a function that can be asked for their number."""

    buckets: int

    def __call__(self, key: bytes) -> int:
        """Return the virtual bucket of an encoded key."""
        return hash_bucket(key, self.buckets)


@dataclass(frozen=True, slots=True)
class PrefixBuckets:
    """So many buckets, of which the first `elements` elements of a tuple choose one, or any other whole key."""

    buckets: int
    elements: int

    def __call__(self, key: bytes) -> int:
        """Return the virtual bucket of an encoded key."""
        return hash_bucket(key_prefix(key, self.elements), self.buckets)


def hash_partition(key: bytes, partitions: int) -> int:
    """Return the partition, 0 to `partitions` - 1, of an encoded key with `reduce.partitioning: Hash`.

    It is the first eight bytes of the key's SHA-256 as a number, the first byte the highest, modulo `partitions`.
    Outputs of people's jobs depend on it: it never changes.
    """
    return int.from_bytes(hashlib.sha256(key).digest()[:HASHED_BYTES], "big") % partitions
