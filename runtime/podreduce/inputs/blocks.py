"""Reads a piece of an input object as blocks of whole lines. Rule: a line belongs to the piece in which it starts.

A piece that starts after 0 skips through the first newline at or after `start` - 1, and reads past its end to finish
its last line. So cuts may be anywhere, and every line is read exactly once. A compressed object is one piece, whatever
its size. A byte order mark is not part of an object's first line; the line's offset is still 0, as in Hadoop.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

from podreduce.contract.errors import InputError, ObjectChangedError, ObjectNotFoundError
from podreduce.contract.plan import Piece
from podreduce.inputs.compression import cut_counted, is_compressed, read_decompressed
from podreduce.storage import ObjectStore

__all__ = ["BLOCK_BYTES", "Block", "naming_changes", "read_blocks", "read_lines"]

CHUNK_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 64 * 1024
BLOCK_BYTES = 256 * 1024
"""Blocks are small because Python's objects are large: half a megabyte of two-letter lines takes ten in memory."""

NEWLINE = b"\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

ReadRange = Callable[[int, int], Iterator[bytes]]
"""(start, end) -> those bytes in chunks, fetched ahead if that helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole lines, newlines included; only the last block of an object may lack its last newline.

    Attributes:
        offset: where the block starts, in the decompressed object.
        stored_bytes: its bytes in the object as stored; over all pieces the sum is the object's size.
        mark_bytes: the length of the byte order mark between `offset` and `data`, usually 0.
    """

    offset: int
    data: bytes
    stored_bytes: int
    mark_bytes: int = 0

    @property
    def data_offset(self) -> int:
        """Where `data` starts, in the decompressed object."""
        return self.offset + self.mark_bytes

    def without_mark(self) -> Self:
        """Return the block without its object's byte order mark."""
        if self.offset or not self.data.startswith(BYTE_ORDER_MARK):
            return self
        return replace(self, data=self.data[len(BYTE_ORDER_MARK) :], mark_bytes=len(BYTE_ORDER_MARK))


def read_blocks(store: ObjectStore, key: str, piece: Piece, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield the blocks of `piece`, from the object at `key` of `store`; threads fetch chunks ahead.

    Raises:
        InputError: the object is gone, changed after planning, or is invalid compressed data.
    """

    def read_range(start: int, end: int) -> Iterator[bytes]:
        return store.stream(key, start, end, etag=piece.etag, chunk_bytes=CHUNK_BYTES)

    def read_tail(start: int, end: int) -> Iterator[bytes]:
        for low, high in growing_ranges(start, end):
            yield store.get_range(key, low, high, etag=piece.etag)

    with naming_changes(piece.uri):
        if is_compressed(piece.uri):
            blocks = compressed_lines(store, key, piece, block_bytes)
        else:
            blocks = read_lines(
                read_range, read_tail, piece.start, piece.end, piece.object_bytes, block_bytes=block_bytes
            )
        yield from map(Block.without_mark, blocks)


@contextmanager
def naming_changes(uri: str) -> Iterator[None]:
    """Turn the errors for an object that is gone or changed into InputErrors that say what to do."""
    try:
        yield
    except ObjectNotFoundError as error:
        raise InputError(f"{uri}: the object is gone since the plan was made; start a new run") from error
    except ObjectChangedError as error:
        raise InputError(f"{uri}: the object changed after planning; start a new run (a new runId)") from error


def growing_ranges(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive ranges from `start` to `end`: small at first, because the end of a line is usually near."""
    size = TAIL_BYTES
    while start < end:
        yield start, min(start + size, end)
        start += size
        size = min(size * 2, CHUNK_BYTES)


def read_lines(
    read_range: ReadRange,
    read_tail: ReadRange,
    start: int,
    end: int,
    object_bytes: int,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Yield the lines of an object that start in `start` to `end`; `read_tail` reads the few bytes after `end`."""
    if start >= end:
        return
    body = read_range(max(start - 1, 0), end)
    offset = 0
    if start:
        offset, body = skip_line(body, start - 1)
    if offset < end:
        for data in whole_lines(finish_line(body, lambda: read_tail(end, object_bytes)), block_bytes):
            yield Block(offset=offset, data=data, stored_bytes=len(data))
            offset += len(data)


def skip_line(chunks: Iterator[bytes], offset: int) -> tuple[int, Iterator[bytes]]:
    """Skip the first newline of `chunks`, which start at `offset`, and all before it; return the rest and its start."""
    for chunk in chunks:
        cut = chunk.find(NEWLINE) + 1
        if cut:
            return offset + cut, chain([chunk[cut:]], chunks)
        offset += len(chunk)
    return offset, iter(())


def finish_line(body: Iterable[bytes], tail: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """Yield `body`, then the part of `tail()` that completes the last line of `body`."""
    last = b""
    for chunk in body:
        yield chunk
        last = chunk[-1:] or last
    if last == NEWLINE:
        return
    for chunk in tail():
        cut = chunk.find(NEWLINE) + 1
        yield chunk[:cut] if cut else chunk
        if cut:
            return


def whole_lines(chunks: Iterable[bytes], block_bytes: int) -> Iterator[bytes]:
    """Regroup `chunks` into blocks of whole lines, of some `block_bytes`; a longer line is a separate block."""
    unfinished: list[bytes] = []
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            cut = chunk.rfind(NEWLINE, start, start + block_bytes) + 1 or chunk.find(NEWLINE, start) + 1
            if not cut:
                unfinished.append(chunk[start:])
                break
            yield b"".join([*unfinished, chunk[start:cut]])
            unfinished.clear()
            start = cut
    if unfinished:
        yield b"".join(unfinished)


def compressed_lines(store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[Block]:
    """Yield the lines of a compressed object; each block counts the stored bytes read since the last."""
    offset = 0
    chunks = read_decompressed(store, key, piece)
    for data, stored_bytes in cut_counted(chunks, lambda stream: whole_lines(stream, block_bytes)):
        yield Block(offset=offset, data=data or b"", stored_bytes=stored_bytes)
        offset += len(data or b"")
