"""The batches of a job that skips bad records: one that raises is tried again in halves, down to its bad rows.

So of n rows with b bad ones `map_batch` is called some 2 b log2 n times more, and what it returns for good rows still
comes in batches. Everything of a call is held until the call is over; what raises only then fails the attempt.
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
"""How many rows a table has, and the table as its sink takes it."""


def columns_of(block: RecordBlock, attempt: Attempt) -> pa.RecordBatch:
    """Return a block's records as columns.

    Raises:
        InputError: they make none.
    """
    try:
        return block.to_arrow()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise InputError(
            f"{attempt.context.uri}: the records after the first {attempt.progress.records} make no columns ({error}): "
            "give each field values of one type, within 64 bits, or write a map_func"
        ) from error


class BatchSkipper:
    """Maps blocks, but for the rows for which that raises.

    Args:
        map_batch: returns what is to be appended for a batch; raises what is wrong with it.
    """

    def __init__(
        self, attempt: Attempt, quarantine: Quarantine, map_batch: Callable[[pa.RecordBatch], Iterable[Prepared]]
    ) -> None:
        self._attempt = attempt
        self._quarantine = quarantine
        self._map_batch = map_batch

    def map_block(self, block: RecordBlock) -> Iterator[Prepared]:
        """Yield what is to be appended for the good rows of a block.

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
        """Yield what is to be appended for a part of a block, which starts with its row `first`."""
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
        """Return what is to be appended for a batch, or None where it raised; a single row is set aside then."""
        attempt = self._attempt
        attempt.counters.mark()
        try:
            held = list(self._map_batch(batch))
        except BaseException as error:  # noqa: BLE001 - raise_blamed lets pass what is not the program's
            if batch.num_rows == 1:
                set_aside(rows.name(first), error, attempt, self._quarantine)
            else:
                find_blame(error)
                attempt.counters.undo()
            return None
        attempt.counters.keep()
        return held


class NamedRows:
    """The records that a batch was made of; made themselves when the first is asked for."""

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
