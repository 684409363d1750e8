"""The virtual buckets of a column of numbers at once: those that `hash_bucket` gives each encoded key. Rule: pure.

An encoded number is a tag, its double with the sign turned so that bytes order as numbers do, and the difference to the
double, which is one byte if there is none (see keys). So all keys here have ten bytes, and the CRC-32 of a column is
made byte by byte, with the table of the usual algorithm (Sarwate, CACM 31/8, 1988).
"""

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from podreduce.encoding.key_hash import FIBONACCI, HashBuckets
from podreduce.encoding.keys import NO_REST, NUMBER

__all__ = ["bucket_numbers"]

POLYNOMIAL = 0xEDB88320
SIGN = np.uint64(1 << 63)
LOW_BITS = np.uint64(0xFFFFFFFF)
EXACT_INT = 2**53
"""Up to here every int is a double."""


def bucket_numbers(keys: pa.Array, bucket_of: HashBuckets) -> NDArray[np.uint16] | None:
    """Return each row's bucket; None if the keys are no numbers, or some are null or not exactly a double."""
    if keys.null_count or not (pa.types.is_int64(keys.type) or pa.types.is_float64(keys.type)):
        return None
    numbers = keys.to_numpy(zero_copy_only=False)
    if pa.types.is_int64(keys.type) and len(numbers) and max(-int(numbers.min()), int(numbers.max())) > EXACT_INT:
        return None
    crcs = crc32_of_rows(encode_numbers(numbers.astype(np.float64))).astype(np.uint64)
    spread = (crcs * np.uint64(FIBONACCI)) & LOW_BITS
    return ((spread * np.uint64(bucket_of.buckets)) >> np.uint64(32)).astype(np.uint16)


def encode_numbers(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the encoded keys, one a row."""
    raw = (numbers + 0.0).view(np.uint64)  # -0.0 is 0.0
    ordered = np.where(raw & SIGN, ~raw, raw | SIGN)
    rows = np.empty((len(numbers), 10), np.uint8)
    rows[:, 0] = NUMBER[0]
    rows[:, 1:9] = ordered.astype(">u8").view(np.uint8).reshape(-1, 8)
    rows[:, 9] = NO_REST[0]
    return rows


def crc32_of_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the CRC-32 of each row's bytes."""
    table = crc_table()
    crcs = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in rows.T:
        crcs = table[(crcs ^ column) & 0xFF] ^ (crcs >> np.uint32(8))
    return crcs ^ np.uint32(0xFFFFFFFF)


@cache
def crc_table() -> NDArray[np.uint32]:
    """Return the CRC-32 of each byte, before the last inversion."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> np.uint32(1)) ^ np.uint32(POLYNOMIAL), table >> np.uint32(1))
    return table
