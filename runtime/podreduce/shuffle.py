"""Blobs: a map attempt's whole output in one object."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from podreduce.frames import StoredFrame

__all__ = ["BlobFooter", "BlobSummary", "BlobWriter", "CorruptBlobError", "read_footer", "read_frames"]


class CorruptBlobError(Exception):
    """A blob is not what was written; the reduce task turns it into MapOutputLostError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSummary:
    """What a commit record says of a blob (see BlobRef): its size, its footer, the stored bytes per bucket."""

    bytes: int
    footer_offset: int
    footer_crc32: int
    bucket_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFooter:
    """Where each bucket's segment lies: bucket b is bytes `offsets[b]` to `offsets[b + 1]`."""

    offsets: tuple[int, ...]


class BlobWriter:
    """Writes frames in bucket order, then the footer. `write` takes bytes; the caller closes what is behind it."""

    def __init__(self, write: Callable[[bytes], object], *, buckets: int) -> None:
        raise NotImplementedError

    def append(self, frame: StoredFrame) -> None:
        """Write one frame; buckets must not decrease."""
        raise NotImplementedError

    def finish(self) -> BlobSummary:
        """Write the footer."""
        raise NotImplementedError


def read_footer(data: bytes, *, crc32: int) -> BlobFooter:
    """Read the blob's bytes from `footer_offset` to the end. Raises CorruptBlobError."""
    raise NotImplementedError


def read_frames(
    footer: BlobFooter, buckets: Iterable[int], fetch: Callable[[int, int], bytes]
) -> Iterator[StoredFrame]:
    """Yield the frames of `buckets` (ascending), verified. Raises CorruptBlobError.

    `fetch(start, end)` returns those bytes of the blob (any object with a buffer); near ranges are fetched
    together, in requests of at most 8 MiB, never an empty one.
    """
    raise NotImplementedError
