"""The bytes of each virtual bucket of a blob, as a commit record has them: some 2 bytes a bucket instead of 7.

Sizes of buckets are alike, so their high bytes repeat: stored side by side they compress to almost nothing.
"""

import zlib
from array import array
from collections.abc import Sequence
from typing import Final

from podreduce.contract.texts import render_count

__all__ = ["decode_sizes", "encode_sizes"]

SIZE_BYTES: Final = 8
MOST_SIZES: Final = 1 << 17
"""More than any blob has buckets. It limits what a few bytes that unpack to gigabytes can take."""


def encode_sizes(sizes: Sequence[int]) -> bytes:
    """Encode sizes for `decode_sizes`."""
    data = array("Q", sizes).tobytes()
    return zlib.compress(b"".join(data[place::SIZE_BYTES] for place in range(SIZE_BYTES)))


def decode_sizes(data: bytes | Sequence[int]) -> Sequence[int]:
    """Return the sizes. Sizes from an earlier release are a list of numbers and come back as they are.

    Raises:
        ValueError: `encode_sizes` did not write this.
    """
    if not isinstance(data, bytes):
        return data
    try:
        unpacking = zlib.decompressobj()
        planes = unpacking.decompress(data, MOST_SIZES * SIZE_BYTES)
    except zlib.error as error:
        raise ValueError(f"invalid bucket sizes: {error}") from error
    if not unpacking.eof:
        raise ValueError(f"invalid bucket sizes: cut short, or more than {MOST_SIZES}")
    buckets, rest = divmod(len(planes), SIZE_BYTES)
    if rest:
        raise ValueError(f"invalid bucket sizes: {render_count(len(planes), 'byte')}, {SIZE_BYTES} each")
    joined = bytearray(len(planes))
    for place in range(SIZE_BYTES):
        joined[place::SIZE_BYTES] = planes[place * buckets : (place + 1) * buckets]
    return array("Q", bytes(joined))
