"""Cuts a frame to the keys of a range: a partition in total order may begin and end within a frame. Rule: pure."""

from podreduce.encoding.frames import Frame, StoredFrame, pack_frame, pack_ones, unpack_frame
from podreduce.encoding.key_range import KeyRange

__all__ = ["clip_frame"]


def clip_frame(stored: StoredFrame, key_range: KeyRange) -> StoredFrame | None:
    """Return the groups of `stored` whose keys are in the range, as a frame; None if it has none."""
    frame = unpack_frame(stored)
    start, end = key_range.slice(frame.keys)
    if start >= end:
        return None
    if end - start == len(frame.keys):
        return stored
    keys = frame.keys[start:end]
    if isinstance(frame, Frame):
        data = [frame.data(group) for group in range(start, end)]
        return pack_frame(stored.bucket, keys, frame.counts[start:end], data)
    return pack_ones(stored.bucket, keys, frame.ones[start:end])
