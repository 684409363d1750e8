"""JSONLines: a record is a line that is not blank; its value is the parsed JSON, its key the line's byte offset."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from podreduce.errors import InputError
from podreduce.inputs.blocks import Block
from podreduce.inputs.record_block import RecordBlock, Salvaged
from podreduce.inputs.salvage import iter_lines, salvage_lines
from podreduce.inputs.text import line_offsets

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_records"]

decode_json = msgspec.json.Decoder().decode
CANNOT_DECODE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a line may raise that is no JSON, holds bytes that are no UTF-8, or nests some thousand deep."""


def json_records(block: Block, uri: str) -> RecordBlock:
    """Make records of whole lines; the block's methods raise InputError where a line is no JSON."""
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri),
        make_keys=partial(filled_offsets, block),
        make_arrow=partial(to_arrow, block, uri),
        salvage=lambda as_columns: salvage_json(block, uri, as_columns=as_columns),
    )


def salvage_json(block: Block, uri: str, *, as_columns: bool) -> Salvaged:
    """Return the lines that are JSON (for columns: objects), and those that are not."""
    parse = partial(parse_objects if as_columns else parse_lines, uri=uri)
    return salvage_lines(block, iter_lines(block), parse, objects_to_arrow)


def parse_lines(block: Block, uri: str) -> list[Any]:
    """Return the values of the lines that are not blank."""
    values, offset = [], block.offset
    for line in block.data.split(b"\n"):
        if line.strip():
            try:
                values.append(decode_json(line))
            except CANNOT_DECODE as error:
                raise InputError(
                    f"{uri}: the line at byte {offset} is no JSON ({error}); correct the object, or read it as Text"
                ) from error
        offset += len(line) + 1
    return values


def filled_offsets(block: Block) -> list[int]:
    """Return where each line that is not blank starts."""
    lines = block.data.split(b"\n")
    return [offset for offset, line in zip(line_offsets(block), lines, strict=False) if line.strip()]


def parse_objects(block: Block, uri: str) -> list[dict[str, Any]]:
    """Return the values of the lines, all of them objects.

    Raises:
        InputError: a line is no JSON, or no object.
    """
    values = parse_lines(block, uri)
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{uri}: from byte {block.offset} on a line is no object: map_batch takes lines of objects")
    return values


def to_arrow(block: Block, uri: str) -> "pa.RecordBatch":
    """Return the objects' fields as columns."""
    return objects_to_arrow((), parse_objects(block, uri))


def objects_to_arrow(keys: Sequence[int], values: Sequence[dict[str, Any]]) -> "pa.RecordBatch":
    """Return objects' fields as columns; their keys are no column."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    del keys
    return pa.RecordBatch.from_pylist(values)
