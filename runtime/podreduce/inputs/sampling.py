"""Reads the first lines of a piece for the planner: a few small requests, whatever the object's size."""

from collections.abc import Iterator
from contextlib import closing, suppress

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece
from podreduce.inputs.blocks import NEWLINE, Block, growing_ranges, naming_changes, read_lines
from podreduce.inputs.compression import decompressor_of, is_compressed
from podreduce.storage import ObjectStore

__all__ = ["read_first_lines"]

MOST_LINE_BYTES = 4 * 1024 * 1024
"""Longer lines are left out."""


def read_first_lines(store: ObjectStore, key: str, piece: Piece, most_bytes: int) -> list[bytes]:
    """Return the lines that start in the first `most_bytes` of a piece, decompressed; the last may be cut.

    If an object is gone, has changed or is invalid compressed data, return what could be read: its task reports it.
    """
    with suppress(InputError), naming_changes(piece.uri):
        read = first_decompressed if is_compressed(piece.uri) else first_plain
        return read(store, key, piece, most_bytes)
    return []


def first_plain(store: ObjectStore, key: str, piece: Piece, most_bytes: int) -> list[bytes]:
    """Return the first lines of an uncompressed piece."""

    def read_range(start: int, end: int) -> Iterator[bytes]:
        yield store.get_range(key, start, end, etag=piece.etag)

    def read_tail(start: int, end: int) -> Iterator[bytes]:
        for low, high in growing_ranges(start, end):
            yield store.get_range(key, low, high, etag=piece.etag)

    end = min(piece.end, piece.start + most_bytes)
    tail_end = min(piece.object_bytes, end + MOST_LINE_BYTES)
    blocks = read_lines(read_range, read_tail, piece.start, end, tail_end, block_bytes=most_bytes)
    return [line for block in blocks for line in block.without_mark().data.split(NEWLINE)]


def first_decompressed(store: ObjectStore, key: str, piece: Piece, most_bytes: int) -> list[bytes]:
    """Return the first lines of a compressed object."""
    ranges = growing_ranges(0, piece.object_bytes)
    chunks = (store.get_range(key, low, high, etag=piece.etag) for low, high in ranges)
    data = bytearray()
    with suppress(InputError), closing(decompressor_of(piece.uri)(chunks, piece.uri)) as decompressed:
        for chunk in decompressed:
            data += chunk
            if len(data) > MOST_LINE_BYTES or data.find(NEWLINE, most_bytes) >= 0:
                break
    end = data.find(NEWLINE, most_bytes)
    first = Block(offset=0, data=bytes(data[:end] if end >= 0 else data), stored_bytes=0)
    return first.without_mark().data.split(NEWLINE)
