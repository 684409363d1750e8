"""The columnar tier's map: passes batches to `map_batch` and keeps its results as columns until they are written.

If a `reduce_batch` follows, everything stays in columns (`ColumnBuffer`). If a row reduce or an aggregation follows,
batches go into the row tiers' buffer (see batches_to_rows).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import pyarrow as pa

from podreduce.columnar.columns import canonical_table
from podreduce.columnar.combining import Combine, RowCombiner
from podreduce.columnar.runs import write_frames
from podreduce.columnar.sorting import ColumnSorter
from podreduce.columnar.weights import gather_pieces, weigh_pieces
from podreduce.contract.errors import ProgramError
from podreduce.contract.texts import render_count
from podreduce.encoding.blobs import BlobSummary, BlobWriter
from podreduce.encoding.heavy_keys import HeavyKeys
from podreduce.encoding.key_sampler import KeySampler
from podreduce.encoding.showing import show
from podreduce.inputs import LARGE_BLOCK_BYTES, RecordBlock
from podreduce.outputs import PartWriter
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import raise_blamed
from podreduce.task.attempt import Attempt
from podreduce.task.skip_batches import BatchSkipper, Prepared, columns_of

__all__ = ["BatchLoop", "BatchSink", "ColumnBuffer", "keyed_sink", "part_sink", "tables_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSink:
    """Where a map's tables go.

    Attributes:
        prepare: takes a table and raises an error if it is invalid.
        append: takes the result of `prepare`.
    """

    prepare: Callable[[pa.Table], Any]
    append: Callable[[Any], None]


class ColumnBuffer:
    """Collects a map task's batches and writes them as one blob of columns; see `map_buffer.MapOutputBuffer`."""

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        sampler: KeySampler | None,
        budget_bytes: int,
        scratch_directory: str,
        member: str,
        key_elements: int | None = None,
        combine: Combine | None = None,
    ) -> None:
        self._key_elements = key_elements
        self._buckets = buckets
        self._sampler = sampler
        self._combiner = RowCombiner(combine, member=member, key_elements=key_elements) if combine else None
        self._sorter = ColumnSorter(
            buckets=buckets,
            bucket_of=bucket_of,
            budget_bytes=budget_bytes,
            scratch_directory=scratch_directory,
            member=member,
            key_elements=key_elements,
            combiner=self._combiner,
        )
        self.add = self._sorter.add
        self.heavy_keys = HeavyKeys(key_elements=key_elements)

    @property
    def spills(self) -> int:
        """How many runs were spilled."""
        return self._sorter.spills

    @property
    def combined_in(self) -> int:
        """How many rows were given to the combiner."""
        return self._combiner.rows_in if self._combiner else 0

    @property
    def combined_out(self) -> int:
        """How many rows the combiner left."""
        return self._combiner.rows_out if self._combiner else 0

    def finish(self, write: Callable[[bytes], object]) -> BlobSummary:
        """Write everything as a blob to `write`; call it once, last."""
        blob = BlobWriter(write, buckets=self._buckets, sampler=self._sampler)
        for pieces in gather_pieces(self._sorter.tables()):
            for bucket, table in pieces:
                write_frames(blob, bucket, table)
            weigh_pieces(self.heavy_keys, pieces, self._key_elements)
        return blob.finish()


def keyed_sink(program: LoadedProgram, add: Callable[[pa.Table], None]) -> BatchSink:
    """Return a sink that passes tables to `add`, with keys of a type that can be shuffled."""
    member = f"{program.class_name}.map_batch"
    return BatchSink(prepare=lambda table: canonical_table(table, member, program.key_columns), append=add)


def part_sink(part: PartWriter) -> BatchSink:
    """Return a sink that writes batches into an output part."""

    def prepare(table: pa.Table) -> list[Any]:
        return [part.prepare_batch(batch) for batch in table.to_batches()]

    def append(prepared: list[Any]) -> None:
        for each in prepared:
            part.append_batch(each)

    return BatchSink(prepare=prepare, append=append)


class BatchLoop:
    """One map task's loop over batches. Pass it the shard's blocks, of some `block_bytes`, in turn; then `finish`."""

    block_bytes = LARGE_BLOCK_BYTES

    def __init__(
        self, attempt: Attempt, program: LoadedProgram, sink: BatchSink, *, finish: Callable[[], None] = lambda: None
    ) -> None:
        self._attempt = attempt
        self.finish = finish
        self._map_batch: Any = program.map_batch
        self._member = f"{program.class_name}.map_batch"
        self._sink = sink
        self._skipper = None if attempt.quarantine is None else BatchSkipper(attempt, attempt.quarantine, self._map)
        self._rows = 0

    def records(self) -> int:
        """Return how many rows the program returned."""
        return self._rows

    def tier(self) -> dict[str, int]:
        """Return the counters that name the tier this task ran in."""
        return {"columnarTasks": 1}

    def map_block(self, block: RecordBlock) -> None:
        """Pass the records of one block to `map_batch`.

        Raises:
            PodreduceError: the attempt has failed.
        """
        progress = self._attempt.progress
        if self._skipper:
            self._map_good(self._skipper, block)
        else:
            self._map_whole(columns_of(block, self._attempt))
        progress.bytes += block.stored_bytes
        progress.records_out = self._rows

    def _map_whole(self, batch: pa.RecordBatch) -> None:
        """Call `map_batch` for a batch, and append each table as it comes."""
        if not batch.num_rows:
            return
        progress = self._attempt.progress
        try:
            for prepared in self._map(batch):
                self._append(prepared)
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            self._blame(error, f"a batch of {render_count(batch.num_rows, 'record')}")
        progress.records += batch.num_rows

    def _map_good(self, skipper: BatchSkipper, block: RecordBlock) -> None:
        """Append the tables of the good records of a block."""
        try:
            for prepared in skipper.map_block(block):
                self._append(prepared)
        except BaseException as error:  # noqa: BLE001 - likewise
            self._blame(error, "a batch")

    def _blame(self, error: BaseException, batch: str) -> NoReturn:
        """Raise the error that `error` means."""
        raise_blamed(error, f"{self._attempt.context.uri}: {batch} after the first {self._attempt.progress.records}")

    def _map(self, batch: pa.RecordBatch) -> Iterator[Prepared]:
        """Yield the program's tables for a batch, prepared for `append`."""
        for table in tables_of(self._map_batch(batch), self._member):
            if table.num_rows:
                yield table.num_rows, self._sink.prepare(table)

    def _append(self, prepared: Prepared) -> None:
        """Append a table."""
        rows, table = prepared
        self._rows += rows
        self._sink.append(table)


def tables_of(returned: Any, member: str) -> Iterator[pa.Table]:  # noqa: ANN401 - anything the program returns
    """Yield what a function of the program returned or yields, as tables.

    Raises:
        ProgramError: it is not a batch.
    """
    if returned is None:
        return
    if isinstance(returned, pa.Table):
        yield returned
    elif isinstance(returned, pa.RecordBatch):
        yield pa.Table.from_batches([returned])
    elif hasattr(returned, "__iter__") and not isinstance(returned, str | bytes | dict):
        for each in returned:
            yield from tables_of(each, member)
    else:
        raise ProgramError(
            f"{member} returned {type(returned).__name__} {show(returned)}: return a pyarrow.RecordBatch or Table"
        )
