"""The map task's buffer: takes records, combines or aggregates them, spills sorted runs, merges all into the blob.

`row_stores` holds the records. This module decides when memory is short and what is written.
"""

from collections.abc import Callable, Sequence
from typing import Final

from podreduce.encoding.blobs import BlobSummary, BlobWriter
from podreduce.encoding.codec import Key, Value, decode_key
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import StoredFrame
from podreduce.encoding.heavy_keys import HeavyKeys
from podreduce.encoding.key_sampler import KeySampler
from podreduce.rows.combining import Combine, Combiner, aggregating
from podreduce.rows.row_stores import Aggregates, ListGroups
from podreduce.rows.runs import RunStack, RunWriter, pack_group

__all__ = ["MapOutputBuffer"]

COMBINE_BYTES: Final = 64 << 20
"""Groups are combined in memory at this size even if more is allowed: short lists stay in the CPU's cache."""
STEP_BYTES: Final = 1 << 20
"""Memory is granted in steps of this size, or 1/64 of the budget if that is less."""


class MapOutputBuffer:
    """Collects a map task's records and writes them as one blob.

    Args:
        buckets: how many virtual buckets there are.
        bucket_of: encoded key → its bucket; called a few times per distinct key and run.
        aggregation: which aggregate of a key's values is kept, of `aggregations.AGGREGATIONS`; None keeps all values.
        combine: see `combining.Combine`, or None.
        sampler: samples the keys of a blob in total order, or None.
        key_elements: how many elements of a tuple make a key when the heaviest are counted; None: all.
        budget_bytes: how many bytes may be held in memory (`memory.buffer_budget_bytes`).
        scratch_directory: where runs are spilled.

    `add` and `finish` pass on the errors of `bucket_of` and `combine` unchanged.

    Attributes:
        store: holds the records; fused functions put records there directly, see `fusion`.
        spills: how many runs were spilled.
        heavy_keys: the heaviest keys, once the blob is written.
    """

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        budget_bytes: int,
        scratch_directory: str,
        aggregation: str | None = None,
        combine: Combine | None = None,
        sampler: KeySampler | None = None,
        key_elements: int | None = None,
    ) -> None:
        self._buckets = buckets
        self._bucket_of = bucket_of
        self._sampler = sampler
        self._combiner = Combiner(combine) if combine else None
        self._aggregates = aggregation is not None
        self._budget_bytes = budget_bytes
        self._directory = scratch_directory
        self._pack = (
            aggregating(aggregation) if aggregation else self._combiner.pack_group if self._combiner else pack_group
        )
        self._runs = RunStack(buckets=buckets, budget_bytes=budget_bytes, directory=scratch_directory, pack=self._pack)
        self._step_bytes = min(STEP_BYTES, budget_bytes // 64)
        self._granted_bytes = 0
        self._limit_bytes = self._next_limit(0)
        self.store: Aggregates | ListGroups = (
            Aggregates(aggregation, self.grant) if aggregation else ListGroups(self.grant)
        )
        self.spills = 0
        self.heavy_keys = HeavyKeys(key_elements=key_elements)

    @property
    def records(self) -> int:
        """How many records were added."""
        return self.store.records

    @property
    def combined_in(self) -> int:
        """How many values were offered to the combiner."""
        return self._combiner.rows_in if self._combiner else 0

    @property
    def combined_out(self) -> int:
        """How many values the combiner left."""
        return self._combiner.rows_out if self._combiner else 0

    def add(self, key: Key, value: Value) -> None:
        """Add one record as it is now.

        Raises:
            UnsupportedTypeError: the key or the value has an unsupported type.
            AggregationError: the values of this key cannot be aggregated.
            ScratchFullError: the scratch volume has no space for a spill.
        """
        self.store.add(key, value)

    def grant(self, missing_bytes: int) -> int:
        """Grant the store the missing bytes and some more, after making space if necessary; return the surplus."""
        self._granted_bytes += missing_bytes + self._step_bytes
        if self._granted_bytes > self._limit_bytes:
            self._make_room()
        return self._step_bytes

    def finish(self, write: Callable[[bytes], object]) -> BlobSummary:
        """Write everything as a blob to `write`; call it once, last.

        Raises:
            ScratchFullError: the scratch volume has no space for a spill.
        """
        self.store.settle()
        self._combine_groups()
        blob = BlobWriter(write, buckets=self._buckets, sampler=self._sampler)

        def append(frame: StoredFrame, keys: Sequence[bytes], counts: Sequence[int], sizes: Sequence[int]) -> None:
            blob.append(frame, keys, sizes)
            if not self._aggregates:  # otherwise all keys weigh the same
                self.heavy_keys.add_frame(frame.bucket, keys, counts, sizes)

        packer = FramePacker(append)
        if len(self._runs):
            self._spill()
            self._write_merged(packer)
        else:
            self.store.write(packer, self._buckets, self._bucket_of)
        packer.flush()
        return blob.finish()

    def _make_room(self) -> None:
        """Combine; if that does not free half the budget, spill."""
        self._combine_groups()
        used_bytes = self.store.used_bytes()
        if used_bytes > self._budget_bytes // 2:
            self._spill()
            used_bytes = 0
        self._granted_bytes = used_bytes + self._step_bytes
        self._limit_bytes = self._next_limit(used_bytes)

    def _next_limit(self, used_bytes: int) -> int:
        """Return the size at which to combine or spill next."""
        if self._combiner and self._combiner.pays:
            return min(self._budget_bytes, max(COMBINE_BYTES, 2 * used_bytes))
        return self._budget_bytes

    def _combine_groups(self) -> None:
        """Combine every group in place, as long as that pays."""
        if not self._combiner or not isinstance(self.store, ListGroups):
            return
        for key, values in self.store.groups():
            if not self._combiner.pays:
                return
            values[:] = self._combiner.combine(decode_key(key) if type(key) is bytes else key, values)

    def _spill(self) -> None:
        """Write all groups, if there are any, as a run."""
        if self.store.is_empty:
            return
        writer = RunWriter(self._directory, buckets=self._buckets)
        self.store.write(writer.packer, self._buckets, self._bucket_of)
        self._runs.push(writer.finish())
        self.spills += 1

    def _write_merged(self, packer: FramePacker) -> None:
        """Write the spilled runs in (bucket, key) order."""
        self._runs.settle()
        for bucket in range(self._buckets):
            for key, pieces in self._runs.groups(bucket):
                self._pack(packer, bucket, key, pieces)
        self._runs.close()
