"""Blobs: a map attempt's whole output in one object; a reduce task reads only the buckets it needs.

    +--------+--------+-----+--------+----------------------------------------+
    | frame  | frame  | ... | frame  | footer                                 |
    | bucket 0 ....... | ... | bucket B-1      | magic B, bytes of each bucket  |
    +--------+--------+-----+--------+----------------------------------------+
    0        segments, one after another      footer_offset                   blob.bytes

Frames (see frames) are in bucket order. A bucket's frames, sorted by key, are its segment. The footer's offset and CRC
are in the commit record. The footer holds only each segment's size, because the frames describe themselves; so a spill
file is read the same way. A blob in total order has one bucket, and an index of keys after its size (see key_index).
A CRC covers every byte from the map to the reduce. Rule: no input or output here, only the callables `write(bytes)`
and `fetch(start, end)`; and no knowledge of a frame's content.
"""

import struct
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

from podreduce.contract.task import KeySample
from podreduce.contract.texts import render_count
from podreduce.encoding.frames import HEADER_BYTES, CorruptBlobError, StoredFrame, check_frame, parse_header
from podreduce.encoding.key_index import KeyIndex
from podreduce.encoding.key_range import MAX_CUT_BYTES, KeyRange
from podreduce.encoding.key_sampler import KeySampler

__all__ = [
    "BlobFooter",
    "BlobSummary",
    "BlobWriter",
    "Clip",
    "CorruptBlobError",
    "Fetch",
    "Place",
    "Window",
    "plan_requests",
    "read_footer",
    "read_frames",
    "read_places",
    "read_range",
]

MAGIC: Final = b"PRBLOB01"
MAGIC_ORDERED: Final = b"PRBLOBT1"
ORDERED: Final = struct.Struct("<QQ")
"""In total order: the segment's size and the number of index entries, before the index."""
MAX_INDEX_ENTRIES: Final = 4096
"""Every k-th frame is in the index; k is the least power of two that keeps to this limit."""
REQUEST_BYTES: Final = 8 << 20
"""What one ranged read asks for at most (a larger frame takes several)."""
LARGE_BODY_BYTES: Final = 512 << 10
"""A frame with a larger body is written in two pieces, to avoid a copy of the body behind its header."""
GAP_BYTES: Final = 128 << 10
"""Ranges this near each other are read together: on S3 a request costs about as much as that many bytes."""

Fetch: TypeAlias = Callable[[int, int], bytes | memoryview]

Clip: TypeAlias = Callable[[StoredFrame, KeyRange], StoredFrame | None]
"""Cuts a frame to a range of keys; None if it has none of them (see clip)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSummary:
    """What a commit record says about a blob (see BlobRef): its size, its footer, the stored bytes of each bucket.

    Attributes:
        key_samples: only for a blob in total order; see CommitRecord.
    """

    bytes: int
    footer_offset: int
    footer_crc32: int
    bucket_bytes: tuple[int, ...]
    key_samples: tuple[KeySample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFooter:
    """Where each bucket's segment lies: bucket b is bytes `offsets[b]` to `offsets[b + 1]`.

    Attributes:
        index: only for a blob in total order.
    """

    offsets: tuple[int, ...]
    index: KeyIndex | None = None

    def range_bytes(self, key_range: KeyRange) -> int:
        """Return how many bytes to read for a range of keys, in a blob in total order."""
        start, end = self.ordered().overlap(key_range)
        return self.ordered().offsets[end] - self.ordered().offsets[start]

    def ordered(self) -> KeyIndex:
        """Return the index.

        Raises:
            CorruptBlobError: the blob was not written in total order, so it has no index.
        """
        if self.index is None:
            raise CorruptBlobError("the blob has no index of keys")
        return self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where neighbouring buckets are in a blob: `buckets` are the first and the one after the last."""

    buckets: tuple[int, int]
    start: int
    end: int


