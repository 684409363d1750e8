"""FixedLength: records of `recordLength` bytes in a row; the first `keyLength` of them are the key, the rest the value.

A record belongs to the piece that contains its first byte: a piece starts with the first record at or after its start.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece
from podreduce.contract.texts import render_count
from podreduce.inputs.record_block import RecordBlock

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordShape", "fixed_length_records", "record_range"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShape:
    """The length of a record, and of its key, in bytes."""

    record_length: int
    key_length: int


def record_range(piece: Piece, shape: RecordShape) -> tuple[int, int]:
    """Return where the records of a piece start and end.

    Raises:
        InputError: the object's size is not a multiple of the record's length.
    """
    length = shape.record_length
    if piece.object_bytes % length:
        raise not_records(piece.uri, piece.object_bytes, length)
    return -(-piece.start // length) * length, -(-piece.end // length) * length


def not_records(uri: str, size: int, length: int) -> InputError:
    """Return the error for an object that ends within a record."""
    found = render_count(size, "byte")
    return InputError(f"{uri}: it has {found}, not a multiple of input.recordLength {length}: correct one of them")


def fixed_length_records(
    chunks: Iterable[tuple[bytes, int]], uri: str, shape: RecordShape, *, block_bytes: int
) -> Iterator[RecordBlock]:
    """Regroup chunks, each with its size as stored, into blocks of whole records.

    Raises:
        InputError: they end within a record.
    """
    length = shape.record_length
    wanted = max(block_bytes // length, 1) * length
    unfinished, stored_bytes, total = b"", 0, 0
    for chunk, stored in chunks:
        data = unfinished + chunk if unfinished else chunk
        stored_bytes += stored
        total += len(chunk)
        whole = len(data) // length * length
        for start in range(0, whole, wanted):
            part = memoryview(data)[start : min(start + wanted, whole)]
            yield make_block(part, shape, stored_bytes=stored_bytes)
            stored_bytes = 0
        unfinished = data[whole:]
    if unfinished:
        raise not_records(uri, total, length)
    if stored_bytes:
        yield make_block(memoryview(b""), shape, stored_bytes=stored_bytes)


def make_block(data: memoryview, shape: RecordShape, *, stored_bytes: int) -> RecordBlock:
    """Make a block of records."""
    return RecordBlock(
        stored_bytes=stored_bytes,
        make_values=partial(cut, data, shape.record_length, shape.key_length, shape.record_length),
        make_keys=partial(cut, data, shape.record_length, 0, shape.key_length),
        make_arrow=partial(to_arrow, data, shape),
        key_unit="key",
    )


def cut(data: memoryview, length: int, start: int, end: int) -> list[bytes]:
    """Return bytes `start` to `end` of each record."""
    whole = bytes(data)
    return [whole[at + start : at + end] for at in range(0, len(whole), length)]


def to_arrow(data: memoryview, shape: RecordShape) -> "pa.RecordBatch":
    """Return keys and values as columns of fixed width."""
    import numpy as np  # noqa: PLC0415 - only the columnar tier needs it
    import pyarrow as pa  # noqa: PLC0415 - likewise

    rows = np.frombuffer(data, np.uint8).reshape(-1, shape.record_length)
    columns = {}
    for name, part in (("key", rows[:, : shape.key_length]), ("value", rows[:, shape.key_length :])):
        buffer = pa.py_buffer(np.ascontiguousarray(part))
        columns[name] = pa.FixedSizeBinaryArray.from_buffers(pa.binary(part.shape[1]), len(rows), [None, buffer])
    return pa.record_batch(columns)
