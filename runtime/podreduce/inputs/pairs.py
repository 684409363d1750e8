"""Pairs: the keys and values that a job yielded, in frames (see encoding.pair_frames).

An object is cut at the markers of its frames, as text is cut at newlines: what lies from a marker to the next is one
frame, or damaged, and belongs to the piece in which its marker starts. So damage is the same for any pieces, and never
hides the frame after it. A block is a frame, whatever its size. Memory is bounded by the largest frame: of what has no
sound header only the first bytes are kept.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece, Plan
from podreduce.encoding.pair_frames import (
    HEAD_BYTES,
    MARKER,
    CorruptPairsError,
    UnpackedPairs,
    parse_head,
    unpack_pairs,
)
from podreduce.encoding.unwritable import UnwritableError
from podreduce.inputs.blocks import CHUNK_BYTES, growing_ranges, naming_changes
from podreduce.inputs.compression import cut_counted, is_compressed, read_decompressed
from podreduce.inputs.record_block import RecordBlock, Salvaged, Undecodable
from podreduce.storage import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["decode_pairs", "read_pairs"]

KEPT_BYTES = 4096
"""How much of a damaged frame is kept, for `badRecords: Skip`."""

FOREIGN = (ValueError, TypeError, EOFError, LookupError, ArithmeticError, RecursionError, OSError, struct.error)
"""What decoding raises for a sound frame whose pairs this release has no form for, such as an unknown time zone."""


def read_pairs(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read the frames that start in `piece`.

    Raises:
        InputError: the object is gone, has changed, or is not of this format.
    """
    del plan, block_bytes
    with naming_changes(piece.uri):
        try:
            yield from compressed_frames(store, key, piece) if is_compressed(piece.uri) else frames(store, key, piece)
        except NoPairsError:
            raise foreign_object(piece.uri) from None


def decode_pairs(data: bytes, uri: str) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of a whole decompressed object.

    Raises:
        InputError: it does not have the format Pairs, or is damaged.
    """
    try:
        for segment in cut_at_markers([data], 0, None):
            reader = FrameReader(uri=uri, segment=segment)
            yield from zip(reader.keys, reader.values, strict=True)
    except NoPairsError:
        raise foreign_object(uri) from None


def foreign_object(uri: str) -> InputError:
    """Return the error for an object that is not of this format."""
    return InputError(
        f"{uri}: this is no object of the format Pairs, as it does not begin with a frame: name the output of a job "
        "with output.format Pairs, or set another input.format"
    )


def frames(store: ObjectStore, key: str, piece: Piece) -> Iterator[RecordBlock]:
    """Yield the frames that start in a piece of an object that is not compressed."""
    if piece.start >= piece.end:
        return
    body = store.stream(key, piece.start, piece.end, etag=piece.etag, chunk_bytes=CHUNK_BYTES)
    for segment in cut_at_markers(chain(body, read_tail(store, key, piece)), piece.start, piece.end):
        yield make_block(FrameReader(uri=piece.uri, segment=segment), segment.size)


def read_tail(store: ObjectStore, key: str, piece: Piece) -> Iterator[bytes]:
    """Yield the bytes after a piece: its last frame may end there."""
    for low, high in growing_ranges(piece.end, piece.object_bytes):
        yield store.get_range(key, low, high, etag=piece.etag)


def compressed_frames(store: ObjectStore, key: str, piece: Piece) -> Iterator[RecordBlock]:
    """Yield the frames of a compressed object; each block counts the stored bytes read since the last."""
    chunks = read_decompressed(store, key, piece)
    for segment, stored_bytes in cut_counted(chunks, lambda stream: cut_at_markers(stream, 0, None)):
        if segment is None:
            yield no_pairs(stored_bytes)
        else:
            yield make_block(FrameReader(uri=piece.uri, segment=segment), stored_bytes)


class NoPairsError(Exception):
    """An object does not begin with a marker."""


class Segment:
    """The bytes of an object from one marker to the next.

    Attributes:
        offset: where it starts, in the decompressed object.
        size: how many bytes it has; `kept` returns fewer of a damaged frame.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.size = 0
        self._parts: list[bytes] = []
        self._limit: int | None = None

    def add(self, part: bytes) -> None:
        """Add the bytes that follow."""
        if self._limit is None or self.size < self._limit:
            self._parts.append(part)
        self.size += len(part)
        if self._limit is None and self.size >= HEAD_BYTES:
            self._limit = self._find_limit()

    def _find_limit(self) -> int:
        """Return how many bytes are worth keeping, by the header."""
        try:
            return max(parse_head(b"".join(self._parts)).frame_bytes, KEPT_BYTES)
        except CorruptPairsError:
            return KEPT_BYTES

    @cached_property
    def kept(self) -> bytes:
        """The first bytes: all of a sound frame. Use it when everything is added."""
        return b"".join(self._parts)


