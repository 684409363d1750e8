"""CSV: a record is a row; its value is a dict of its fields by column with a header, else a list; its key the offset.

Rows are lines here; `csv_objects` is for those whose quoted fields may hold newlines.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from podreduce.errors import InputError
from podreduce.inputs.blocks import Block
from podreduce.inputs.record_block import RecordBlock, Salvaged
from podreduce.inputs.salvage import iter_lines, salvage_lines
from podreduce.inputs.text import decode_block, line_offsets

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

__all__ = ["CsvShape", "bad_row", "csv_records", "rows_to_arrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """How rows are written; `columns` are the header's names, None without a header."""

    delimiter: str
    quote: str
    columns: tuple[str, ...] | None

    def rows(self, lines: Sequence[str]) -> "Reader":
        """Return the reader of the rows of lines."""
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def value(self, row: list[str]) -> Any:  # noqa: ANN401 - a list or a dict
        """Return a row as the program gets it.

        Raises:
            ValueError: it has not the header's number of fields.
        """
        if self.columns is None:
            return row
        try:
            return dict(zip(self.columns, row, strict=True))
        except ValueError:
            raise ValueError(f"{len(row)} fields, where the header names {len(self.columns)}") from None


def csv_records(block: Block, uri: str, shape: CsvShape, *, errors: str, skip: int = 0) -> RecordBlock:
    """Make records of whole lines, one a row, but for the first `skip`; blank lines are none."""
    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri, shape, errors, skip),
        make_keys=partial(filled_offsets, block, skip),
        make_arrow=partial(to_arrow, block, uri, shape, errors, skip),
        salvage=lambda _: salvage_rows(block, uri, shape, errors, skip),
    )


def salvage_rows(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> Salvaged:
    """Return the lines that are rows of the header's number of fields, and those that are not."""
    parse = partial(parse_lines, uri=uri, shape=shape, errors=errors, skip=0)
    return salvage_lines(block, islice(iter_lines(block), skip, None), parse, lambda _, values: rows_to_arrow(values))


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
            raise bad_row(uri, f"the row at byte {line_offsets(block)[number]}", error) from error
    return values


def bad_row(uri: str, row: str, error: object) -> InputError:
    """Return the error for a row that cannot be read."""
    return InputError(
        f"{uri}: {row} cannot be read ({error}); correct the object, or input.csv (header, "
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


def rows_to_arrow(values: Sequence[Any]) -> "pa.RecordBatch":
    """Return rows as columns; without a header they are named by number."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    if values and isinstance(values[0], list):
        values = [{str(number): field for number, field in enumerate(row)} for row in values]
    return pa.RecordBatch.from_pylist(values)
