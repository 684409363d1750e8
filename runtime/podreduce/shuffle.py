"""Blobs: a map attempt's whole output in one object, and reading the buckets one reduce task wants of it.

    +--------+--------+-----+--------+----------------------------------------+
    | frame  | frame  | ... | frame  | footer                                 |
    | bucket 0 ....... | ... | bucket B-1      | magic B, bytes of each bucket  |
    +--------+--------+-----+--------+----------------------------------------+
    0        segments, one after another      footer_offset                   blob.bytes

Frames (see frames) lie in bucket order, sorted by key within a bucket: its segment. The footer, whose offset and
CRC stand in the commit record, holds nothing but each segment's size; the frames describe themselves, so a spill
file is read the same way. Every byte is under a CRC, from the map to the reduce. Rule: no input or output here, only
the callables `write(bytes)` and `fetch(start, end)`.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from podreduce.frames import HEADER_BYTES, CorruptBlobError, StoredFrame, check_frame, parse_header

__all__ = ["BlobFooter", "BlobSummary", "BlobWriter", "CorruptBlobError", "Fetch", "read_footer", "read_frames"]

MAGIC: Final = b"PRBLOB01"
REQUEST_BYTES: Final = 8 << 20
"""What one ranged read asks for at most (a larger frame takes several)."""
GAP_BYTES: Final = 128 << 10
"""Ranges this near are read together: on S3 a request costs about as much as that many bytes."""

Fetch = Callable[[int, int], bytes | memoryview]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSummary:
    """What a commit record says of a blob (see BlobRef): its size, its footer, the stored bytes of each bucket."""

    bytes: int
    footer_offset: int
    footer_crc32: int
    bucket_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFooter:
    """Where each bucket's segment lies: bucket b is bytes `offsets[b]` to `offsets[b + 1]`."""

    offsets: tuple[int, ...]


class BlobWriter:
    """Writes frames in bucket order, then the footer. The caller closes what is behind `write`."""

    __slots__ = ("_bucket", "_bucket_bytes", "_write")

    def __init__(self, write: Callable[[bytes], object], *, buckets: int) -> None:
        self._write = write
        self._bucket_bytes = array("Q", bytes(8 * buckets))
        self._bucket = 0

    def append(self, frame: StoredFrame) -> None:
        """Write one frame.

        Raises:
            ValueError: its bucket comes before that of the frame before, or there is no such bucket.
        """
        if not self._bucket <= frame.bucket < len(self._bucket_bytes):
            raise ValueError(f"a frame of bucket {frame.bucket} cannot follow one of {self._bucket}")
        self._bucket = frame.bucket
        self._bucket_bytes[frame.bucket] += HEADER_BYTES + len(frame.body)
        self._write(frame.header() + frame.body)

    def footer(self) -> BlobFooter:
        """Return where the segments written so far lie."""
        return BlobFooter(offsets=tuple(accumulate(self._bucket_bytes, initial=0)))

    def finish(self) -> BlobSummary:
        """Write the footer."""
        footer = MAGIC + self._bucket_bytes.tobytes()
        self._write(footer)
        offset = sum(self._bucket_bytes)
        return BlobSummary(
            bytes=offset + len(footer),
            footer_offset=offset,
            footer_crc32=zlib.crc32(footer),
            bucket_bytes=tuple(self._bucket_bytes),
        )


def read_footer(data: bytes | memoryview, *, crc32: int) -> BlobFooter:
    """Read what a blob holds from `footer_offset` on.

    Raises:
        CorruptBlobError: this is not what was written.
    """
    if zlib.crc32(data) != crc32 or bytes(data[: len(MAGIC)]) != MAGIC:
        raise CorruptBlobError(f"the footer ({len(data)} bytes) fails its CRC")
    return BlobFooter(offsets=tuple(accumulate(memoryview(data)[len(MAGIC) :].cast("Q"), initial=0)))


def read_frames(
    footer: BlobFooter, buckets: Iterable[int], fetch: Fetch, *, request_bytes: int = REQUEST_BYTES
) -> Iterator[StoredFrame]:
    """Yield the frames of `buckets` (ascending), each checked.

    Args:
        footer: the blob's.
        buckets: which segments; empty ones cost nothing.
        fetch: returns those bytes of the blob, as anything with a buffer; asked in ascending order for ranges that
            are never empty nor longer than `request_bytes`. Near segments come in one request.
        request_bytes: bounds what is held in memory, beside a frame.

    Raises:
        CorruptBlobError: what `fetch` returned is not what was written.
    """
    ranges = [(footer.offsets[bucket], footer.offsets[bucket + 1]) for bucket in buckets]
    ranges = [(start, end) for start, end in ranges if start < end]
    window = Window(fetch, plan_requests(ranges, request_bytes))
    for start, end in ranges:
        at = start
        while at < end:
            frame_end = at + HEADER_BYTES
            if frame_end <= end:
                header = window.take(at, frame_end)
                frame_end += parse_header(header).stored_bytes
            if frame_end > end:
                raise CorruptBlobError(f"the frame at byte {at} ends after its segment, at {frame_end}")
            body = window.take(at + HEADER_BYTES, frame_end)
            yield check_frame(header, body, ends_segment=frame_end == end)
            at = frame_end


def plan_requests(ranges: Iterable[tuple[int, int]], request_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the requests that cover `ranges` (ascending): near ones joined, long ones cut."""
    spans: list[tuple[int, int]] = []
    for start, end in ranges:
        near = spans and start - spans[-1][1] <= GAP_BYTES and end - spans[-1][0] <= request_bytes
        if near:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    for first, last in spans:
        for start in range(first, last, request_bytes):
            yield start, min(start + request_bytes, last)


class Window:
    """The request at hand: hands out ascending ranges, fetching the next request when one goes beyond."""

    __slots__ = ("_data", "_fetch", "_requests", "_start")

    def __init__(self, fetch: Fetch, requests: Iterator[tuple[int, int]]) -> None:
        self._fetch = fetch
        self._requests = requests
        self._start = 0
        self._data = memoryview(b"")

    def take(self, start: int, end: int) -> bytes:
        """Return the bytes of a range that the requests cover."""
        pieces = []
        while start < end:
            if start >= self._start + len(self._data):
                self._advance()
                continue
            piece = self._data[start - self._start : end - self._start]
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def _advance(self) -> None:
        """Fetch the next request."""
        self._data = memoryview(b"")
        self._start, end = next(self._requests)
        self._data = memoryview(self._fetch(self._start, end)).cast("B")
        if len(self._data) != end - self._start:
            raise CorruptBlobError(
                f"bytes {self._start} to {end} were asked for and {len(self._data)} came: the blob is cut short"
            )
