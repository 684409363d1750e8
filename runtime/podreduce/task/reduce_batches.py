"""The columnar tier's reduce: takes a partition's frames of columns, sorts or merges them, calls `reduce_batch`."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from podreduce.columnar.frames import unpack_together
from podreduce.columnar.key_columns import flat_batch
from podreduce.columnar.runs import cut_batches
from podreduce.columnar.sorting import ColumnSorter
from podreduce.contract.texts import render_count
from podreduce.encoding.frames import StoredFrame
from podreduce.outputs import PartWriter
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import describe_key, raise_blamed
from podreduce.task.attempt import Attempt
from podreduce.task.map_batches import tables_of

__all__ = ["ColumnInput", "reduce_batches"]


class ColumnInput:
    """Collects one partition's columns; see `reduce_input.ReduceInput`."""

    input_share = 0.5

    def __init__(
        self, *, budget_bytes: int, scratch_directory: str, member: str, key_elements: int | None = None
    ) -> None:
        self._member = member
        self._key_elements = key_elements
        self._sorter = ColumnSorter(
            buckets=1,
            bucket_of=lambda _: 0,
            budget_bytes=budget_bytes,
            scratch_directory=scratch_directory,
            member=member,
        )
        self.records = 0
        self.reduced = 0
        self.stored_bytes = 0

    @property
    def spills(self) -> int:
        """How many runs were spilled."""
        return self._sorter.spills

    def add_blob(self, frames: Iterable[StoredFrame]) -> None:
        """Add one map output's frames; call it in map index order."""
        for table in unpack_together(self._counted(frames)):
            self._sorter.add(table)

    def _counted(self, frames: Iterable[StoredFrame]) -> Iterator[StoredFrame]:
        """Yield the frames, and count what they hold."""
        for stored in frames:
            self.records += stored.rows
            self.stored_bytes += len(stored.body)
            yield stored

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in key order; rows of one key in (map index, position) order. Once, after the last blob."""
        tables = (table for _, table in self._sorter.tables())
        for batch in cut_batches(tables, self._member, self._key_elements):
            self.reduced += batch.num_rows
            yield flat_batch(batch)


def reduce_batches(attempt: Attempt, program: LoadedProgram, taken: ColumnInput, part: PartWriter) -> None:
    """Pass the partition's batches to `reduce_batch` and write its results."""
    reduce_batch: Any = program.reduce_batch
    member = f"{program.class_name}.reduce_batch"
    for batch in taken.batches():
        try:
            for table in tables_of(reduce_batch(batch), member):
                for each in table.to_batches():
                    part.write_batch(each)
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            first = describe_key(batch.column(0)[0].as_py())
            raise_blamed(error, f"a batch of {render_count(batch.num_rows, 'row')} from {first} on")
        attempt.progress.records_out = part.records