class BlobWriter:
    """Writes frames in bucket order, then the footer. The caller closes the target of `write`.

    Args:
        write: takes the bytes, in order.
        buckets: how many buckets there are.
        sampler: only for a blob in total order, which has one bucket: takes samples of its keys.
    """

    __slots__ = ("_bucket", "_bucket_bytes", "_frames", "_index", "_sampler", "_stride", "_write")

    def __init__(self, write: Callable[[bytes], object], *, buckets: int, sampler: KeySampler | None = None) -> None:
        if sampler and buckets != 1:
            raise ValueError(f"a blob in total order has one bucket, not {buckets}")
        self._write = write
        self._bucket_bytes = array("Q", bytes(8 * buckets))
        self._bucket = 0
        self._sampler = sampler
        self._index: list[tuple[bytes, int]] = []
        self._frames = 0
        self._stride = 1

    @property
    def samples_keys(self) -> bool:
        """Whether `append` needs keys: only in total order."""
        return self._sampler is not None

    def append(self, frame: StoredFrame, keys: Sequence[bytes] = (), sizes: Sequence[int] | None = None) -> None:
        """Write one frame.

        Args:
            frame: the frame.
            keys: in total order, encoded keys of the frame, ascending: at least the first, better all of them.
            sizes: the bytes of the values of each of `keys`, if known.

        Raises:
            ValueError: its bucket is before the last frame's, or does not exist.
        """
        if not self._bucket <= frame.bucket < len(self._bucket_bytes):
            raise ValueError(f"a frame of bucket {frame.bucket} cannot follow one of {self._bucket}")
        stored_bytes = HEADER_BYTES + len(frame.body)
        if self._sampler:
            self._sampler.add(stored_bytes, keys, sizes)
            self._add_to_index(keys[0])
        self._bucket = frame.bucket
        self._bucket_bytes[frame.bucket] += stored_bytes
        if len(frame.body) < LARGE_BODY_BYTES:
            self._write(frame.header() + frame.body)
        else:
            self._write(frame.header())
            self._write(frame.body)

    def footer(self) -> BlobFooter:
        """Return where the segments written so far are."""
        offsets = tuple(accumulate(self._bucket_bytes, initial=0))
        if not self._sampler:
            return BlobFooter(offsets=offsets)
        places = tuple(offset for _, offset in self._index)
        index = KeyIndex(keys=tuple(key for key, _ in self._index), offsets=(*places, offsets[-1]))
        return BlobFooter(offsets=offsets, index=index)

    def finish(self) -> BlobSummary:
        """Write the footer."""
        footer = encode_footer(self.footer())
        self._write(footer)
        offset = sum(self._bucket_bytes)
        return BlobSummary(
            bytes=offset + len(footer),
            footer_offset=offset,
            footer_crc32=zlib.crc32(footer),
            bucket_bytes=tuple(self._bucket_bytes),
            key_samples=self._sampler.samples() if self._sampler else (),
        )

    def _add_to_index(self, first_key: bytes) -> None:
        """Add the start of the next frame; if the index is full, drop every other entry."""
        if self._frames % self._stride == 0:
            if len(self._index) == MAX_INDEX_ENTRIES:
                self._index = self._index[::2]
                self._stride *= 2
            self._index.append((first_key[:MAX_CUT_BYTES], self._bucket_bytes[0]))
        self._frames += 1


def encode_footer(footer: BlobFooter) -> bytes:
    """Encode a footer for `read_footer`."""
    if footer.index is None:
        sizes = array("Q", (end - start for start, end in pairwise(footer.offsets)))
        return MAGIC + sizes.tobytes()
    return MAGIC_ORDERED + ORDERED.pack(footer.offsets[-1], len(footer.index.keys)) + footer.index.encode()


def read_footer(data: bytes | memoryview, *, crc32: int) -> BlobFooter:
    """Read a blob's bytes from `footer_offset` on.

    Raises:
        CorruptBlobError: `data` is not what was written.
    """
    magic, rest = bytes(data[: len(MAGIC)]), memoryview(data)[len(MAGIC) :]
    if zlib.crc32(data) != crc32 or magic not in (MAGIC, MAGIC_ORDERED):
        raise CorruptBlobError(f"the footer ({render_count(len(data), 'byte')}) fails its CRC")
    if magic == MAGIC:
        return BlobFooter(offsets=tuple(accumulate(rest.cast("Q"), initial=0)))
    size, entries = ORDERED.unpack(rest[: ORDERED.size])
    return BlobFooter(offsets=(0, size), index=KeyIndex.decode(rest[ORDERED.size :], entries))


