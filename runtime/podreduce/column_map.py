"""The columnar tier's map: feeds batches to `map_batch` and keeps what it returns as columns until it is written.

Where a `reduce_batch` follows, everything stays in columns (`ColumnBuffer`). Where a row reduce or an aggregation does,
batches are aggregated as columns as far as that goes, and then go into the row tiers' buffer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from podreduce.attempt import Attempt
from podreduce.calling import cannot_aggregate
from podreduce.codec import UnsupportedTypeError
from podreduce.column_runs import write_frames
from podreduce.column_skipping import BatchSkipper, Prepared
from podreduce.column_sorting import ColumnSorter
from podreduce.columns import canonical_table, unify_tables
from podreduce.errors import ProgramError
from podreduce.formats import PartWriter
from podreduce.groups import Aggregates, AggregationError
from podreduce.heavy_keys import HeavyKeys
from podreduce.inputs import LARGE_BLOCK_BYTES, RecordBlock
from podreduce.loading import LoadedProgram
from podreduce.ranges import KeySampler
from podreduce.showing import show
from podreduce.shuffle import BlobSummary, BlobWriter
from podreduce.spill import MapOutputBuffer
from podreduce.tracebacks import raise_blamed

__all__ = ["BatchLoop", "BatchSink", "ColumnBuffer", "RowSink", "keyed_sink", "part_sink", "tables_of"]

COMBINED_BYTES: Final = 32 << 20
"""Batches are aggregated together when they hold so much."""
MAX_EXACT_SUM: Final = 2**62
PAYING_RATIO: Final = 0.8
"""Aggregating columns that leaves more than this share of the rows does not pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSink:
    """Where a map's tables go.

    Attributes:
        prepare: takes a table and raises what is wrong with it.
        append: takes what `prepare` returned.
    """

    prepare: Callable[[pa.Table], Any]
    append: Callable[[Any], None]


class ColumnBuffer:
    """Collects a map task's batches and writes them as one blob of columns; see `spill.MapOutputBuffer`."""

    def __init__(
        self,
        *,
        buckets: int,
        bucket_of: Callable[[bytes], int],
        sampler: KeySampler | None,
        budget_bytes: int,
        scratch_directory: str,
        member: str,
    ) -> None:
        self._buckets = buckets
        self._sampler = sampler
        self._sorter = ColumnSorter(
            buckets=buckets,
            bucket_of=bucket_of,
            budget_bytes=budget_bytes,
            scratch_directory=scratch_directory,
            member=member,
        )
        self.add = self._sorter.add
        self.combined_in = self.combined_out = 0
        self.heavy_keys = HeavyKeys()

    @property
    def spills(self) -> int:
        """How many runs were spilled."""
        return self._sorter.spills

    def finish(self, write: Callable[[bytes], object]) -> BlobSummary:
        """Write everything as a blob to `write`; call it once, last."""
        blob = BlobWriter(write, buckets=self._buckets, sampler=self._sampler)
        for bucket, table in self._sorter.tables():
            write_frames(blob, bucket, table)
        return blob.finish()


