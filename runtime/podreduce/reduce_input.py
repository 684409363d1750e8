"""The reduce side's buffer: takes blobs in map order, hands out groups in key order."""

from collections.abc import Iterable, Iterator
from typing import Any

from podreduce.frames import StoredFrame

__all__ = ["ReduceInput"]


class ReduceInput:
    """Collects a partition's segments and merges them.

    Attributes:
        spills: how many runs were spilled to scratch; `records` and `bytes` (stored) taken so far.
    """

    records: int
    bytes: int
    spills: int

    def __init__(self, *, budget_bytes: int, scratch_directory: str) -> None:
        raise NotImplementedError

    def add_blob(self, frames: Iterable[StoredFrame]) -> None:
        """Take one map output's frames (`shuffle.read_frames`). Call in map index order. Raises ScratchFullError."""
        raise NotImplementedError

    def groups(self) -> Iterator[tuple[bytes, Iterator[Any]]]:
        """Yield (encoded key, decoded values) in key order, once; values come in (map index, position) order.

        The values must be consumed before the next group is asked for; what is left is skipped.
        """
        raise NotImplementedError
