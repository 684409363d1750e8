"""Compresses output as it streams: one gzip member, bzip2 stream or zstd frame per part.

Rule: pure, and deterministic: equal input bytes give equal output bytes, for any blocks; gzip stores no time.
"""

import bz2
import zlib
from collections.abc import Callable
from typing import Protocol

from podreduce.storage import Blocks, Data

__all__ = ["COMPRESSIONS", "compress"]

GZIP_WINDOW = 16 + zlib.MAX_WBITS
GZIP_LEVEL = 6
BZIP2_LEVEL = 9


class Compressor(Protocol):
    """The interface of the standard library's compressors."""

    def compress(self, data: Data, /) -> bytes:
        """Take some bytes; return the compressed bytes that are ready."""

    def flush(self) -> bytes:
        """Return the rest."""


class ZstdCompressor:
    """zstd with that interface, by Arrow, at its level 1."""

    def __init__(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and few outputs need it

        self._sink = ListSink()
        self._stream = pa.CompressedOutputStream(pa.PythonFile(self._sink, mode="w"), "zstd")

    def compress(self, data: Data, /) -> bytes:
        """Take some bytes; return the compressed bytes that are ready."""
        self._stream.write(data)
        return self._sink.take()

    def flush(self) -> bytes:
        """Return the rest."""
        self._stream.close()
        return self._sink.take()


class ListSink:
    """A file for Arrow to write into."""

    def __init__(self) -> None:
        self.closed = False
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` returns everything."""

    def close(self) -> None:
        """Accept no more bytes."""
        self.closed = True

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


COMPRESSIONS: dict[str, Callable[[], Compressor] | None] = {
    "None": None,
    "Gzip": lambda: zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW),
    "Bzip2": lambda: bz2.BZ2Compressor(BZIP2_LEVEL),
    "Zstd": ZstdCompressor,
}


def compress(blocks: Blocks, compression: str) -> Blocks:
    """Yield `blocks` compressed as `spec.output.compression` says."""
    build = COMPRESSIONS[compression]
    if build is None:
        yield from blocks
        return
    compressor = build()
    for block in blocks:
        if ready := compressor.compress(block):
            yield ready
    yield compressor.flush()
