"""Chooses the reader of a piece by the plan's input format."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece, Plan
from podreduce.contract.texts import render_count
from podreduce.inputs.blocks import BLOCK_BYTES, CHUNK_BYTES, TAIL_BYTES, Block, naming_changes, read_blocks
from podreduce.inputs.compression import is_compressed, read_decompressed
from podreduce.inputs.csv_header import blank_header, parse_header
from podreduce.inputs.csv_objects import multiline_records
from podreduce.inputs.csv_rows import CsvShape, csv_records, parse_lines
from podreduce.inputs.fixed_length import RecordShape, fixed_length_records, record_range
from podreduce.inputs.json_lines import json_records
from podreduce.inputs.pairs import read_pairs
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.text import text_records
from podreduce.storage import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LARGE_BLOCK_BYTES", "is_splittable", "read_records", "reads_whole_objects"]

LARGE_BLOCK_BYTES = 4 * 1024 * 1024
"""For the columnar tier, where a block costs some calls and its records cost nothing."""

MAX_WHOLE_BYTES = 1024 * 1024 * 1024

Reader = Callable[[Plan, ObjectStore, str, Piece, int], Iterator[RecordBlock]]
"""(plan, store, key in it, piece, block size in bytes) → the piece's records."""


def is_splittable(uri: str) -> bool:
    """Tell whether an object may be cut at any byte, by its name."""
    return not is_compressed(uri)


def reads_whole_objects(input_format: str, options: InputOptions) -> bool:
    """Tell whether the format needs every object in one piece."""
    return input_format == "WholeObject" or (input_format == "CSV" and options.csv_multiline)


