"""The map side's buffer: groups records as they come, combines them, spills sorted runs, merges all into the blob.

A record costs one dict look-up. Only distinct keys are encoded, hashed and sorted, and not before they are written;
values are encoded at once, because the program may change a list after it yielded it.
"""

from collections.abc import Callable, Iterator
from operator import itemgetter
from sys import getsizeof
from typing import Final

from podreduce.codec import SMALL_INTS, Key, Value, encode_key, encode_value
from podreduce.combine import Combine, Combiner
from podreduce.frame_packing import FramePacker
from podreduce.runs import RunStack, RunWriter, pack_group
from podreduce.shuffle import BlobSummary, BlobWriter

__all__ = ["MapOutputBuffer"]

GROUP_BYTES: Final = 200
"""What a group takes beside its key: its share of the dict, its list with room for four values."""
VALUE_BYTES: Final = 50
"""What a value takes beside its own bytes: header, rounding, its place in the list."""
SHARED_VALUE_BYTES: Final = 9
"""What a small int takes: its place in the list."""
COMBINE_BYTES: Final = 64 << 20
"""Groups are combined in memory at this size even if more is allowed: short lists stay in the processor's cache."""


class MapOutputBuffer:
    """Collects a map task's records and writes them as one blob.

    Args:
        buckets: how many virtual buckets there are.
        bucket_of: encoded key → its bucket; called a few times per distinct key and run.
        combine: see `combine.Combine`, or None.
        budget_bytes: how much may be held in memory (`memory.buffer_budget_bytes`).
        scratch_directory: where runs are spilled to.

    What `bucket_of` and `combine` raise comes out of `add` and `finish` as it is.

    Attributes:
        records: how many were added; `spills` is how many runs of them were spilled.
        combined_in: how many values were offered to the combiner; `combined_out` is what it left of them.
    """

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        combine: Combine | None,
        budget_bytes: int,
        scratch_directory: str,
    ) -> None:
        self._buckets = buckets
        self._bucket_of = bucket_of
        self._combiner = Combiner(combine) if combine else None
        self._budget_bytes = budget_bytes
        self._directory = scratch_directory
        self._runs = RunStack(
            buckets=buckets,
            budget_bytes=budget_bytes,
            directory=scratch_directory,
            pack=self._combiner.pack_group if self._combiner else pack_group,
        )
        self._texts: dict[str, list[bytes]] = {}
        self._others: dict[bytes, list[bytes]] = {}
        self._used_bytes = 0
        self._limit_bytes = self._next_limit(0)
        self.records = 0
        self.spills = 0

    @property
    def combined_in(self) -> int:
        """How many values were offered to the combiner."""
        return self._combiner.rows_in if self._combiner else 0

    @property
    def combined_out(self) -> int:
        """How many values the combiner left."""
        return self._combiner.rows_out if self._combiner else 0

    def add(self, key: Key, value: Value) -> None:
        """Take one record as it is now.

        Raises:
            UnsupportedTypeError: the key or the value cannot travel.
            ScratchFullError: there was no room to spill.
        """
        if type(value) is int and 0 <= value < 256:  # noqa: PLR2004 - len(SMALL_INTS)
            data, size = SMALL_INTS[value], SHARED_VALUE_BYTES
        else:
            data = encode_value(value)
            size = len(data) + VALUE_BYTES
        # Only str is its own dict key: of the others 1, 1.0 and True would be one.
        if type(key) is str:
            values = self._texts.get(key)
            if values is None:
                self._texts[key] = values = []
                size += getsizeof(key) + GROUP_BYTES
        else:
            encoded = encode_key(key)
            values = self._others.get(encoded)
            if values is None:
                self._others[encoded] = values = []
                size += getsizeof(encoded) + GROUP_BYTES
        values.append(data)
        self.records += 1
        self._used_bytes += size
        if self._used_bytes > self._limit_bytes:
            self._make_room()

    def finish(self, write: Callable[[bytes], object]) -> BlobSummary:
        """Write everything as a blob to `write`; call it once, last.

        Raises:
            ScratchFullError: there was no room to spill.
        """
        self._combine_groups()
        blob = BlobWriter(write, buckets=self._buckets)
        packer = FramePacker(blob.append)
        if len(self._runs):
            if self._used_bytes:
                self._spill()
            self._write_merged(packer)
        else:
            self._write_groups(packer)
        packer.flush()
        return blob.finish()

    def _make_room(self) -> None:
        """Combine; where that does not leave half the budget free, spill."""
        self._combine_groups()
        if self._used_bytes > self._budget_bytes // 2:
            self._spill()
        self._limit_bytes = self._next_limit(self._used_bytes)

    def _next_limit(self, used_bytes: int) -> int:
        """Return at what size to combine or spill next."""
        if self._combiner and self._combiner.pays:
            return min(self._budget_bytes, max(COMBINE_BYTES, 2 * used_bytes))
        return self._budget_bytes

    def _combine_groups(self) -> None:
        """Combine every group in its place, as long as that pays."""
        combiner, used_bytes = self._combiner, 0
        if not combiner:
            return
        for encoded, values in self._encoded_groups():
            if not combiner.pays:
                return
            values[:] = combiner.combine(encoded, values)
            used_bytes += GROUP_BYTES + getsizeof(encoded) + sum(map(len, values)) + VALUE_BYTES * len(values)
        self._used_bytes = used_bytes

    def _encoded_groups(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield all encoded keys with their values, in no order."""
        yield from ((encode_key(text), values) for text, values in self._texts.items())
        yield from self._others.items()

    def _spill(self) -> None:
        """Write all groups as a run."""
        writer = RunWriter(self._directory, buckets=self._buckets)
        self._write_groups(writer.packer)
        self._runs.push(writer.finish())
        self.spills += 1

    def _write_groups(self, packer: FramePacker) -> None:
        """Write all groups in (bucket, key) order, and forget them."""
        by_bucket: list[list[str | bytes]] = [[] for _ in range(self._buckets)]
        for text in self._texts:
            by_bucket[self._bucket_of(encode_key(text))].append(text)
        for encoded in self._others:
            by_bucket[self._bucket_of(encoded)].append(encoded)
        for bucket, keys in enumerate(by_bucket):
            for encoded, values in sorted(map(self._take_group, keys), key=itemgetter(0)):
                packer.add_values(bucket, encoded, values)
            keys.clear()
        self._texts, self._others, self._used_bytes = {}, {}, 0

    def _take_group(self, key: str | bytes) -> tuple[bytes, list[bytes]]:
        """Remove a group, so that its memory is free for what is written, and return its encoded key and values."""
        if isinstance(key, str):
            return encode_key(key), self._texts.pop(key)
        return key, self._others.pop(key)

    def _write_merged(self, packer: FramePacker) -> None:
        """Write what was spilled in (bucket, key) order."""
        self._runs.settle()
        pack = self._combiner.pack_group if self._combiner else pack_group
        for bucket in range(self._buckets):
            for key, pieces in self._runs.groups(bucket):
                pack(packer, bucket, key, pieces)
        self._runs.close()
