"""Makes records, (key, value), of blocks of lines; the seam for further input formats. Rule: pure."""

from collections.abc import Callable, Iterator
from functools import partial

from podreduce.errors import InputError
from podreduce.formats.blocks import Block

__all__ = ["RecordReader", "record_reader"]

RecordReader = Callable[[Block, str], Iterator[tuple[int, str]]]
"""(block, URI for messages) -> (byte offset in the decompressed object, value) of each record."""


def record_reader(input_format: str, encoding_errors: str) -> RecordReader:
    """Return the reader of `spec.input.format` and `spec.input.encodingErrors`.

    Raises:
        InputError: there is no such format.
    """
    if input_format != "Text":
        raise InputError(f"input.format {input_format!r}: this version reads Text")
    return partial(read_text, errors="replace" if encoding_errors == "Replace" else "strict")


def read_text(block: Block, uri: str, *, errors: str) -> Iterator[tuple[int, str]]:
    r"""Yield (offset, line) of each line of UTF-8, without its `\n` or `\r\n`.

    Raises:
        InputError: bytes are no UTF-8 and `errors` is `strict`; the message has their offset.
    """
    offset = block.offset
    *lines, rest = block.data.split(b"\n")
    returns = b"\r" in block.data
    try:
        for line in lines:
            yield offset, (line[:-1] if returns and line[-1:] == b"\r" else line).decode("utf-8", errors)
            offset += len(line) + 1
        if rest:
            yield offset, rest.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{uri}: byte {offset + error.start} is no UTF-8 ({error.reason}); correct the object, or set "
            "input.encodingErrors: Replace"
        ) from error
