r"""Text: a record is a line, without its `\n` or `\r\n`; its key is its byte offset in the decompressed object."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from podreduce.contract.errors import InputError
from podreduce.inputs.bad_lines import iter_lines, salvage_lines
from podreduce.inputs.blocks import NEWLINE, Block
from podreduce.inputs.first_bytes import advise_not_text
from podreduce.inputs.record_block import RecordBlock, Salvaged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["decode_block", "line_offsets", "text_records"]


def text_records(block: Block, uri: str, *, errors: str) -> RecordBlock:
    """Make records of whole lines; `errors` is `strict` or `replace`.

    The block's methods raise InputError if bytes are not UTF-8 and `errors` is `strict`.
    """
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(split_lines, block, uri, errors),
        make_keys=partial(line_offsets, block),
        make_arrow=partial(to_arrow, block, uri, errors),
        salvage=lambda _: salvage_text(block, uri, errors),
    )


def salvage_text(block: Block, uri: str, errors: str) -> Salvaged:
    """Return the lines that are UTF-8, and those that are not."""
    return salvage_lines(block, iter_lines(block), partial(split_lines, uri=uri, errors=errors), lines_to_arrow)


def decode_block(block: Block, uri: str, errors: str) -> str:
    """Decode a block's lines as a whole: no byte of a longer UTF-8 sequence is a newline.

    Raises:
        InputError: bytes are not UTF-8 and `errors` is `strict`; the message has their offset.
    """
    try:
        return block.data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        advice = advise_not_text(b"" if block.data_offset else block.data)
        place = block.data_offset + error.start
        raise InputError(f"{uri}: byte {place} is not UTF-8 ({error.reason}); {advice}") from error


def split_lines(block: Block, uri: str, errors: str) -> list[str]:
    """Return the lines."""
    text = decode_block(block, uri, errors)
    *lines, rest = text.split("\n")
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    if rest:
        lines.append(rest)
    return lines


def line_offsets(block: Block) -> list[int]:
    """Return where each line starts."""
    lines = block.data.split(NEWLINE)
    if not lines[-1]:
        lines.pop()
    offsets = list(accumulate((len(line) + 1 for line in lines), initial=block.data_offset))
    offsets.pop()
    offsets[:1] = [block.offset] * bool(offsets)
    return offsets


def to_arrow(block: Block, uri: str, errors: str) -> "pa.RecordBatch":
    """Return the lines as a column, without making a Python object of each."""
    import numpy as np  # noqa: PLC0415 - only the columnar tier needs it
    import pyarrow as pa  # noqa: PLC0415 - likewise
    import pyarrow.compute as pc  # noqa: PLC0415 - likewise

    text = decode_block(block, uri, errors)
    lines = pc.split_pattern(pa.array([text], pa.string()), "\n").flatten()
    ended, rest = lines[:-1], lines[-1:]
    if "\r" in text:
        ended = pc.replace_substring_regex(ended, r"\r$", "")
    lines = pa.concat_arrays([ended, rest]) if text and not text.endswith("\n") else ended
    ends = np.flatnonzero(np.frombuffer(block.data, np.uint8) == NEWLINE[0]) + 1
    starts = np.concatenate(([0], ends))[: len(lines)] + block.data_offset
    starts[:1] = block.offset
    return pa.record_batch({"key": pa.array(starts, pa.int64()), "value": lines})


def lines_to_arrow(keys: Sequence[int], values: Sequence[str]) -> "pa.RecordBatch":
    """Return decoded lines as a batch."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    return pa.record_batch({"key": pa.array(keys, pa.int64()), "value": pa.array(values, pa.string())})
