"""Parquet: a record is a row; its value is a dict of its columns, its key the row's number in the object.

A row group belongs to the piece in which its middle lies: so every row is read once however the object is cut, and
nobody has to look into it to plan. Only the columns that are asked for are fetched, in small requests that memory
holds; row groups that by their statistics have no row for the filter are not fetched at all.
"""

from collections.abc import Iterable, Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from podreduce.contract.plan import Condition, InputOptions, Piece
from podreduce.errors import InputError
from podreduce.inputs.record_block import RecordBlock
from podreduce.storage import ObjectStore

__all__ = ["parquet_records"]

ROW_NUMBER: Final = "podreduce row number"
FETCH_BYTES: Final = 32 << 20
"""What all columns of a row group together have in memory of what is stored, unless they are very many."""
LEAST_FETCH_BYTES: Final = 64 << 10
MOST_FETCH_BYTES: Final = 8 << 20
MOST_ROWS: Final = 1 << 16

Filter: TypeAlias = "pc.Expression | None"

OPERATORS: Final[dict[str, Any]] = {
    "Equal": pc.Expression.__eq__,
    "NotEqual": pc.Expression.__ne__,
    "Less": pc.Expression.__lt__,
    "LessOrEqual": pc.Expression.__le__,
    "Greater": pc.Expression.__gt__,
    "GreaterOrEqual": pc.Expression.__ge__,
}


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
    except (pa.ArrowException, OSError) as error:
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
    columns = list(options.columns) or schema.names
    fetched = list(dict.fromkeys([*columns, *(condition.column for condition in options.filter)]))
    refuse_unknown(fetched, schema, piece.uri)
    wanted = compile_filter(options.filter, schema, piece.uri)
    buffer_bytes = min(max(FETCH_BYTES // max(len(fetched), 1), LEAST_FETCH_BYTES), MOST_FETCH_BYTES)
    uncharged = piece.end - piece.start
    with pq.ParquetFile(pa.PythonFile(handle, mode="r"), metadata=metadata, buffer_size=buffer_bytes) as file:
        for number in choose_row_groups(handle, metadata, piece, wanted):
            charge = min(stored_bytes(metadata, number), uncharged)
            for rows in read_row_group(file, number, fetched, block_bytes):
                yield make_block(rows if wanted is None else rows.filter(wanted), columns, charge)
                uncharged, charge = uncharged - charge, 0
    if uncharged:
        yield make_block(
            pa.table({name: pa.array([], pa.null()) for name in [ROW_NUMBER, *columns]}), columns, uncharged
        )


def read_row_group(file: pq.ParquetFile, number: int, columns: list[str], block_bytes: int) -> Iterator[pa.Table]:
    """Yield the rows of a row group, with a column of their numbers in the object."""
    group = file.metadata.row_group(number)
    first = sum(file.metadata.row_group(before).num_rows for before in range(number))
    rows = min(max(block_bytes * group.num_rows // max(group.total_byte_size, 1), 1), MOST_ROWS)
    for batch in file.iter_batches(batch_size=rows, row_groups=[number], columns=columns, use_threads=False):
        numbers = pa.array(np.arange(first, first + batch.num_rows), pa.int64())
        yield pa.Table.from_batches([batch]).append_column(ROW_NUMBER, numbers)
        first += batch.num_rows


def make_block(rows: pa.Table, columns: list[str], stored: int) -> RecordBlock:
    """Make a block of rows."""
    return RecordBlock(
        stored_bytes=stored,
        make_values=lambda: rows.select(columns).to_pylist(),
        make_keys=lambda: rows.column(ROW_NUMBER).to_pylist(),
        make_arrow=lambda: one_batch(rows.select(columns)),
        key_unit="row",
    )


def one_batch(rows: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch."""
    return pa.record_batch([column.combine_chunks() for column in rows.columns], schema=rows.schema)


def refuse_unknown(columns: list[str], schema: pa.Schema, uri: str) -> None:
    """Refuse columns that an object does not have."""
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise InputError(
            f"{uri}: has no column {', '.join(unknown)}; it has {', '.join(schema.names)}: correct input.columns or "
            "input.filter"
        )


def compile_filter(conditions: Iterable[Condition], schema: pa.Schema, uri: str) -> Filter:
    """Return the conditions as one expression, None if there are none."""
    expression = None
    for each in (compile_condition(condition, schema, uri) for condition in conditions):
        expression = each if expression is None else expression & each
    return expression


def compile_condition(condition: Condition, schema: pa.Schema, uri: str) -> pc.Expression:
    """Return a condition of the filter, its values cast to the column's type."""
    column, kind = pc.field(condition.column), schema.field(condition.column).type
    if condition.operator in ("IsNull", "IsNotNull"):
        return column.is_null() if condition.operator == "IsNull" else column.is_valid()
    wanted = condition.values if condition.value is None else (condition.value,)
    try:
        values = [pa.scalar(value).cast(kind) for value in wanted]
    except pa.ArrowException as error:
        raise InputError(
            f"{uri}: input.filter: {', '.join(map(repr, wanted))} cannot be compared with the column "
            f"{condition.column}, which is {kind} ({error})"
        ) from error
    if condition.operator in ("In", "NotIn"):
        is_in = column.isin(pa.array([value.as_py() for value in values], kind))
        return is_in if condition.operator == "In" else ~is_in & column.is_valid()
    expression: pc.Expression = OPERATORS[condition.operator](column, values[0])
    return expression


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
