"""The map side's buffer: groups records, combines them, spills sorted runs, merges them into the blob."""

from collections.abc import Callable
from typing import Any

from podreduce.shuffle import BlobSummary

__all__ = ["MapOutputBuffer"]


class MapOutputBuffer:
    """Collects a map task's records.

    Args:
        buckets: how many virtual buckets there are.
        bucket_of: encoded key -> bucket; called at least once per distinct key, never per record.
        combine: (encoded key, decoded values in order) -> encoded values; may run never or repeatedly on parts of
            a key's values, in order. What it raises goes through `add` and `finish` unchanged.
        budget_bytes: what may be held in memory (memory.buffer_budget_bytes).
        scratch_directory: where runs are spilled; unlinked files, nothing to clean up.

    Attributes:
        records, groups... spills: how many runs were spilled.
    """

    records: int
    spills: int

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        combine: Callable[[bytes, list[Any]], list[bytes]] | None,
        budget_bytes: int,
        scratch_directory: str,
    ) -> None:
        raise NotImplementedError

    def add(self, key: object, value: object) -> None:
        """Take one record; captures it as it is now. Raises UnsupportedTypeError, ScratchFullError."""
        raise NotImplementedError

    def finish(self, write: Callable[[bytes], object]) -> BlobSummary:
        """Write everything as a blob to `write`. Raises ScratchFullError."""
        raise NotImplementedError
