"""The columnar tier's reduce: takes a partition's frames of columns, sorts or merges them, feeds `reduce_batch`."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from podreduce.attempt import Attempt
from podreduce.column_frames import unpack_columns
from podreduce.column_map import HELD_SHARE, tables_of
from podreduce.column_runs import ColumnRun, cut_batches, merge_tables, sort_table
from podreduce.columns import unify_tables
from podreduce.formats import PartWriter
from podreduce.frames import StoredFrame
from podreduce.loading import LoadedProgram
from podreduce.tracebacks import describe_key, raise_blamed

__all__ = ["ColumnInput", "reduce_batches"]

MAX_RUNS = 64
"""More runs than these are merged into one: each has a frame open."""


class ColumnInput:
    """Collects one partition's columns; see `reduce_input.ReduceInput`."""

    def __init__(self, *, budget_bytes: int, scratch_directory: str, member: str) -> None:
        self._held_limit_bytes = budget_bytes // HELD_SHARE
        self._directory = scratch_directory
        self._member = member
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._runs: list[ColumnRun] = []
        self.records = 0
        self.stored_bytes = 0
        self.spills = 0

    def add_blob(self, frames: Iterable[StoredFrame]) -> None:
        """Take one map output's frames; call it in map index order."""
        for stored in frames:
            table = unpack_columns(stored)
            self._held.append(table)
            self._held_bytes += table.nbytes
            self.records += stored.rows
            self.stored_bytes += len(stored.body)
            if self._held_bytes > self._held_limit_bytes:
                self._spill()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in key order; rows of one key in (map index, position) order. Once, when all blobs are in."""
        yield from cut_batches(self._tables())
        for run in self._runs:
            run.close()

    def _tables(self) -> Iterator[pa.Table]:
        """Yield the rows in order: sorted in memory if nothing was spilled, else merged."""
        if not self._runs:
            return (table for _, table in self._sorted())
        self._spill()
        return merge_tables([run.tables(0) for run in self._runs], self._member)

    def _sorted(self) -> Iterator[tuple[int, pa.Table]]:
        """Yield what is held, sorted, and forget it."""
        if self._held:
            table = unify_tables(self._held, self._member)
            self._held, self._held_bytes = [], 0
            yield from sort_table(table, 1, lambda _: 0)

    def _spill(self) -> None:
        """Write what is held as a run."""
        if self._held:
            self._runs.append(ColumnRun(self._directory, buckets=1, parts=self._sorted()))
            self.spills += 1
        if len(self._runs) >= MAX_RUNS:
            runs, self._runs = self._runs, []
            tables = merge_tables([run.tables(0) for run in runs], self._member)
            self._runs = [ColumnRun(self._directory, buckets=1, parts=((0, table) for table in tables))]
            for run in runs:
                run.close()


def reduce_batches(attempt: Attempt, program: LoadedProgram, taken: ColumnInput, part: PartWriter) -> None:
    """Feed the partition's batches to `reduce_batch` and write what it returns."""
    reduce_batch: Any = program.reduce_batch
    member = f"{program.class_name}.reduce_batch"
    for batch in taken.batches():
        try:
            for table in tables_of(reduce_batch(batch), member):
                for each in table.to_batches():
                    part.write_batch(each)
        except BaseException as error:  # noqa: BLE001 - raise_blamed lets pass what is not the program's
            first = describe_key(batch.column(0)[0].as_py())
            raise_blamed(error, f"a batch of {batch.num_rows} rows from {first} on")
        attempt.progress.records_out = part.records