def read_frames(
    footer: BlobFooter, buckets: Iterable[int], fetch: Fetch, *, request_bytes: int = REQUEST_BYTES
) -> Iterator[StoredFrame]:
    """Yield the frames of `buckets` (ascending), each checked.

    Args:
        footer: the blob's.
        buckets: which segments; empty ones cost nothing.
        fetch: returns those bytes of the blob, as anything with a buffer. It is called in ascending order; a range is
            never empty and never longer than `request_bytes`. Near segments come in one request.
        request_bytes: limits how much is held in memory, besides a frame.

    Raises:
        CorruptBlobError: what `fetch` returned is not what was written.
    """
    ranges = [(footer.offsets[bucket], footer.offsets[bucket + 1]) for bucket in buckets]
    for _, frame in walk_frames([(start, end) for start, end in ranges if start < end], fetch, request_bytes):
        yield frame


def read_places(places: Iterable[Place], fetch: Fetch, *, request_bytes: int = REQUEST_BYTES) -> Iterator[StoredFrame]:
    """Yield the frames of whole segments at known places, ascending, each checked; see `read_frames`.

    Raises:
        CorruptBlobError: a place does not hold these segments.
    """
    places = [place for place in places if place.start < place.end]
    last: StoredFrame | None = None
    waiting, place_end, end_bucket = iter(places), 0, 0
    for at, frame in walk_frames([(place.start, place.end) for place in places], fetch, request_bytes):
        least = frame.bucket if last is None else last.bucket
        if at >= place_end:
            place = next(waiting)
            (least, end_bucket), place_end = place.buckets, place.end
        if not least <= frame.bucket < end_bucket:
            raise CorruptBlobError(
                f"the frame at byte {at} is of bucket {frame.bucket}, not of {least} to {end_bucket}"
            )
        if last:
            yield last if last.bucket == frame.bucket else replace(last, ends_segment=True)
        last = frame
    if last:
        yield replace(last, ends_segment=True)


def read_range(
    footer: BlobFooter, key_range: KeyRange, fetch: Fetch, clip: Clip, *, request_bytes: int = REQUEST_BYTES
) -> Iterator[StoredFrame]:
    """Yield the frames of a range of keys, as one segment, from a blob in total order.

    Args:
        footer: the blob's.
        key_range: which keys; if the blob has none of them, nothing is fetched.
        fetch: see `read_frames`.
        clip: cuts the frames at both ends.
        request_bytes: see `read_frames`.

    Raises:
        CorruptBlobError: see `read_frames`; or the blob is not in total order.
    """
    index = footer.ordered()
    first, end = index.overlap(key_range)
    if first == end:
        return
    inner_start, inner_end = index.offsets[first + 1], index.offsets[end - 1]
    last: StoredFrame | None = None
    for at, stored in walk_frames([(index.offsets[first], index.offsets[end])], fetch, request_bytes):
        frame = stored if inner_start <= at < inner_end else clip(stored, key_range)
        if frame and last:
            yield last
        last = frame or last
    if last:
        yield replace(last, ends_segment=True)


def walk_frames(
    ranges: Sequence[tuple[int, int]], fetch: Fetch, request_bytes: int
) -> Iterator[tuple[int, StoredFrame]]:
    """Yield the frames in these ranges, each checked and after its offset. The last frame of a range ends a segment."""
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
            yield at, check_frame(header, body, ends_segment=frame_end == end)
            at = frame_end


def plan_requests(ranges: Iterable[tuple[int, int]], request_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the requests that cover `ranges` (ascending): near ranges are joined, long ones cut."""
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
    """The current request's bytes: hands out ascending ranges, and fetches the next request if a range goes beyond."""

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
