"""Parquet: a record is a row; its value is a dict of its columns, its key the row's number in the object.

A row group belongs to the piece that contains its middle byte. So every row is read once wherever the object is cut,
and planning need not read the object. Only the needed columns are fetched, in small requests that fit in memory. Row
groups whose statistics exclude every row of the filter are not fetched.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece
from podreduce.inputs.parquet_filter import Filter, compile_filter, compile_pruning
from podreduce.inputs.parquet_footer import RangeFile, middle_of, refuse_broken_chunks, refuse_strays, stored_bytes
from podreduce.inputs.parquet_values import ROW_NUMBER, make_block
from podreduce.inputs.record_block import RecordBlock
from podreduce.storage import ObjectStore

__all__ = ["parquet_records"]

FETCH_BYTES: Final = 32 << 20
"""How many stored bytes of all columns of a row group are in memory at a time, unless there are very many columns."""
LEAST_FETCH_BYTES: Final = 64 << 10
MOST_FETCH_BYTES: Final = 8 << 20
MOST_ROWS: Final = 1 << 16


def parquet_records(
    store: ObjectStore, key: str, piece: Piece, options: InputOptions, *, block_bytes: int
) -> Iterator[RecordBlock]:
    """Yield the rows that belong to a piece, in blocks of some `block_bytes`.

    Raises:
        InputError: the object is not Parquet, or lacks a needed column.
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
    """Yield the rows of the piece's row groups that may have rows for the filter."""
    handle = RangeFile(lambda start, end: store.get_range(key, start, end, etag=piece.etag), piece.object_bytes)
    metadata = pq.read_metadata(pa.PythonFile(handle, mode="r"))
    schema = metadata.schema.to_arrow_schema()
    columns = list(dict.fromkeys(options.columns)) or schema.names
    fetched = list(dict.fromkeys([*columns, *(condition.column for condition in options.filter)]))
    refuse_unknown(fetched, schema, piece.uri)
    refuse_broken_chunks(metadata, piece.object_bytes)
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
    """Refuse missing columns, and an object with two columns of one name."""
    twice = [name for name, times in Counter([*schema.names, ROW_NUMBER]).items() if times > 1]
    if twice:
        raise InputError(f"{uri}: has more than one column {', '.join(twice)}: rename all but one in the object")
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise InputError(
            f"{uri}: has no column {', '.join(unknown)}; it has {', '.join(schema.names)}: correct input.columns or "
            "input.filter"
        )


def choose_row_groups(handle: RangeFile, metadata: pq.FileMetaData, piece: Piece, wanted: Filter) -> list[int]:
    """Return the row groups with their middle in the piece, without those that have no row for the filter."""
    groups = range(metadata.num_row_groups)
    own = [number for number in groups if piece.start <= middle_of(metadata, number) < piece.end]
    if wanted is None or not own:
        return own
    import pyarrow.dataset as ds  # noqa: PLC0415 - slow to import, and only filters need it

    fragment = ds.ParquetFileFormat().make_fragment(pa.PythonFile(handle, mode="r"), row_groups=own)
    return [group.id for group in fragment.subset(wanted).row_groups]
