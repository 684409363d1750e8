"""JSONLines: a record is a line that is not blank; its value is the parsed JSON, its key the line's byte offset."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions
from podreduce.inputs.bad_lines import iter_lines, salvage_lines
from podreduce.inputs.blocks import NEWLINE, Block
from podreduce.inputs.json_documents import CANNOT_DECODE, decode_document, decode_objects
from podreduce.inputs.json_inference import infer_columns
from podreduce.inputs.record_block import RecordBlock, Salvaged
from podreduce.inputs.text import line_offsets

if TYPE_CHECKING:
    import pyarrow as pa

    from podreduce.inputs.json_columns import JsonColumns

__all__ = ["json_records"]


def json_records(block: Block, uri: str, options: InputOptions, *, errors: str) -> RecordBlock:
    """Make records of whole lines; `errors` is `strict` or `replace`.

    The block's methods raise InputError if a line is not JSON.
    """
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri, errors),
        make_keys=partial(filled_offsets, block),
        make_arrow=partial(to_arrow, block, uri, options, errors),
        salvage=lambda as_columns: salvage_json(block, uri, options, errors, as_columns=as_columns),
    )


def read_bytes(block: Block, errors: str) -> bytes:
    """Return a block's lines; with `replace`, invalid UTF-8 becomes U+FFFD. Newlines stay where they are."""
    return block.data if errors == "strict" or block.data.isascii() else block.data.decode("utf-8", errors).encode()


def salvage_json(block: Block, uri: str, options: InputOptions, errors: str, *, as_columns: bool) -> Salvaged:
    """Return the lines that are JSON (for columns: objects that fit), and the other lines."""
    columns = open_columns(block, uri, options) if as_columns else None

    def parse(line: Block) -> list[Any]:
        if columns is None:
            return parse_lines(line, uri, errors)
        values = parse_objects(line, uri, errors)
        convert_objects(columns, values, [line.offset], uri)
        return values

    def to_batch(keys: Sequence[int], values: Sequence[dict[str, Any]]) -> "pa.RecordBatch":
        found = columns or open_columns(block, uri, options)
        return found.to_batch(convert_objects(found, values, keys, uri))

    return salvage_lines(block, iter_lines(block), parse, to_batch)


def parse_lines(block: Block, uri: str, errors: str) -> list[Any]:
    """Return the values of the lines that are not blank.

    Raises:
        InputError: a line is not JSON.
    """
    values = decode_objects(read_bytes(block, errors))
    return parse_each_line(block, uri, errors) if values is None else values


def parse_each_line(block: Block, uri: str, errors: str) -> list[Any]:
    """Return the values of the lines, decoded one by one."""
    values = []
    for number, line in enumerate(read_bytes(block, errors).split(NEWLINE)):
        if line.strip():
            try:
                values.append(decode_document(line))
            except CANNOT_DECODE as error:
                raise InputError(
                    f"{uri}: the line at byte {line_offsets(block)[number]} is not JSON ({error}); correct the object, "
                    "or set input.format: Text"
                ) from error
    return values


def filled_offsets(block: Block) -> list[int]:
    """Return where each line that is not blank starts."""
    lines = block.data.split(NEWLINE)
    return [offset for offset, line in zip(line_offsets(block), lines, strict=False) if line.strip()]


def parse_objects(block: Block, uri: str, errors: str) -> list[dict[str, Any]]:
    """Return the values of the lines, all of them objects.

    Raises:
        InputError: a line is not JSON, or not an object.
    """
    values = parse_lines(block, uri, errors)
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            raise InputError(
                f"{uri}: the line at byte {filled_offsets(block)[number]} is not an object, but map_batch needs "
                "objects; correct the object, or write map_func"
            )
    return values


def to_arrow(block: Block, uri: str, options: InputOptions, errors: str) -> "pa.RecordBatch":
    """Return the objects' fields as columns.

    Raises:
        InputError: a line is not an object, or does not fit the columns.
    """
    columns = open_columns(block, uri, options)
    batch = columns.read_at_once(read_bytes(block, errors))
    if batch is None:
        values = parse_objects(block, uri, errors)
        batch = columns.to_batch(convert_objects(columns, values, filled_offsets(block), uri))
    return batch


def convert_objects(
    columns: "JsonColumns", values: Sequence[dict[str, Any]], offsets: Sequence[int], uri: str
) -> list[dict[str, Any]]:
    """Return objects, which start at these offsets, in the form that the columns need.

    Raises:
        InputError: one does not fit.
    """
    from podreduce.inputs.json_columns import MisfitError  # noqa: PLC0415 - pyarrow, which row jobs do not need

    converted: list[dict[str, Any]] = []
    try:
        for value in values:
            converted.append(columns.convert(value))  # noqa: PERF401 - its length tells which one does not fit
    except MisfitError as error:
        raise error.as_input_error(uri, offsets[len(converted)]) from None
    return converted


def open_columns(block: Block, uri: str, options: InputOptions) -> "JsonColumns":
    """Return the plan's columns; a plan of an earlier version has none, so the block's columns are used."""
    from podreduce.inputs.json_columns import declared_columns  # noqa: PLC0415 - pyarrow, which row jobs do not need

    if options.schema is None:
        options = structs.replace(options, schema=infer_columns(block.data.split(NEWLINE)))
    try:
        return declared_columns(options)
    except ValueError as error:
        raise InputError(f"{uri}: input.schema: {error}") from None
