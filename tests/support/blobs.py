"""Shuffled data for tests: records to frames, blobs and back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from podreduce.encoding.blobs import BlobSummary, BlobWriter, read_footer, read_frames
from podreduce.encoding.codec import capture, decode_key, encode_key
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import StoredFrame
from podreduce.encoding.key_hash import hash_bucket
from podreduce.rows.combining import Combine
from podreduce.rows.map_buffer import MapOutputBuffer
from podreduce.rows.reduce_input import ReduceInput

Record = tuple[Any, Any]
PLENTY = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob's bytes, as an object store would hold them, and what the commit record says of it."""

    data: bytes
    summary: BlobSummary

    def frames(self, buckets: Iterable[int] | None = None) -> list[StoredFrame]:
        """All frames, or those of `buckets`, read as a reduce task does."""
        footer = read_footer(self.data[self.summary.footer_offset :], crc32=self.summary.footer_crc32)
        chosen = range(len(footer.offsets) - 1) if buckets is None else buckets
        return list(read_frames(footer, chosen, lambda start, end: self.data[start:end]))


def make_frames(records: Iterable[Record], *, frame_rows: int = 8192, bucket: int = 0) -> list[StoredFrame]:
    """A run of `records`, sorted by key; a frame ends after `frame_rows` values at the latest."""
    frames: list[StoredFrame] = []
    packer = FramePacker(lambda frame, *_: frames.append(frame))
    rows = sorted(((encode_key(key), capture(value)) for key, value in records), key=itemgetter(0))
    for start in range(0, len(rows), frame_rows):
        for key, group in groupby(rows[start : start + frame_rows], key=itemgetter(0)):
            packer.add_values(bucket, key, [value for _, value in group])
        packer.flush()
    return [*frames[:-1], *(replace(frame, ends_segment=True) for frame in frames[-1:])]


def make_map_output(
    records: Iterable[Record],
    *,
    scratch: Any,
    buckets: int = 4,
    budget_bytes: int = PLENTY,
    aggregation: str | None = None,
    combine: Combine | None = None,
    bucket_of: Callable[[bytes], int] | None = None,
) -> tuple[Blob, MapOutputBuffer]:
    """What a map task makes of `records`."""
    buffer = MapOutputBuffer(
        buckets=buckets,
        bucket_of=bucket_of or partial(hash_bucket, buckets=buckets),
        aggregation=aggregation,
        combine=combine,
        budget_bytes=budget_bytes,
        scratch_directory=str(scratch),
    )
    for key, value in records:
        buffer.add(key, value)
    data = bytearray()
    summary = buffer.finish(data.extend)
    return Blob(data=bytes(data), summary=summary), buffer


def make_blob(frames: Sequence[StoredFrame], *, buckets: int = 4) -> Blob:
    """A blob of `frames`."""
    data = bytearray()
    writer = BlobWriter(data.extend, buckets=buckets)
    for frame in frames:
        writer.append(frame)
    return Blob(summary=writer.finish(), data=bytes(data))


def read_groups(
    blobs: Iterable[Blob], *, scratch: Any, budget_bytes: int = PLENTY, buckets: Iterable[int] | None = None
) -> tuple[list[tuple[Any, list[Any]]], ReduceInput]:
    """What a reduce task hands to the program: each key with its values."""
    reduce_input = ReduceInput(budget_bytes=budget_bytes, scratch_directory=str(scratch))
    for blob in blobs:
        reduce_input.add_blob(blob.frames(buckets))
    return [(decode_key(key), list(values)) for key, values in reduce_input.groups()], reduce_input


def group_records(records: Iterable[Record]) -> list[tuple[Any, list[Any]]]:
    """The groups by other means: a dict and one sort. Keys must be of one type."""
    groups: dict[Any, list[Any]] = {}
    for key, value in records:
        groups.setdefault(key, []).append(value)
    return sorted(groups.items())
