"""Frames: the unit of shuffled data in blobs and in spill files."""

from dataclasses import dataclass

__all__ = ["StoredFrame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """A frame as it is stored: a sorted piece of one virtual bucket.

    Attributes:
        groups: distinct keys; `rows` is the number of values.
        raw_bytes: size before compression.
        body: the stored bytes.
    """

    bucket: int
    groups: int
    rows: int
    raw_bytes: int
    flags: int
    body: bytes
