"""The rows of a table in the order of their keys, which is that of the encoded keys (see keys). Rule: pure.

Most columns can be written as numbers that order as their keys do. Such a number and the row's place fit into 64 bits
together, in one or more passes from the last digits to the first. No two of these are equal, so numpy's fastest sort of
plain numbers, which uses vector instructions, keeps equal keys in order. Rows in a few runs already, as batches that
are in order, are merged instead. What has no such number is sorted by Arrow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.number_crcs import order_bits
from podreduce.columnar.text_numbers import number_texts

__all__ = ["sort_rows"]

PREFIX_BYTES: Final = 8
WORD_BITS: Final = 64
SIGN: Final = np.uint64(1 << 63)
MOST_RUNS: Final = 16
"""More of them are sorted as fast as they are merged."""

Words = NDArray[np.uint64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Digits:
    """Numbers of so many bits that order as some keys do."""

    numbers: Words
    bits: int


def sort_rows(keys: pa.Array) -> Rows:
    """Return the rows in the order of their keys; rows of one key keep their order."""
    if pa.types.is_fixed_size_binary(keys.type) and keys.null_count == 0 and keys.type.byte_width:
        return sort_fixed_width(as_rows(keys))
    return sort_by_fields(keys.flatten() if pa.types.is_struct(keys.type) else [keys])


def sort_by_fields(fields: Sequence[pa.Array]) -> Rows:
    """Sort by the last field, then, keeping that order, by the one before it, up to the first."""
    order = np.arange(len(fields[0]))
    for part in join_digits(map(digits_of, reversed(fields)), room=WORD_BITS - len(order).bit_length()):
        order = order[sort_by_digits(part, order) if isinstance(part, Digits) else sort_by_arrow(part, order)]
    return order


def join_digits(parts: "Iterator[Digits | pa.Array]", room: int) -> "Iterator[Digits | pa.Array]":
    """Yield the parts, the last digits first, in as few pieces of at most `room` bits as they fit into."""
    held = Digits(np.zeros(0, np.uint64), 0)
    for part in parts:
        if not isinstance(part, Digits):
            yield from [held] if held.bits else []
            yield part
            held = Digits(held.numbers, 0)
            continue
        for piece in cut_digits(part, room):
            if held.bits + piece.bits <= room:
                joined = held.numbers | piece.numbers << np.uint64(held.bits) if held.bits else piece.numbers
                held = Digits(joined, held.bits + piece.bits)
            else:
                yield held
                held = piece
    if held.bits:
        yield held


def cut_digits(digits: Digits, room: int) -> Iterator[Digits]:
    """Yield the last `room` bits, those before them, and so on."""
    if digits.bits <= room:
        yield digits
        return
    mask = np.uint64((1 << room) - 1)
    for start in range(0, digits.bits, room):
        yield Digits(digits.numbers >> np.uint64(start) & mask, min(room, digits.bits - start))


def sort_by_digits(digits: Digits, order: Rows) -> Rows:
    """Return the places in `order` in the order of their rows' numbers, which leave enough bits for the places."""
    numbers = digits.numbers[order]
    if np.count_nonzero(numbers[1:] < numbers[:-1]) < MOST_RUNS:
        return np.asarray(np.argsort(numbers, kind="stable"))  # timsort: it finds the runs and merges them
    place_bits = np.uint64(len(order).bit_length())
    packed = numbers << place_bits
    packed |= np.arange(len(order), dtype=np.uint64)
    packed.sort()
    packed &= (np.uint64(1) << place_bits) - np.uint64(1)
    return packed.view(np.int64)


def sort_by_arrow(field: pa.Array, order: Rows) -> Rows:
    """Return the places in `order` in the order of their rows' values, which Arrow compares."""
    found = pc.array_sort_indices(field.take(pa.array(order)), order="ascending", null_placement="at_start")
    return np.asarray(found.to_numpy(zero_copy_only=False).astype(np.int64))


def digits_of(field: pa.Array) -> "Digits | pa.Array":
    """Return numbers that order as the field's values do, null first; the field itself if there are none."""
    kind = field.type
    if not len(field) or pa.types.is_null(kind):
        return Digits(np.zeros(len(field), np.uint64), 0)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        numbers = number_texts(field)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        plain = field.fill_null(False if pa.types.is_boolean(kind) else 0)
        numbers = plain.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64) ^ SIGN
    elif pa.types.is_float64(kind):
        numbers = order_bits(field.fill_null(0.0).to_numpy(zero_copy_only=False))
    else:
        return field
    return field if numbers is None else shifted(numbers, field)


def shifted(numbers: Words, field: pa.Array) -> "Digits | pa.Array":
    """Return the numbers from 0 on, or from 1 on if 0 is for null; the field itself if that takes more than 64 bits."""
    if field.null_count == len(field):
        return Digits(np.zeros(len(field), np.uint64), 0)
    nulls = field.is_null().to_numpy(zero_copy_only=False) if field.null_count else None
    first, known = int(field.null_count > 0), numbers if nulls is None else numbers[~nulls]
    low, high = int(known.min()), int(known.max())
    bits = (high - low + first).bit_length()
    if bits > WORD_BITS:
        return field
    numbers = numbers - np.uint64(low) + np.uint64(first)
    if nulls is not None:
        numbers[nulls] = 0
    return Digits(numbers, bits)


def as_rows(keys: pa.Array) -> NDArray[np.uint8]:
    """Return a column of fixed width as a matrix of bytes, one key a row."""
    width = keys.type.byte_width
    data = np.frombuffer(keys.buffers()[1], np.uint8)
    return data[keys.offset * width : (keys.offset + len(keys)) * width].reshape(-1, width)


def sort_fixed_width(rows: NDArray[np.uint8]) -> Rows:
    """Sort by the first eight bytes as one number, then sort the few stretches where these are equal."""
    padded = np.zeros((len(rows), PREFIX_BYTES), np.uint8)
    padded[:, : rows.shape[1]] = rows[:, :PREFIX_BYTES]
    prefixes = padded.view(">u8").ravel().astype(np.uint64)
    order = np.argsort(prefixes, kind="stable")
    if rows.shape[1] <= PREFIX_BYTES:
        return order
    found = prefixes[order]
    equal = np.flatnonzero(found[1:] == found[:-1])
    if len(equal) > len(rows) // 4:
        return np.lexsort(list(rows.T[::-1]))
    for start, end in stretches(equal):
        part = order[start:end]
        rest = rows[part, PREFIX_BYTES:]
        order[start:end] = part[np.lexsort(list(rest.T[::-1]))]
    return order


def stretches(equal: Rows) -> list[tuple[int, int]]:
    """Return the stretches of rows that equal the next row; `equal` lists these rows."""
    if not len(equal):
        return []
    breaks = np.flatnonzero(np.diff(equal) > 1)
    starts = equal[np.concatenate(([0], breaks + 1))]
    ends = equal[np.concatenate((breaks, [len(equal) - 1]))] + 2
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
