"""Sorted runs of columns: in memory as long as they fit, else on scratch, merged block by block.

As in `merge`, each run has one batch loaded. All rows below the least of their last keys are concatenated and sorted
stably, which only merges. Values of a key keep the order of the runs. A key larger than a batch comes in several.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from podreduce.columnar.columns import bisect_keys, bucket_rows, encoded_key, one_array, unify_tables
from podreduce.columnar.frames import FRAME_BYTES, pack_columns, unpack_columns
from podreduce.columnar.row_order import sort_rows
from podreduce.encoding.blobs import BlobFooter, BlobWriter, read_frames
from podreduce.encoding.keys import key_prefix
from podreduce.rows.scratch import ScratchFile

__all__ = ["ColumnRun", "cut_batches", "merge_tables", "sort_table", "write_frames"]

READ_BYTES: Final = 1 << 20
BATCH_ROWS: Final = 1 << 16
BATCH_BYTES: Final = 16 << 20
SAMPLED_KEYS: Final = 64
"""How many keys of a frame are encoded for the samples in total order."""


def sort_table(
    table: pa.Table, buckets: int, bucket_of: Callable[[bytes], int], elements: int | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Yield each virtual bucket's rows in the order of their keys; rows of one key keep their order.

    `elements`: how many columns of a key choose its bucket; None: all.
    """
    table = table.combine_chunks()  # taking rows from one chunk is five times as fast as from many
    keys = one_array(table.column(0))
    order = sort_rows(keys)
    if buckets == 1:
        table = table.take(order)
        del keys, order  # free the unsorted table before the rows are yielded
        yield 0, table
        return
    by_row = bucket_rows(keys, bucket_of, elements)[order]
    order = order[np.argsort(by_row, kind="stable")]
    edges = np.concatenate(([0], np.cumsum(np.bincount(by_row)))).tolist()
    table = table.take(order)  # slices of it cost nothing
    del keys, order, by_row
    for bucket, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            yield bucket, table.slice(start, end - start)


def write_frames(blob: BlobWriter, bucket: int, table: pa.Table) -> None:
    """Write a bucket's sorted rows as frames."""
    rows = max(table.num_rows * FRAME_BYTES // max(table.nbytes, 1), 1)
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        blob.append(pack_columns(bucket, part), sample_keys(part.column(0)) if blob.samples_keys else ())


def sample_keys(keys: pa.ChunkedArray) -> list[bytes]:
    """Return some of a frame's keys, encoded, the first among them."""
    places = sorted({number * len(keys) // SAMPLED_KEYS for number in range(SAMPLED_KEYS)})
    return [encoded_key(keys, place) for place in places]


class ColumnRun:
    """A sorted run on scratch; `level` is how often its rows were merged."""

    def __init__(self, directory: str, *, buckets: int, parts: Iterable[tuple[int, pa.Table]], level: int = 0) -> None:
        self.level = level
        self._file = ScratchFile(directory)
        blob = BlobWriter(self._file.write, buckets=buckets)
        for bucket, table in parts:
            write_frames(blob, bucket, table)
        self._file.flush()
        self._footer: BlobFooter = blob.footer()

    def tables(self, bucket: int) -> Iterator[pa.Table]:
        """Yield a bucket's rows in order."""
        return map(unpack_columns, read_frames(self._footer, [bucket], self._file.fetch, request_bytes=READ_BYTES))

    def close(self) -> None:
        """Free the scratch space."""
        self._file.close()


class Cursor:
    """A run being merged: the loaded table, which is its first one, from the first row that was not taken yet."""

    def __init__(self, table: pa.Table, others: Iterator[pa.Table]) -> None:
        self.table = table
        self._others = others
        self._next = next(others, None)
        self.refill()

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after the loaded table."""
        return self._next is None

    def refill(self) -> None:
        """Load the next table if nothing is left of this one."""
        while not self.table.num_rows and self._next is not None:
            self.table, self._next = self._next, next(self._others, None)

    def last_key(self) -> bytes:
        """Return the last loaded key."""
        return encoded_key(self.table.column(0), self.table.num_rows - 1)

    def take_below(self, key: bytes | None) -> pa.Table | None:
        """Take the loaded rows whose keys are below `key` (None: all)."""
        end = self.table.num_rows if key is None else bisect_keys(self.table.column(0), key)
        taken, self.table = self.table.slice(0, end), self.table.slice(end)
        return taken if end else None


def open_runs(runs: Iterable[Iterator[pa.Table]]) -> Iterator[Cursor]:
    """Yield a cursor for each run that has a table."""
    for run in runs:
        first = next(run, None)
        if first is not None:
            yield Cursor(first, run)


def merge_tables(runs: Iterable[Iterator[pa.Table]], member: str) -> Iterator[pa.Table]:
    """Yield the rows of sorted runs in the order of their keys, then of the runs."""
    cursors = [*open_runs(runs)]
    while cursors:
        cut = min((cursor.last_key() for cursor in cursors if not cursor.is_last), default=None)
        taken = [table for cursor in cursors if (table := cursor.take_below(cut)) is not None]
        if taken:
            table = unify_tables(taken, member).combine_chunks()
            yield table if len(taken) == 1 else table.take(sort_rows(one_array(table.column(0))))
        if cut is not None:
            yield from stream_key(cursors, cut)
        for cursor in cursors:
            cursor.refill()
        cursors = [cursor for cursor in cursors if cursor.table.num_rows]


def stream_key(cursors: Iterable[Cursor], key: bytes) -> Iterator[pa.Table]:
    """Yield the rows of `key`, the least key not taken yet, run by run."""
    after = key + b"\0"  # the least greater key
    for cursor in cursors:
        while (taken := cursor.take_below(after)) is not None:
            yield taken
            cursor.refill()


def cut_batches(tables: Iterable[pa.Table], member: str, elements: int | None = None) -> Iterator[pa.RecordBatch]:
    """Regroup sorted tables into batches that do not cut a key, unless one key fills a batch.

    A batch has some 65,536 rows or 16 MiB, whichever is less. `member` is the function that made the tables. Of several
    key columns the first `elements` are what is not cut.

    Raises:
        ProgramError: the columns of two tables do not match.
    """
    pending: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        pending.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows < 2 * BATCH_ROWS and size < 2 * BATCH_BYTES:
            continue
        whole = unify_tables(pending, member).combine_chunks()
        start, step = 0, rows_of_batch(whole)
        while whole.num_rows - start > step:
            end = end_of_batch(whole.column(0), start, start + step, elements)
            yield from whole.slice(start, end - start).combine_chunks().to_batches()
            start = end
        rest = whole.slice(start)
        pending, rows, size = [rest], rest.num_rows, rest.nbytes
    if rows:
        yield from unify_tables(pending, member).combine_chunks().to_batches()


def rows_of_batch(table: pa.Table) -> int:
    """Return how many rows of a table go into a batch."""
    rows: int = table.num_rows * BATCH_BYTES // max(table.nbytes, 1)
    return min(max(rows, 1), BATCH_ROWS)


def end_of_batch(keys: Any, start: int, end: int, elements: int | None) -> int:  # noqa: ANN401 - a chunked array
    """Return the end of a batch from `start` to about `end`: before the key that would be cut, if there is another."""
    key = encoded_key(keys, end)
    first = bisect_keys(keys, key if elements is None else key_prefix(key, elements), start)
    return first if first > start else end
