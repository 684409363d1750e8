"""Batches of a job that skips bad records: a batch that raises is tried again in halves, down to its bad rows.

For n rows with b bad ones this makes some 2 b log2 n more calls of `map_batch`, and good rows still come in batches.
All results of a call are held until the call is over; an error after that fails the attempt.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow as pa

from podreduce.contract.errors import InputError
from podreduce.inputs import RecordBlock
from podreduce.task.attempt import Attempt
from podreduce.task.quarantine import NamedRecord, Quarantine
from podreduce.task.skipping import find_blame, salvage_block, set_aside

__all__ = ["BatchSkipper", "Prepared", "columns_of"]

Prepared: TypeAlias = tuple[int, Any]
"""How many rows a table has, and the table as its sink prepared it."""


def columns_of(block: RecordBlock, attempt: Attempt) -> pa.RecordBatch:
    """Return a block's records as columns.

    Raises:
        InputError: they cannot be columns.
    """
    try:
        return block.to_arrow()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise InputError(
            f"{attempt.context.uri}: the records after the first {attempt.progress.records} cannot become columns "
            f"({error}): give each field values of one type, within 64 bits, or write a map_func"
        ) from error


class BatchSkipper:
    """Maps blocks without the rows that raise.

    Args:
        map_batch: returns what to append for a batch; raises an error if it is invalid.
    """

    def __init__(
        self, attempt: Attempt, quarantine: Quarantine, map_batch: Callable[[pa.RecordBatch], Iterable[Prepared]]
    ) -> None:
        self._attempt = attempt
        self._quarantine = quarantine
        self._map_batch = map_batch

    def map_block(self, block: RecordBlock) -> Iterator[Prepared]:
        """Yield what to append for the good rows of a block.

        Raises:
            PodreduceError: the attempt has failed.
        """
        try:
            batch = columns_of(block, self._attempt)
        except InputError as error:
            block = salvage_block(block, error, self._attempt, self._quarantine, as_columns=True)
            batch = columns_of(block, self._attempt)
        yield from self._map_rows(NamedRows(self._attempt.context.uri, block), batch, 0)

    def _map_rows(self, rows: "NamedRows", batch: pa.RecordBatch, first: int) -> Iterator[Prepared]:
        """Yield what to append for a part of a block that starts with its row `first`."""
        if not batch.num_rows:
            return
        held = self._try(rows, batch, first)
        if held is None and batch.num_rows > 1:
            middle = batch.num_rows // 2
            yield from self._map_rows(rows, batch.slice(0, middle), first)
            yield from self._map_rows(rows, batch.slice(middle), first + middle)
            return
        self._attempt.progress.records += batch.num_rows
        yield from held or ()

    def _try(self, rows: "NamedRows", batch: pa.RecordBatch, first: int) -> list[Prepared] | None:
        """Return what to append for a batch; None if it raised. A single row that raises is set aside."""
        attempt = self._attempt
        attempt.counters.mark()
        try:
            held = list(self._map_batch(batch))
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            if batch.num_rows == 1:
                set_aside(rows.name(first), error, attempt, self._quarantine)
            else:
                find_blame(error)
                attempt.counters.undo()
            return None
        attempt.counters.keep()
        return held


class NamedRows:
    """The records of a batch; they are made only when the first is requested."""

    def __init__(self, uri: str, block: RecordBlock) -> None:
        self._uri = uri
        self._block = block

    @cached_property
    def _keys(self) -> Sequence[Any]:
        return self._block.keys()

    def name(self, row: int) -> NamedRecord:
        """Return the record of a row."""
        block = self._block
        return NamedRecord(uri=self._uri, unit=block.key_unit, key=self._keys[row], value=block.shown(row))
