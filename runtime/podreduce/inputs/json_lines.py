"""JSONLines: a record is a line that is not blank; its value is the parsed JSON, its key the line's byte offset."""

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from podreduce.errors import InputError
from podreduce.inputs.blocks import Block
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.text import line_offsets

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_records"]

decode_json = msgspec.json.Decoder().decode


def json_records(block: Block, uri: str) -> RecordBlock:
    """Make records of whole lines; the block's methods raise InputError where a line is no JSON."""
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri),
        make_keys=partial(filled_offsets, block),
        make_arrow=partial(to_arrow, block, uri),
    )


def parse_lines(block: Block, uri: str) -> list[Any]:
    """Return the values of the lines that are not blank."""
    values, offset = [], block.offset
    for line in block.data.split(b"\n"):
        if line.strip():
            try:
                values.append(decode_json(line))
            except msgspec.DecodeError as error:
                raise InputError(
                    f"{uri}: the line at byte {offset} is no JSON ({error}); correct the object, or read it as Text"
                ) from error
        offset += len(line) + 1
    return values


def filled_offsets(block: Block) -> list[int]:
    """Return where each line that is not blank starts."""
    lines = block.data.split(b"\n")
    return [offset for offset, line in zip(line_offsets(block), lines, strict=False) if line.strip()]


def to_arrow(block: Block, uri: str) -> "pa.RecordBatch":
    """Return the objects' fields as columns."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    values = parse_lines(block, uri)
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{uri}: from byte {block.offset} on a line is no object: map_batch takes lines of objects")
    return pa.RecordBatch.from_pylist(values)
