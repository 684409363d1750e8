"""Parquet: a record is a row; its value is a dict of its columns, its key the row's number in the object.

A row group belongs to the piece in which its middle lies: so every row is read once however the object is cut, and
nobody has to look into it to plan. Only the columns that are asked for are fetched, in small requests that memory
holds; row groups that by their statistics have no row for the filter are not fetched at all.
"""

from collections import Counter
from collections.abc import Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from podreduce.contract.plan import InputOptions, Piece
from podreduce.errors import InputError
from podreduce.inputs.parquet_filter import Filter, compile_filter, compile_pruning
from podreduce.inputs.parquet_values import ROW_NUMBER, make_block
from podreduce.inputs.record_block import RecordBlock
from podreduce.storage import ObjectStore

__all__ = ["parquet_records"]

FETCH_BYTES: Final = 32 << 20
"""What all columns of a row group together have in memory of what is stored, unless they are very many."""
LEAST_FETCH_BYTES: Final = 64 << 10
MOST_FETCH_BYTES: Final = 8 << 20
MOST_ROWS: Final = 1 << 16


class RangeFile:
    """An object as Arrow wants a file: each `read` is a request. Raises what `ObjectStore.get_range` does."""

    closed = False

    def __init__(self, store: ObjectStore, key: str, piece: Piece) -> None:
        self._store = store
        self._key = key
        self._piece = piece
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or all that are left."""
        end = self._piece.object_bytes if size < 0 else min(self._at + size, self._piece.object_bytes)
        data = self._store.get_range(self._key, self._at, end, etag=self._piece.etag)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a place and return it."""
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._piece.object_bytes}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def close(self) -> None:
        """Do nothing: there is nothing open."""


def parquet_records(
    store: ObjectStore, key: str, piece: Piece, options: InputOptions, *, block_bytes: int
) -> Iterator[RecordBlock]:
    """Yield the rows that belong to a piece, in blocks of some `block_bytes`.

    Raises:
        InputError: the object is no Parquet, or lacks a column that is asked for.
    """
    try:
        yield from read_selected(store, key, piece, options, block_bytes)
    except (pa.ArrowException, OSError, ValueError, LookupError, OverflowError) as error:
        raise InputError(
            f"{piece.uri}: cannot be read as Parquet ({error}); correct the object, or set another input.format"
        ) from error


def read_selected(
    store: ObjectStore, key: str, piece: Piece, options: InputOptions, block_bytes: int
) -> Iterator[RecordBlock]:
    """Yield the rows of the row groups that are the piece's and may have rows for the filter."""
    handle = RangeFile(store, key, piece)
    metadata = pq.read_metadata(pa.PythonFile(handle, mode="r"))
    schema = metadata.schema.to_arrow_schema()
    columns = list(dict.fromkeys(options.columns)) or schema.names
    fetched = list(dict.fromkeys([*columns, *(condition.column for condition in options.filter)]))
    refuse_unknown(fetched, schema, piece.uri)
    refuse_strays(metadata, piece)
    wanted = compile_filter(options.filter, schema, piece.uri)
    pruning = compile_pruning(options.filter, schema, piece.uri)
    buffer_bytes = min(max(FETCH_BYTES // max(len(fetched), 1), LEAST_FETCH_BYTES), MOST_FETCH_BYTES)
    uncharged = piece.end - piece.start
    with pq.ParquetFile(pa.PythonFile(handle, mode="r"), metadata=metadata, buffer_size=buffer_bytes) as file:
        for number in choose_row_groups(handle, metadata, piece, pruning):
            charge = min(stored_bytes(metadata, number), uncharged)
            for rows in read_row_group(file, number, fetched, block_bytes):
                yield make_block(rows if wanted is None else rows.filter(wanted), columns, charge, piece.uri)
                uncharged, charge = uncharged - charge, 0
    if uncharged:
        nothing = pa.table({name: pa.array([], pa.null()) for name in [ROW_NUMBER, *columns]})
        yield make_block(nothing, columns, uncharged, piece.uri)


def read_row_group(file: pq.ParquetFile, number: int, columns: list[str], block_bytes: int) -> Iterator[pa.Table]:
    """Yield the rows of a row group, with a column of their numbers in the object."""
    group = file.metadata.row_group(number)
    first = sum(file.metadata.row_group(before).num_rows for before in range(number))
    rows = min(max(block_bytes * group.num_rows // max(group.total_byte_size, 1), 1), MOST_ROWS)
    for batch in file.iter_batches(batch_size=rows, row_groups=[number], columns=columns, use_threads=False):
        numbers = pa.array(np.arange(first, first + batch.num_rows), pa.int64())
        yield pa.Table.from_batches([batch]).append_column(ROW_NUMBER, numbers)
        first += batch.num_rows


def refuse_unknown(columns: list[str], schema: pa.Schema, uri: str) -> None:
    """Refuse columns that an object does not have, and an object that has two of one name."""
    twice = [name for name, times in Counter([*schema.names, ROW_NUMBER]).items() if times > 1]
    if twice:
        raise InputError(f"{uri}: has more than one column {', '.join(twice)}: rename all but one in the object")
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise InputError(
            f"{uri}: has no column {', '.join(unknown)}; it has {', '.join(schema.names)}: correct input.columns or "
            "input.filter"
        )


def refuse_strays(metadata: pq.FileMetaData, piece: Piece) -> None:
    """Refuse an object whose row groups lie elsewhere, by what it says of itself: no piece would have them."""
    for number in range(metadata.num_row_groups):
        if not 0 <= middle_of(metadata, number) < piece.object_bytes:
            raise InputError(
                f"{piece.uri}: its footer puts row group {number} outside the object: it is damaged, write it again"
            )


def choose_row_groups(handle: RangeFile, metadata: pq.FileMetaData, piece: Piece, wanted: Filter) -> list[int]:
    """Return the row groups whose middles are in the piece, without those that have no row for the filter."""
    groups = range(metadata.num_row_groups)
    own = [number for number in groups if piece.start <= middle_of(metadata, number) < piece.end]
    if wanted is None or not own:
        return own
    import pyarrow.dataset as ds  # noqa: PLC0415 - it takes its time, and only filters need it

    fragment = ds.ParquetFileFormat().make_fragment(pa.PythonFile(handle, mode="r"), row_groups=own)
    return [group.id for group in fragment.subset(wanted).row_groups]


def stored_bytes(metadata: pq.FileMetaData, number: int) -> int:
    """Return what a row group takes of the object."""
    group = metadata.row_group(number)
    return sum(group.column(index).total_compressed_size for index in range(group.num_columns))


def middle_of(metadata: pq.FileMetaData, number: int) -> int:
    """Return the byte in the middle of a row group."""
    group = metadata.row_group(number)
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(filter(None, (each.dictionary_page_offset, each.data_page_offset))) for each in columns]
    return min(starts, default=0) + stored_bytes(metadata, number) // 2
