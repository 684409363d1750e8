"""The bytes of each virtual bucket of a blob, as they travel in a commit record: some 2 bytes a bucket, not 7.

Sizes of buckets are alike, so their high bytes are: laid side by side they nearly vanish when compressed.
"""

import zlib
from array import array
from collections.abc import Sequence
from typing import Final

__all__ = ["decode_sizes", "encode_sizes"]

SIZE_BYTES: Final = 8


def encode_sizes(sizes: Sequence[int]) -> bytes:
    """Return what `decode_sizes` reads."""
    data = array("Q", sizes).tobytes()
    return zlib.compress(b"".join(data[place::SIZE_BYTES] for place in range(SIZE_BYTES)))


def decode_sizes(data: bytes | Sequence[int]) -> Sequence[int]:
    """Return the sizes; those of an earlier release are read as they stand, as numbers.

    Raises:
        ValueError: this is nothing that `encode_sizes` wrote.
    """
    if not isinstance(data, bytes):
        return data
    try:
        planes = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"these are no sizes of buckets: {error}") from error
    buckets, rest = divmod(len(planes), SIZE_BYTES)
    if rest:
        raise ValueError(f"these are no sizes of buckets: {len(planes)} bytes, {SIZE_BYTES} each")
    joined = bytearray(len(planes))
    for place in range(SIZE_BYTES):
        joined[place::SIZE_BYTES] = planes[place * buckets : (place + 1) * buckets]
    return array("Q", bytes(joined))
