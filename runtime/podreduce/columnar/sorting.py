"""Sorts any number of columns by bucket and key: in memory while they fit, else spilled as sorted runs."""

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from podreduce.columnar.columns import MAX_TABLE_BYTES, compact_table, cut_rows, unify_schemas, unify_tables
from podreduce.columnar.combining import COMBINED_BYTES, RowCombiner
from podreduce.columnar.holding import HeldTables
from podreduce.columnar.runs import ColumnRun, merge_tables, sort_table

__all__ = ["ColumnSorter"]

HELD_SHARE: Final = 3
"""A third of the budget is held: sorting takes as much again, and so does the order."""
MAX_FAN_IN: Final = 64
OPEN_BYTES: Final = 8 << 20
"""About what a run takes while it is merged: two frames, their rows put together, and these rows sorted."""


class ColumnSorter:
    """Takes tables, and yields all their rows sorted; rows of one key keep the order in which they came.

    Args:
        buckets: how many virtual buckets there are.
        bucket_of: encoded key → its bucket.
        budget_bytes: how many bytes may be held in memory (`memory.buffer_budget_bytes`).
        scratch_directory: where runs are spilled.
        member: the function of the program that made the tables, for messages.
        key_elements: how many columns of a key choose its bucket; None: all.
        combiner: makes fewer rows, before any are spilled or yielded.

    Attributes:
        spills: how many runs were spilled.
    """

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        budget_bytes: int,
        scratch_directory: str,
        member: str,
        key_elements: int | None = None,
        combiner: RowCombiner | None = None,
    ) -> None:
        self._key_elements = key_elements
        self._buckets = buckets
        self._bucket_of = bucket_of
        self._held_limit_bytes = min(budget_bytes // HELD_SHARE, MAX_TABLE_BYTES)
        self._directory = scratch_directory
        self._member = member
        self._held = HeldTables()
        self._schema: pa.Schema | None = None
        self._combined = combiner.combine_pieces if combiner else iter
        merge_bytes = budget_bytes - COMBINED_BYTES if combiner else budget_bytes
        self._fan_in = min(max(merge_bytes // OPEN_BYTES, 2), MAX_FAN_IN)
        self._runs: list[ColumnRun] = []
        self.spills = 0

    @property
    def held_bytes(self) -> int:
        """How many bytes the held tables take."""
        return self._held.kept_bytes

    def add(self, table: pa.Table) -> None:
        """Take a table.

        Raises:
            ProgramError: its columns do not match those of earlier tables.
            ScratchFullError: the scratch volume has no space for a spill.
        """
        if self._schema is None:
            self._schema = table.schema
        elif table.schema != self._schema:
            self._schema = unify_schemas([self._schema, table.schema], self._member)
        for piece in cut_rows(table, self._held_limit_bytes):
            self._hold(piece)

    def _hold(self, table: pa.Table) -> None:
        """Hold a table that fits; first spill the held tables if both do not fit."""
        table, kept_bytes = compact_table(table)
        if self.held_bytes + kept_bytes > self._held_limit_bytes:
            self._spill()
        self._held.add(table, kept_bytes)

    def tables(self) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows by bucket and key, each table with its bucket. Call it once, after the last `add`.

        All tables have the common types of every table taken, spilled or not.
        """
        if not self._runs:
            yield from self._combined(self._sort_held())
            return
        self._spill()
        while len(self._runs) > self._fan_in:
            self._merge_last(self._fan_in)
        yield from self._combined((bucket, self._as_all(table)) for bucket, table in self._merge(self._runs))
        self._close(self._runs)

    def _as_all(self, table: pa.Table) -> pa.Table:
        """Return a table with the common types of all tables taken."""
        if table.schema == self._schema or self._schema is None:
            return table
        return unify_tables([pa.Table.from_batches([], self._schema), table], self._member)

    def _sort_held(self) -> Iterator[tuple[int, pa.Table]]:
        """Yield the held rows, sorted, and forget them."""
        if self._held:
            yield from sort_table(self._take_held(), self._buckets, self._bucket_of, self._key_elements)

    def _take_held(self) -> pa.Table:
        """Return the held tables as one and forget them: only the caller has it then."""
        return self._as_all(unify_tables(self._held.take(), self._member))

    def _spill(self) -> None:
        """Write the held rows as a run; merge the last runs if enough of them are of one level."""
        if self._held:
            parts = self._combined(self._sort_held())
            self._runs.append(ColumnRun(self._directory, buckets=self._buckets, parts=parts))
            self.spills += 1
        while len(tail := self._runs[-self._fan_in :]) == self._fan_in and len({run.level for run in tail}) == 1:
            self._merge_last(self._fan_in)

    def _merge_last(self, count: int) -> None:
        """Replace the last runs by one of the next level: each row is written again only once a level."""
        runs = self._runs[-count:]
        level = 1 + max(run.level for run in runs)
        parts = self._combined(self._merge(runs))
        merged = ColumnRun(self._directory, buckets=self._buckets, parts=parts, level=level)
        self._runs[-count:] = [merged]
        self._close(runs)

    def _merge(self, runs: list[ColumnRun]) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows of runs, merged."""
        for bucket in range(self._buckets):
            for table in merge_tables([run.tables(bucket) for run in runs], self._member):
                yield bucket, table

    def _close(self, runs: list[ColumnRun]) -> None:
        """Free scratch space."""
        for run in runs:
            run.close()
