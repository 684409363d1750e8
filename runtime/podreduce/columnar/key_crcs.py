"""The virtual buckets of whole columns of keys at once: those that `hash_bucket` gives each encoded key. Rule: pure.

The CRC-32 of an encoded key is made byte by byte for all rows together, with the table of the usual algorithm (Sarwate,
CACM 31/8, 1988). An encoded number is a tag, its double with the sign turned so that bytes order as numbers do, and the
difference to the double, which is one byte if there is none (see keys). A str or bytes is a tag and its bytes; in a
tuple a 00 follows. Other keys, and those with a null or a 00 in a text, are left to the caller.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from podreduce.columnar.number_crcs import crc32_of_numbers, order_bits
from podreduce.columnar.text_numbers import Texts
from podreduce.encoding.key_hash import FIBONACCI, HashBuckets, PrefixBuckets
from podreduce.encoding.keys import BYTES, END, NO_REST, NUMBER, STR, TUPLE

__all__ = ["bucket_columns"]

POLYNOMIAL: Final = 0xEDB88320
LOW_BITS: Final = np.uint64(0xFFFFFFFF)
INVERTED: Final = np.uint32(0xFFFFFFFF)
EXACT_INT: Final = 2**53
"""Up to here every int is a double."""
LONGEST: Final = 24
"""Of longer texts it is faster to hash each distinct one by itself."""
ROWS: Final = 1 << 15
"""So many rows at a time stay in the processor's cache."""

Crcs = NDArray[np.uint32]


def bucket_columns(keys: pa.Array, bucket_of: HashBuckets | PrefixBuckets) -> NDArray[np.uint16] | None:
    """Return the bucket of each key, or tuple of the fields of a struct; None if it must be found one by one."""
    fields = keys.flatten() if pa.types.is_struct(keys.type) else [keys]
    if isinstance(bucket_of, PrefixBuckets):
        fields = fields[: bucket_of.elements]
    if not fields or not all(map(can_be_hashed, fields)):
        return None
    is_tuple = pa.types.is_struct(keys.type)
    end = END if is_tuple and isinstance(bucket_of, HashBuckets) else b""
    found = np.empty(len(keys), np.uint16)
    for start in range(0, len(keys), ROWS):
        part = [field.slice(start, ROWS) for field in fields]
        crcs = hash_part(part, TUPLE if is_tuple else b"", end)
        spread = (crcs.astype(np.uint64) * np.uint64(FIBONACCI)) & LOW_BITS
        found[start : start + ROWS] = (spread * np.uint64(bucket_of.buckets)) >> np.uint64(32)
    return found


def can_be_hashed(field: pa.Array) -> bool:
    """Tell whether all values of a field are encoded as is said above."""
    kind = field.type
    if field.null_count or not len(field):
        return False
    if pa.types.is_float64(kind):
        return True
    if pa.types.is_int64(kind):
        numbers = field.to_numpy()
        return max(-int(numbers.min()), int(numbers.max())) <= EXACT_INT
    if is_text(field):
        texts = Texts(field)
        return texts.longest() <= LONGEST and not texts.has_zeros()
    return False


def is_text(field: pa.Array) -> bool:
    """Tell whether a field's values are str or bytes."""
    return bool(pa.types.is_string(field.type) or pa.types.is_binary(field.type))


def as_doubles(field: pa.Array) -> NDArray[np.float64]:
    """Return the numbers of a field."""
    return np.asarray(field.to_numpy().astype(np.float64))


def hash_part(fields: Sequence[pa.Array], begin: bytes, end: bytes) -> Crcs:
    """Return the CRC-32 of each row's encoded key."""
    if not begin and not is_text(fields[0]):
        return crc32_of_numbers(order_bits(as_doubles(fields[0])))
    crcs = np.full(len(fields[0]), INVERTED)
    crcs = add_bytes(crcs, begin)
    for field in fields:
        if is_text(field):
            crcs = add_texts(add_bytes(crcs, STR if pa.types.is_string(field.type) else BYTES), Texts(field))
            crcs = add_bytes(crcs, END if begin else b"")
        else:
            for column in encode_numbers(as_doubles(field)):
                crcs = add_column(crcs, column)
    return add_bytes(crcs, end) ^ INVERTED


def add_bytes(crcs: Crcs, data: bytes) -> Crcs:
    """Return the CRCs after the same bytes in each row."""
    for byte in data:
        crcs = add_column(crcs, np.uint32(byte))
    return crcs


def add_texts(crcs: Crcs, texts: Texts) -> Crcs:
    """Return the CRCs after the text of each row."""
    for place in range(texts.longest()):
        has_more = np.flatnonzero(texts.sizes > place)
        if len(has_more) == len(crcs):
            crcs = add_column(crcs, texts.data[texts.starts + place])
        else:
            crcs[has_more] = add_column(crcs[has_more], texts.data[texts.starts[has_more] + place])
    return crcs


def add_column(crcs: Crcs, column: NDArray[np.uint8] | np.uint32) -> Crcs:
    """Return the CRCs after one more byte in each row."""
    return np.asarray(crc_table()[(crcs ^ column) & np.uint32(0xFF)] ^ (crcs >> np.uint32(8)))


def encode_numbers(numbers: NDArray[np.float64]) -> Iterator[NDArray[np.uint8] | np.uint32]:
    """Yield the ten bytes of each encoded number: the first of all of them, and so on."""
    yield np.uint32(NUMBER[0])
    yield from order_bits(numbers).astype(">u8").view(np.uint8).reshape(-1, 8).T
    yield np.uint32(NO_REST[0])


@cache
def crc_table() -> Crcs:
    """Return the CRC-32 of each byte, before the last inversion."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> np.uint32(1)) ^ np.uint32(POLYNOMIAL), table >> np.uint32(1))
    return table