def cut_at_markers(chunks: Iterable[bytes], start: int, end: int | None) -> Iterator[Segment]:
    """Yield what lies from each marker in `start` to `end` (None: anywhere) to the next one.

    `chunks` start at `start`. What lies before the first marker there belongs to an earlier piece.

    Raises:
        NoPairsError: `start` is 0, and there is no marker.
    """
    segment: Segment | None = None
    for at, part, begins in split_at_markers(chunks, start):
        if begins:
            if segment is not None:
                yield segment
            if end is not None and at >= end:
                return
            segment = Segment(at)
        elif not at:
            raise NoPairsError
        if segment is not None:
            segment.add(part)
    if segment is not None:
        yield segment


def split_at_markers(chunks: Iterable[bytes], offset: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the bytes of `chunks` in parts, each with its offset, and whether it begins with a marker.

    A marker is only where a part begins.
    """
    held = b""
    for chunk in chunks:
        data = held + chunk if held else chunk
        start, begins = 0, data.startswith(MARKER)
        while (found := data.find(MARKER, start + begins)) >= 0:
            yield offset + start, data[start:found], begins
            start, begins = found, True
        whole = max(len(data) - len(MARKER) + 1, start)  # a marker may start in the bytes after it
        if whole > start:
            yield offset + start, data[start:whole], begins
        held = data[whole:]
        offset += whole
    if held:
        yield offset, held, False


def make_block(reader: "FrameReader", stored_bytes: int) -> RecordBlock:
    """Return the block of a frame, which is decoded when it is asked for its pairs."""
    return RecordBlock(
        stored_bytes=stored_bytes,
        make_values=lambda: reader.values,
        make_keys=lambda: reader.keys,
        make_arrow=reader.to_arrow,
        key_unit="key",
        salvage=lambda as_columns: reader.salvage(stored_bytes, as_columns=as_columns),
    )


@dataclass(frozen=True, kw_only=True)
class FrameReader:
    """Decodes the pairs of a segment. Everything raises InputError if the segment is not a sound frame."""

    uri: str
    segment: Segment

    @cached_property
    def keys(self) -> list[Any]:
        """The pairs' keys."""
        return self._decode(UnpackedPairs.keys)

    @cached_property
    def values(self) -> list[Any]:
        """The pairs' values."""
        return self._decode(UnpackedPairs.values)

    @cached_property
    def _unpacked(self) -> UnpackedPairs:
        return unpack_pairs(self.segment.kept, self.segment.size)

    def _decode(self, decode: Callable[[UnpackedPairs], list[Any]]) -> list[Any]:
        """Return what `decode` returns."""
        try:
            return decode(self._unpacked)
        except (CorruptPairsError, *FOREIGN) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> InputError:
        """Return the error for a frame that cannot be read."""
        reason = f"{error}" if isinstance(error, CorruptPairsError) else f"{type(error).__name__}: {error}"
        return InputError(
            f"{self.uri}: the frame at byte {self.segment.offset} cannot be read ({reason}): write the object again, "
            "or set badRecords: Skip"
        )

    def to_arrow(self) -> "pa.RecordBatch":
        """Return the pairs as columns, with the types that Parquet output gives them."""
        import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

        from podreduce.columnar.value_columns import build_column, captured, find_type  # noqa: PLC0415 - likewise

        columns = {}
        for name, found in (("key", self.keys), ("value", self.values)):
            try:
                items = [captured(item)[0] for item in found]
                columns[name] = build_column(items, find_type(items))
            except UnwritableError as error:
                raise InputError(
                    f"{self.uri}: the {name}s of the frame at byte {self.segment.offset} are no column ({error}): read "
                    "them with map_func"
                ) from None
        return pa.record_batch(columns)

    def salvage(self, stored_bytes: int, *, as_columns: bool) -> Salvaged:
        """Return no record, and the frame as a bad one.

        Raises:
            InputError: the frame is sound, but its pairs are no columns.
        """
        try:
            for found in (self.keys, self.values):
                del found
        except InputError as error:
            bad = Undecodable(key=self.segment.offset, data=self.segment.kept[:KEPT_BYTES], error=error)
            return Salvaged(block=no_pairs(stored_bytes), bad=[bad])
        if as_columns:
            self.to_arrow()
        return Salvaged(block=make_block(self, stored_bytes), bad=[])


def no_pairs(stored_bytes: int) -> RecordBlock:
    """Return a block without records."""

    def make_arrow() -> "pa.RecordBatch":
        import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

        return pa.record_batch({"key": pa.nulls(0), "value": pa.nulls(0)})

    return RecordBlock(stored_bytes=stored_bytes, make_values=list, make_keys=list, make_arrow=make_arrow)
