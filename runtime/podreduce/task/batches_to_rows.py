"""Puts the columnar tier's batches into the row tiers' buffer, aggregated as columns first if that is exact."""

from typing import Any, Final

import pyarrow as pa

from podreduce.columnar.aggregation import aggregate_table, count_ones, python_values
from podreduce.columnar.columns import compact_table
from podreduce.columnar.holding import HeldTables
from podreduce.columnar.kept_rows import keep_rows
from podreduce.columnar.python_types import to_python
from podreduce.contract.errors import ProgramError
from podreduce.encoding.codec import UnsupportedTypeError
from podreduce.encoding.showing import show
from podreduce.program.calling import cannot_aggregate
from podreduce.program.loading import LoadedProgram
from podreduce.rows.row_stores import Aggregates, AggregationError, ListGroups

__all__ = ["ROW_SINK_SHARE", "RowSink", "combined_share"]

COMBINED_BYTES: Final = 32 << 20
"""How much is aggregated together, or a share of the budget if that is less."""
COMBINED_SHARE: Final = 8
ROW_SINK_SHARE: Final = 3
"""Memory that the buffer cannot use, in multiples of `combined_bytes`: the tables, their result, and Python objects."""
MAX_ROWS: Final = 1 << 16
PAYING_RATIO: Final = 0.8
"""If aggregating columns leaves more than this share of the rows, it does not pay."""


class RowSink:
    """Takes tables with the columns key and value; `flush` it at the end.

    Tables are held as long as they have the same types: so nothing in them is ever converted.

    Args:
        program: the program whose map returned the tables.
        store: the buffer's store; if the program counts, a store that adds up.
        combined_bytes: how much is aggregated together.
    """

    def __init__(self, program: LoadedProgram, store: Aggregates | ListGroups, *, combined_bytes: int) -> None:
        self._program = program
        self._member = f"{program.class_name}.map_batch"
        self._store = store
        self._aggregation = program.aggregation
        self._ranking = program.ranking
        self._combined_bytes = combined_bytes
        self._held = HeldTables()
        self._pays = program.aggregation is not None or program.ranking is not None

    @property
    def held_bytes(self) -> int:
        """How many bytes the held tables take."""
        return self._held.kept_bytes

    def add(self, table: pa.Table) -> None:
        """Add a batch.

        Raises:
            ProgramError: it has other columns, or values that cannot be shuffled or aggregated.
        """
        if table.column_names != ["key", "value"]:
            raise ProgramError(
                f"{self._member} returned the columns {', '.join(table.column_names)}: a reduce of rows needs exactly "
                "two, key and value"
            )
        if self._held and table.schema.types != self._held.schema.types:
            self.flush()
        self._held.add(*compact_table(table))
        if not self._pays or self.held_bytes > self._combined_bytes:
            self.flush()

    def flush(self) -> None:
        """Put the held tables into the buffer."""
        if not self._held:
            return
        table = pa.concat_tables(self._held.take())
        combined = self._combine(table) if self._pays else None
        if combined is not None:
            self._pays = combined.num_rows <= PAYING_RATIO * table.num_rows
            table = combined
        elif self._aggregation == "count":
            table = count_ones(table)
        self._put(table, distinct=combined is not None and self._aggregation is not None)
        if isinstance(self._store, ListGroups) and self._store.interns:
            self._store.weigh_interning(self._store.records)

    def _combine(self, table: pa.Table) -> pa.Table | None:
        """Return the aggregates of a table, or its kept rows; None if only Python can find them."""
        if self._aggregation is not None:
            return aggregate_table(table, self._aggregation)
        return None if self._ranking is None else keep_rows(table, self._ranking)

    def _put(self, table: pa.Table, *, distinct: bool) -> None:
        """Put rows into the buffer, some at a time; `distinct` rows are aggregates of one key each."""
        for batch in table.to_batches(max_chunksize=self._rows_at_once(table)):
            keys, values = self._rows_of(batch, exact_ints=distinct)
            try:
                if not (distinct and isinstance(self._store, Aggregates) and self._store.take_distinct(keys, values)):
                    self._add_rows(keys, values)
            except AggregationError as error:  # of a row, or of others that are merged to make space for it
                raise cannot_aggregate(self._program, error.key, error.error) from None

    def _rows_at_once(self, table: pa.Table) -> int:
        """Return how many rows may exist as Python objects at a time."""
        rows: int = table.num_rows * self._combined_bytes // (4 * max(table.nbytes, 1))
        return min(max(rows, 1), MAX_ROWS)

    def _rows_of(self, batch: pa.RecordBatch, *, exact_ints: bool) -> tuple[list[Any], list[Any]]:
        """Return keys and values as Python objects."""
        keys, values = batch.columns
        try:
            return to_python(keys), python_values(values, exact_ints=exact_ints)
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise ProgramError(
                f"{self._member} returned, in the column value, a {values.type} that Python cannot hold "
                f"({error}): cast the column, for example to microseconds, to float64 or to pa.string()"
            ) from None

    def _add_rows(self, keys: list[Any], values: list[Any]) -> None:
        """Put rows into the buffer, one by one."""
        for key, value in zip(keys, values, strict=True):
            try:
                self._store.add(key, value)
            except UnsupportedTypeError as error:
                raise ProgramError(f"{self._member} returned, for the key {show(key)}: {error}") from None


def combined_share(budget_bytes: int) -> int:
    """Return how much of a budget is aggregated together."""
    return min(COMBINED_BYTES, budget_bytes // COMBINED_SHARE)
