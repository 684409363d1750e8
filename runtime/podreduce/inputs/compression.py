"""Reads compressed objects, recognized by the ending of their names, as a stream of any number of members.

Rule: bounded memory; a broken file is an InputError.
"""

import bz2
import io
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeAlias, TypeVar

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece
from podreduce.storage import ObjectStore

__all__ = ["cut_counted", "decompressor_of", "gunzip", "is_compressed", "read_decompressed"]

CutT = TypeVar("CutT")

CHUNK_BYTES = 4 * 1024 * 1024
GZIP_WINDOW = 16 + zlib.MAX_WBITS
OUTPUT_BYTES = 1024 * 1024


def is_compressed(uri: str) -> bool:
    """Tell whether an object's name has the ending of a supported compression."""
    return uri.lower().endswith(tuple(DECOMPRESSORS))


def read_decompressed(store: ObjectStore, key: str, piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield a whole object's decompressed bytes, each piece with the number of stored bytes read since the last.

    Raises:
        InputError: it does not match its ending, is corrupt, or ends early.
    """
    decompress = decompressor_of(piece.uri)
    chunks = store.stream(key, 0, piece.object_bytes, etag=piece.etag, chunk_bytes=CHUNK_BYTES)
    stored = ((chunk, len(chunk)) for chunk in chunks)
    for data, stored_bytes in cut_counted(stored, lambda stream: decompress(stream, piece.uri)):
        yield data or b"", stored_bytes


def cut_counted(
    chunks: Iterable[tuple[bytes, int]], cut: Callable[[Iterator[bytes]], Iterable[CutT]]
) -> Iterator[tuple[CutT | None, int]]:
    """Yield what `cut` makes of the chunks, each with the number of stored bytes read since the last.

    Each chunk comes with the number of its stored bytes. If some are left at the end, they come with None.
    """
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for data, stored_bytes in chunks:
            taken += stored_bytes
            yield data

    for found in cut(counted()):
        yield found, taken
        taken = 0
    if taken:
        yield None, taken


def decompressor_of(uri: str) -> "Decompress":
    """Return the decompressor for an object of this name, which `is_compressed`."""
    return next(found for ending, found in DECOMPRESSORS.items() if uri.lower().endswith(ending))


def gunzip(chunks: Iterable[bytes], uri: str) -> Generator[bytes, None, None]:
    """Yield the decompressed bytes of `chunks`. Members follow each other; zeros may follow the last (tar's padding).

    Raises:
        InputError: it is not gzip, is corrupt, or ends early; the message names `uri`.
    """
    member = zlib.decompressobj(GZIP_WINDOW)
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            if not begun:
                data = data.lstrip(b"\0")
                begun = bool(data)
                continue
            try:
                yield member.decompress(data, OUTPUT_BYTES)
            except zlib.error as error:
                raise InputError(f"{uri}: not a valid gzip file ({error}); repair it or remove the ending") from error
            data = member.unconsumed_tail or member.unused_data
            if member.eof:
                member, begun = zlib.decompressobj(GZIP_WINDOW), False
    if begun:
        raise InputError(f"{uri}: the gzip file ends early; upload it again")


def bunzip(chunks: Iterable[bytes], uri: str) -> Generator[bytes, None, None]:
    """Yield the decompressed bytes of `chunks`; streams follow each other.

    Raises:
        InputError: it is not bzip2, is corrupt, or ends early.
    """
    stream = bz2.BZ2Decompressor()
    begun = False
    for chunk in chunks:
        data = chunk
        while data or not stream.needs_input:
            try:
                yield stream.decompress(data, OUTPUT_BYTES)
            except (OSError, ValueError) as error:
                raise InputError(f"{uri}: not a valid bzip2 file ({error}); repair it or remove the ending") from error
            begun, data = True, b""
            if stream.eof:
                data, begun = stream.unused_data, False
                stream = bz2.BZ2Decompressor()
    if begun:
        raise InputError(f"{uri}: the bzip2 file ends early; upload it again")


def unzstd(chunks: Iterable[bytes], uri: str) -> Generator[bytes, None, None]:
    """Yield the decompressed bytes of `chunks`; frames follow each other.

    Raises:
        InputError: it is not zstd, is corrupt, or ends early.
    """
    import pyarrow as pa  # noqa: PLC0415 - only this compression needs it

    try:
        with pa.CompressedInputStream(pa.PythonFile(ChunkReader(chunks), mode="r"), "zstd") as stream:
            while data := stream.read(OUTPUT_BYTES):
                yield data
    except OSError as error:
        raise InputError(f"{uri}: not a valid zstd file ({error}); repair it or remove the ending") from error


class ChunkReader(io.RawIOBase):
    """Chunks as a file for reading."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; empty at the end."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


Decompress: TypeAlias = Callable[[Iterable[bytes], str], Generator[bytes, None, None]]

DECOMPRESSORS: dict[str, Decompress] = {
    ".gz": gunzip,
    ".bz2": bunzip,
    ".zst": unzstd,
}
"""Ending → a function that yields the decompressed bytes of chunks; the URI is for messages."""
