"""The CRC-32 of a column of encoded numbers, all rows at once. Rule: pure.

An encoded number is a tag, its double with the sign turned so that bytes order as numbers do, and the difference to the
double, which is one byte if there is none (see keys). So all keys here have ten bytes, and differ in 64 bits. In keys
of one length each bit that is set changes the CRC-32 by exclusive or, in the same way whatever the others are. So the
CRC is put together from four tables, one for each 16 of the bits.
"""

import zlib
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podreduce.encoding.keys import NO_REST, NUMBER

__all__ = ["crc32_of_numbers", "order_bits"]

SIGN: Final = np.int64(-(2**63))
PART_BITS: Final = 16
PARTS: Final = 4


def order_bits(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the bits of doubles, turned so that they order as the numbers do."""
    raw = (numbers + 0.0).view(np.int64)  # -0.0 is 0.0
    signs = raw >> np.int64(63)  # all bits of a negative number's, none of another's
    return (raw ^ (signs | SIGN)).view(np.uint64)


def crc32_of_numbers(bits: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the CRC-32 of the encoded key of each double, by what `order_bits` returns."""
    parts = bits.astype("<u8", copy=False).view("<u2").reshape(-1, PARTS)
    crcs = np.full(len(bits), crc32_of_bits(0), np.uint32)
    for part, table in enumerate(crc_tables()):
        crcs ^= table[parts[:, part]]
    return crcs


def crc32_of_bits(bits: int) -> int:
    """Return the CRC-32 of one encoded key."""
    return zlib.crc32(NUMBER + bits.to_bytes(8, "big") + NO_REST)


@cache
def crc_tables() -> tuple[NDArray[np.uint32], ...]:
    """Return by what each value of 16 of the bits changes the CRC-32: four tables, that of the lowest bits first."""
    tables = []
    for part in range(PARTS):
        table = np.zeros(1, np.uint32)
        for bit in range(part * PART_BITS, (part + 1) * PART_BITS):
            table = np.concatenate((table, table ^ np.uint32(crc32_of_bits(1 << bit) ^ crc32_of_bits(0))))
        tables.append(table)
    return tuple(tables)
