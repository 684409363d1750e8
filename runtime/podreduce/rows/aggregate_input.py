"""A reduce task's input if only aggregates are needed: one dict, spilled when it is full.

The maps have aggregated already, so most keys come once from each map: a dict look-up for each is cheaper than a merge.
What does not fit in memory is spilled as sorted runs, which are merged at the end.
"""

from collections.abc import Iterable, Iterator
from decimal import localcontext
from itertools import islice
from sys import getsizeof
from typing import Any, Final

from podreduce.encoding.codec import Value, decode_key
from podreduce.encoding.frames import OnesFrame, StoredFrame, unpack_frame
from podreduce.rows.aggregations import AggregationError, Several, aggregate, condense
from podreduce.rows.combining import aggregating
from podreduce.rows.exact_sums import CANNOT_AGGREGATE, EXACT
from podreduce.rows.row_stores import MAX_SMALL_INT, NUMBERS, size_of
from podreduce.rows.runs import RunStack, RunWriter

__all__ = ["AggregateInput"]

KEY_BYTES: Final = 200
"""The memory of a key besides itself: its share of the dict, its value, its place in a list while sorting."""

MEAN_ENCODED_BYTES: Final = 24
"""How much of a frame a number of 64 bits takes, with its key's length, and some reserve."""


class AggregateInput:
    """Collects one partition's segments and aggregates them.

    Args:
        aggregation: a name of `aggregations.AGGREGATIONS`.
        budget_bytes: how many bytes may be held in memory (`memory.buffer_budget_bytes`).
        scratch_directory: where runs are spilled.

    Attributes:
        records: how many values came; `stored_bytes` is the size of their frames.
        spills: how many runs were spilled.
        used_bytes: how much memory the held aggregates take.
    """

    input_share = 0.9
    """Reading is all of the work, because it includes aggregating: writing the result takes little."""
    reduced = 0

    def __init__(self, aggregation: str, *, budget_bytes: int, scratch_directory: str) -> None:
        self._aggregation = aggregation
        self._budget_bytes = budget_bytes // 2
        self._directory = scratch_directory
        self._pack = aggregating(aggregation)
        self._runs = RunStack(buckets=1, budget_bytes=self._budget_bytes, directory=scratch_directory, pack=self._pack)
        self._aggregates: dict[bytes, Value] = {}
        self.used_bytes = 0
        self.records = 0
        self.stored_bytes = 0
        self.spills = 0

    def add_blob(self, frames: Iterable[StoredFrame]) -> None:
        """Add one map output's frames (`blobs.read_frames`); call it in map index order.

        Raises:
            AggregationError: the values of a key cannot be aggregated.
            ScratchFullError: the scratch volume has no space for a spill.
        """
        for stored in frames:
            self.records += stored.rows
            self.stored_bytes += len(stored.body)
            self._add_frame(stored)
            if self.used_bytes > self._budget_bytes:
                self._spill()

    def aggregates(self) -> Iterator[tuple[bytes, Value]]:
        """Yield each encoded key with its aggregate, in key order. Call it once, after the last blob.

        Raises:
            ScratchFullError: the scratch volume has no space for a spill.
        """
        if not len(self._runs):
            for key in sorted(self._aggregates):
                value = self._aggregates[key]
                yield key, value[0] if type(value) is Several else value
            return
        self._spill()
        self._runs.settle()
        for key, pieces in self._runs.groups(0):
            yield key, aggregate(self._aggregation, key, (value for frame, at in pieces for value in frame.values(at)))
        self._runs.close()

    def _add_frame(self, stored: StoredFrame) -> None:
        """Aggregate one frame."""
        frame, known = unpack_frame(stored), len(self._aggregates)
        if isinstance(frame, OnesFrame) and self._aggregation in ("sum", "count") and are_small(stored, frame):
            add_up(self._aggregates, frame.keys, frame.ones)
        else:
            for at, key in enumerate(frame.keys):
                self._aggregate(key, frame.values(at))
        grown = len(self._aggregates) - known
        if grown:  # a dict keeps its order: the new keys are its last
            new_keys = islice(reversed(self._aggregates), grown)
            self.used_bytes += sum(map(getsizeof, new_keys)) + grown * KEY_BYTES

    def _aggregate(self, key: bytes, values: list[Value]) -> None:
        """Add some values of a key to its aggregate; measure a result that is not a small number."""
        if key in self._aggregates:
            known = self._aggregates[key]
            values = [*known, *values] if type(known) is Several else [known, *values]
            self.used_bytes -= heavy_bytes(known)
        kept = condense(self._aggregation, key, values)
        new = kept[0] if len(kept) == 1 else Several(kept)
        self._aggregates[key] = new
        self.used_bytes += heavy_bytes(new)

    def _spill(self) -> None:
        """Write the held aggregates as a run."""
        writer = RunWriter(self._directory, buckets=1)
        for key in sorted(self._aggregates):
            value = self._aggregates.pop(key)
            if type(value) is Several:
                writer.packer.add_values(0, key, [*value])
            else:
                writer.packer.add_one(0, key, value)
        self._runs.push(writer.finish())
        self.spills += 1
        self.used_bytes = 0


def heavy_bytes(value: Value) -> int:
    """Return how many bytes a value takes beyond the number that `KEY_BYTES` includes."""
    if type(value) is Several:
        return size_of([*value])
    return 0 if type(value) in NUMBERS and abs(value) <= MAX_SMALL_INT else size_of(value)


def are_small(stored: StoredFrame, frame: OnesFrame) -> bool:
    """Tell whether the values of a frame, all numbers, are of usual size, by the mean size of their encodings."""
    return stored.raw_bytes - sum(map(len, frame.keys)) <= MEAN_ENCODED_BYTES * stored.groups


def add_up(totals: dict[bytes, Any], keys: list[bytes], values: list[Any]) -> None:
    """Add each key's value to its total.

    Raises:
        AggregationError: a value cannot be added to the others of its key.
    """
    get, key = totals.get, b""
    try:
        with localcontext(EXACT):
            for key, value in zip(keys, values, strict=True):
                totals[key] = get(key, 0) + value
    except CANNOT_AGGREGATE as error:
        raise AggregationError(decode_key(key), error) from error