def read_records(
    plan: Plan, store: ObjectStore, key: str, piece: Piece, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[RecordBlock]:
    """Yield the records of `piece`, from the object at `key` of `store`, in blocks of some `block_bytes`.

    Raises:
        InputError: the object is gone, has changed, or does not have the input's format.
    """
    if plan.input_format not in READERS:
        raise InputError(f"input.format {plan.input_format!r}: this version reads {', '.join(READERS)}")
    return READERS[plan.input_format](plan, store, key, piece, block_bytes)


def read_text(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read lines."""
    errors = "replace" if plan.encoding_errors == "Replace" else "strict"
    records = partial(text_records, uri=piece.uri, errors=errors)
    return map(records, read_blocks(store, key, piece, block_bytes=block_bytes))


def read_fixed_length(
    plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int
) -> Iterator[RecordBlock]:
    """Read records of fixed length."""
    options = plan.input_options
    shape = RecordShape(record_length=options.record_length or 1, key_length=options.key_length)
    with naming_changes(piece.uri):
        if is_compressed(piece.uri):
            chunks = read_decompressed(store, key, piece)
        else:
            start, end = record_range(piece, shape)
            whole_bytes = max(CHUNK_BYTES // shape.record_length, 1) * shape.record_length  # else each block is copied
            stream = store.stream(key, start, end, etag=piece.etag, chunk_bytes=whole_bytes) if start < end else ()
            chunks = ((chunk, len(chunk)) for chunk in stream)
        yield from fixed_length_records(chunks, piece.uri, shape, block_bytes=block_bytes)


def read_json_lines(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read lines of JSON."""
    errors = "replace" if plan.encoding_errors == "Replace" else "strict"
    records = partial(json_records, uri=piece.uri, options=plan.input_options, errors=errors)
    return map(records, read_blocks(store, key, piece, block_bytes=block_bytes))


def read_csv(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read CSV rows."""
    options = plan.input_options
    errors = "replace" if plan.encoding_errors == "Replace" else "strict"
    shape = CsvShape(delimiter=options.csv_delimiter, quote=options.csv_quote, columns=None)
    if options.csv_multiline:
        whole = list(read_blocks(store, key, piece, block_bytes=block_bytes))
        data = b"".join(block.data for block in whole)
        block = Block(offset=0, data=data, stored_bytes=sum(block.stored_bytes for block in whole))
        yield multiline_records(block, piece.uri, shape, errors=errors, header=options.csv_header)
        return
    if options.csv_header:
        shape = replace(shape, columns=read_header(store, key, piece, shape, errors))
    number_columns = cache(partial(read_numbered, store, key, piece, shape, errors))
    for block in read_blocks(store, key, piece, block_bytes=block_bytes):
        if shape.columns == () and block.data.strip(b"\r\n"):
            raise blank_header(piece.uri)
        skip = int(options.csv_header and block.offset == 0)
        shape_of_columns = number_columns if shape.columns is None else lambda: shape
        yield csv_records(block, piece.uri, shape, errors=errors, skip=skip, shape_of_columns=shape_of_columns)


def read_numbered(store: ObjectStore, key: str, piece: Piece, shape: CsvShape, errors: str) -> CsvShape:
    """Return the shape with columns numbered by the first readable row of a piece's object."""
    for end in (min(TAIL_BYTES, piece.object_bytes), piece.object_bytes):
        for block in read_blocks(store, key, start_of_object(piece, end), block_bytes=1):
            with suppress(InputError):
                for row in parse_lines(block, piece.uri, shape, errors, 0):
                    return shape.numbered(len(row))
    return shape.numbered(0)


def start_of_object(piece: Piece, end: int) -> Piece:
    """Return the piece of an object from 0 to `end`, or all of it if it is compressed."""
    end = piece.object_bytes if is_compressed(piece.uri) else end
    return Piece(uri=piece.uri, start=0, end=end, object_bytes=piece.object_bytes, etag=piece.etag)


def read_header(store: ObjectStore, key: str, piece: Piece, shape: CsvShape, errors: str) -> tuple[str, ...]:
    """Read the first line of a piece's object."""
    first = start_of_object(piece, min(1, piece.object_bytes))
    block = next(read_blocks(store, key, first, block_bytes=1), None)
    if block is None:
        return ()
    return parse_header(block.data, piece.uri, shape, errors)


def read_parquet(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read rows of Parquet."""
    from podreduce.inputs.parquet_rows import parquet_records  # noqa: PLC0415 - pyarrow; only this format needs it

    if is_compressed(piece.uri):
        raise InputError(f"{piece.uri}: a Parquet object must not be compressed as a whole: decompress it")
    with naming_changes(piece.uri):
        yield from parquet_records(store, key, piece, plan.input_options, block_bytes=block_bytes)


def read_whole_object(
    plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int
) -> Iterator[RecordBlock]:
    """Read an object as one record: its URI and its bytes, decompressed."""
    del plan, block_bytes
    with naming_changes(piece.uri):
        if is_compressed(piece.uri) and piece.object_bytes:
            data = b"".join(chunk for chunk, _ in read_decompressed(store, key, piece))
        else:
            refuse_large(piece.uri, piece.object_bytes)
            data = store.get(key, etag=piece.etag)
    refuse_large(piece.uri, len(data))
    yield RecordBlock(
        stored_bytes=piece.object_bytes,
        make_values=lambda: [data],
        make_keys=lambda: [piece.uri],
        make_arrow=partial(object_to_arrow, piece.uri, data),
        key_unit="key",
    )


def refuse_large(uri: str, size: int) -> None:
    """Refuse an object that is too large for one record."""
    if size > MAX_WHOLE_BYTES:
        raise InputError(
            f"{uri}: {render_count(size, 'byte')} are too many for one record (WholeObject takes {MAX_WHOLE_BYTES:,}): "
            "set another input.format"
        )


def object_to_arrow(uri: str, data: bytes) -> "pa.RecordBatch":
    """Return the object as a batch of one row."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    return pa.record_batch({"key": [uri], "value": [data]})


READERS: dict[str, Reader] = {
    "Text": read_text,
    "JSONLines": read_json_lines,
    "CSV": read_csv,
    "Parquet": read_parquet,
    "FixedLength": read_fixed_length,
    "WholeObject": read_whole_object,
    "Pairs": read_pairs,
}
