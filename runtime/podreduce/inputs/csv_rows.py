"""CSV: a record is a row; its value is a dict of its fields by column with a header, else a list; its key the offset.

Rows are lines unless `multiline` says that quoted fields may hold newlines: then an object is read as a whole.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from podreduce.errors import InputError
from podreduce.inputs.blocks import Block
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.text import decode_block, line_offsets

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CsvShape", "csv_records", "multiline_records", "parse_header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """How rows are written; `columns` are the header's names, None without a header."""

    delimiter: str
    quote: str
    columns: tuple[str, ...] | None

    def rows(self, lines: Sequence[str] | Iterator[str]) -> Iterator[list[str]]:
        """Yield the rows of lines."""
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def value(self, row: list[str]) -> Any:  # noqa: ANN401 - a list or a dict
        """Return a row as the program gets it."""
        return row if self.columns is None else dict(zip(self.columns, row, strict=True))


def parse_header(line: str, shape: CsvShape) -> tuple[str, ...]:
    """Return the names in an object's first line."""
    return tuple(next(shape.rows([line]), []))


def csv_records(block: Block, uri: str, shape: CsvShape, *, errors: str, skip: int = 0) -> RecordBlock:
    """Make records of whole lines, one a row, but for the first `skip`; blank lines are none."""
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri, shape, errors, skip),
        make_keys=partial(filled_offsets, block, skip),
        make_arrow=partial(to_arrow, block, uri, shape, errors, skip),
    )


def parse_lines(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> list[Any]:
    """Return the rows' values.

    Raises:
        InputError: a line is no row, or has not the header's number of fields.
    """
    lines = decode_block(block, uri, errors).split("\n")
    values = []
    for number, line in enumerate(lines):
        text = line.removesuffix("\r")
        if number < skip or not text:
            continue
        try:
            values.append(shape.value(next(shape.rows([text]))))
        except (csv.Error, ValueError) as error:
            raise bad_row(uri, line_offsets(block)[number], error) from error
    return values


def bad_row(uri: str, offset: int, error: Exception) -> InputError:
    """Return the error for a row that cannot be read."""
    return InputError(
        f"{uri}: the row at byte {offset} cannot be read ({error}); correct the object, or input.csv (header, "
        "delimiter, quote; multiline: true if fields hold newlines)"
    )


def filled_offsets(block: Block, skip: int) -> list[int]:
    """Return where each row starts."""
    lines = block.data.split(b"\n")
    pairs = zip(line_offsets(block)[skip:], lines[skip:], strict=False)
    return [offset for offset, line in pairs if line.removesuffix(b"\r")]


def to_arrow(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> "pa.RecordBatch":
    """Return the rows' fields as columns of strings."""
    return rows_to_arrow(parse_lines(block, uri, shape, errors, skip))


def rows_to_arrow(values: list[Any]) -> "pa.RecordBatch":
    """Return rows as columns; without a header they are named by number."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    if values and isinstance(values[0], list):
        values = [{str(number): field for number, field in enumerate(row)} for row in values]
    return pa.RecordBatch.from_pylist(values)


def multiline_records(block: Block, uri: str, shape: CsvShape, *, errors: str, header: bool) -> RecordBlock:
    """Make records of a whole object, whose fields may hold newlines; keys are the rows' numbers."""
    lines = decode_block(block, uri, errors).splitlines(keepends=True)
    reader = shape.rows(lines)
    try:
        if header:
            shape = CsvShape(delimiter=shape.delimiter, quote=shape.quote, columns=tuple(next(reader, [])))
        values = [shape.value(row) for row in reader if row]
    except (csv.Error, ValueError) as error:
        raise bad_row(uri, block.offset, error) from error
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=lambda: values,
        make_keys=lambda: range(len(values)),
        make_arrow=partial(rows_to_arrow, values),
        key_unit="row",
    )
