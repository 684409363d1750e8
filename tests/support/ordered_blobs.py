"""Blobs in total order for tests, and what a partition reads of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from podreduce.encoding.blobs import BlobFooter, BlobWriter, Fetch, read_footer, read_range
from podreduce.encoding.clip import clip_frame
from podreduce.encoding.codec import decode_key
from podreduce.encoding.frames import HEADER_BYTES, StoredFrame, unpack_frame
from podreduce.encoding.key_range import KeyRange
from podreduce.encoding.key_sampler import KeySampler
from tests.support.blobs import Blob, Record, make_frames


def make_ordered_blob(
    records: Iterable[Record], *, frame_rows: int = 8192, key_elements: int | None = None, maps: int = 1, index: int = 0
) -> Blob:
    """What map `index` of `maps` maps writes in total order of `records`."""
    data = bytearray()
    writer = BlobWriter(data.extend, buckets=1, sampler=KeySampler(key_elements=key_elements, maps=maps, index=index))
    for stored in make_frames(records, frame_rows=frame_rows):
        frame = unpack_frame(stored)
        sizes = [len(frame.data(group)) for group in range(len(frame.keys))]
        writer.append(stored, frame.keys, sizes)
    return Blob(summary=writer.finish(), data=bytes(data))


def footer_of(blob: Blob) -> BlobFooter:
    return read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32)


def fetch_from(blob: Blob) -> Fetch:
    return lambda start, end: blob.data[start:end]


def frames_in(blob: Blob, key_range: KeyRange) -> list[StoredFrame]:
    return list(read_range(footer_of(blob), key_range, fetch_from(blob), clip_frame))


def records_in(frames: Sequence[StoredFrame]) -> list[tuple[Any, Any]]:
    """The records of frames, in their order."""
    opened = map(unpack_frame, frames)
    return [
        (decode_key(key), value)
        for frame in opened
        for group, key in enumerate(frame.keys)
        for value in frame.values(group)
    ]


def stored_bytes(frames: Sequence[StoredFrame]) -> int:
    return sum(HEADER_BYTES + len(frame.body) for frame in frames)