class RowSink:
    """Puts batches into the row tiers' buffer, aggregated as columns first where that is asked for."""

    def __init__(self, program: LoadedProgram, buffer: MapOutputBuffer) -> None:
        self._program = program
        self._member = f"{program.class_name}.map_batch"
        self._store = buffer.store
        self._aggregation = program.aggregation
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._pays = program.aggregation is not None

    def add(self, table: pa.Table) -> None:
        """Take a batch with the columns key and value."""
        if table.column_names != ["key", "value"]:
            raise ProgramError(
                f"{self._member} returned the columns {', '.join(table.column_names)}: before a reduce of rows there "
                "are two, key and value"
            )
        self._held.append(table)
        self._held_bytes += table.nbytes
        if not self._pays or self._held_bytes > COMBINED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Put what is held into the buffer."""
        if not self._held:
            return
        table = unify_tables(self._held, self._member)
        self._held, self._held_bytes = [], 0
        distinct = self._pays and self._aggregation is not None
        if self._pays and self._aggregation:
            combined = aggregate_table(table, self._aggregation, self._program)
            self._pays = combined.num_rows <= PAYING_RATIO * table.num_rows
            table = combined
        for batch in table.to_batches(max_chunksize=1 << 16):
            keys, values = (python_values(batch.column(name), name, self._member) for name in ("key", "value"))
            if not (distinct and isinstance(self._store, Aggregates) and self._store.take_distinct(keys, values)):
                self._add_rows(keys, values)

    def _add_rows(self, keys: list[Any], values: list[Any]) -> None:
        """Put rows into the buffer, one by one."""
        for key, value in zip(keys, values, strict=True):
            try:
                self._store.add(key, value)
            except UnsupportedTypeError as error:
                raise ProgramError(f"{self._member} returned, for the key {show(key)}: {error}") from None
            except AggregationError as error:
                raise cannot_aggregate(self._program, error.key, error.error) from None


def python_values(column: pa.Array, name: str, member: str) -> list[Any]:
    """Return a column's values as Python has them.

    Raises:
        ProgramError: it has no form for one: nanoseconds, or a year past 9999.
    """
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, ImportError, pa.ArrowException) as error:
        raise ProgramError(
            f"{member} returned a column {name} of type {column.type} with a value that Python has no form for "
            f"({error}): cast it, to timestamp('us') or string"
        ) from None
    return values


def aggregate_table(table: pa.Table, aggregation: str, program: LoadedProgram) -> pa.Table:
    """Return each key once, with the aggregate of its values.

    Raises:
        ProgramError: the values have none, or a sum of theirs could exceed 64 bits.
    """
    values = table.column("value")
    if aggregation == "sum":
        refuse_overflow(values, table.num_rows, program)
    wanted = ([], "count_all") if aggregation == "count" else ("value", aggregation)
    try:
        grouped = table.group_by("key", use_threads=False).aggregate([wanted])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ProgramError(
            f"{program.class_name}: the {aggregation} of a column of type {values.type} is not to be had ({error}): "
            "cast the column, or write a reduce_func"
        ) from None
    return pa.table({"key": grouped.column("key"), "value": grouped.column(grouped.column_names.index("key") ^ 1)})


def refuse_overflow(values: pa.ChunkedArray, rows: int, program: LoadedProgram) -> None:
    """Refuse ints whose sum could exceed 64 bits, where Arrow would wrap around in silence."""
    if pa.types.is_integer(values.type) and rows:
        bounds = pc.min_max(values).as_py()
        largest = max(abs(bounds["min"] or 0), abs(bounds["max"] or 0))
        if largest * rows > MAX_EXACT_SUM:
            raise ProgramError(
                f"{program.class_name}: a sum of values such as {largest} could exceed 64 bits: cast the column to "
                "float64, or yield rows from map_func, whose ints have any size"
            )


def keyed_sink(program: LoadedProgram, add: Callable[[pa.Table], None]) -> BatchSink:
    """Return what hands tables on to `add`, their keys made fit for the shuffle."""
    member = f"{program.class_name}.map_batch"
    return BatchSink(prepare=lambda table: canonical_table(table, member), append=add)


def part_sink(part: PartWriter) -> BatchSink:
    """Return what writes batches into an output part."""

    def prepare(table: pa.Table) -> list[Any]:
        return [part.prepare_batch(batch) for batch in table.to_batches()]

    def append(prepared: list[Any]) -> None:
        for each in prepared:
            part.append_batch(each)

    return BatchSink(prepare=prepare, append=append)


class BatchLoop:
    """One map task's loop over batches. Give it the shard's blocks, of some `block_bytes`, in turn; then `finish`."""

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
        """Feed the records of one block to `map_batch`.

        Raises:
            PodreduceError: the attempt has failed.
        """
        progress = self._attempt.progress
        if self._skipper:
            self._map_good(self._skipper, block)
        else:
            self._map_whole(block.to_arrow())
        progress.bytes += block.stored_bytes
        progress.records_out = self._rows

    def _map_whole(self, batch: pa.RecordBatch) -> None:
        """Call `map_batch` for a batch, and take each table as it comes."""
        if not batch.num_rows:
            return
        progress = self._attempt.progress
        try:
            for prepared in self._map(batch):
                self._append(prepared)
        except BaseException as error:  # noqa: BLE001 - raise_blamed lets pass what is not the program's
            self._blame(error, f"a batch of {batch.num_rows} records")
        progress.records += batch.num_rows

    def _map_good(self, skipper: BatchSkipper, block: RecordBlock) -> None:
        """Take each table that the good records of a block make."""
        try:
            for prepared in skipper.map_block(block):
                self._append(prepared)
        except BaseException as error:  # noqa: BLE001 - likewise
            self._blame(error, "a batch")

    def _blame(self, error: BaseException, batch: str) -> NoReturn:
        """Raise what `error` means."""
        raise_blamed(error, f"{self._attempt.context.uri}: {batch} after the first {self._attempt.progress.records}")

    def _map(self, batch: pa.RecordBatch) -> Iterator[Prepared]:
        """Yield what the program makes of a batch, ready to be appended."""
        for table in tables_of(self._map_batch(batch), self._member):
            if table.num_rows:
                yield table.num_rows, self._sink.prepare(table)

    def _append(self, prepared: Prepared) -> None:
        """Take a table."""
        rows, table = prepared
        self._rows += rows
        self._sink.append(table)


def tables_of(returned: Any, member: str) -> Iterator[pa.Table]:  # noqa: ANN401 - whatever the program returns
    """Yield what a function of the program returned, or yields, as tables.

    Raises:
        ProgramError: it is no batch.
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
