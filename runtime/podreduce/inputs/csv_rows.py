"""CSV: a record is a row; its value is a dict of its fields by column, or a list without a header; its key the offset.

Each row is a line here; `csv_objects` is for quoted fields with newlines. As columns, rows without a header have as
many fields as the object's first row, and the columns are numbered.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from podreduce.contract.errors import InputError
from podreduce.contract.texts import render_count
from podreduce.inputs.bad_lines import iter_lines, salvage_lines
from podreduce.inputs.blocks import NEWLINE, Block
from podreduce.inputs.record_block import RecordBlock, Salvaged
from podreduce.inputs.text import decode_block, line_offsets

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

__all__ = ["CsvShape", "bad_row", "csv_records", "parse_lines", "rows_to_arrow"]

MOST_CHARACTERS: Final = 2**31 - 1
"""The limit for a field. The default of `csv`, 131,072, is too small for a page of text or a polygon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """How rows are written.

    Attributes:
        columns: the names of the columns; None if rows are lists.
        named_by: what sets the number of columns, for messages.
    """

    delimiter: str
    quote: str
    columns: tuple[str, ...] | None
    named_by: str = "the header names"

    def rows(self, lines: Iterable[str]) -> "Reader":
        """Return a reader of the rows in lines."""
        csv.field_size_limit(MOST_CHARACTERS)  # the limit is global, and a program may have changed it
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def value(self, row: list[str]) -> Any:  # noqa: ANN401 - a list or a dict
        """Return a row as the program gets it.

        Raises:
            ValueError: the number of fields is not the number of columns.
        """
        if self.columns is None:
            return row
        try:
            return dict(zip(self.columns, row, strict=True))
        except ValueError:
            raise ValueError(f"{render_count(len(row), 'field')}, but {self.named_by} {len(self.columns)}") from None

    def numbered(self, width: int) -> Self:
        """Return the shape of rows without a header whose columns are numbered."""
        return replace(self, columns=tuple(map(str, range(width))), named_by="the object's first row has")


def csv_records(
    block: Block, uri: str, shape: CsvShape, *, errors: str, skip: int = 0, shape_of_columns: Callable[[], CsvShape]
) -> RecordBlock:
    """Make records of whole lines, one row each, except for the first `skip`; blank lines are left out.

    `shape_of_columns` returns the shape of the rows when they are read as columns.
    """

    def salvage(as_columns: bool) -> Salvaged:
        return salvage_rows(block, uri, shape_of_columns() if as_columns else shape, errors, skip)

    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=partial(parse_lines, block, uri, shape, errors, skip),
        make_keys=partial(filled_offsets, block, skip),
        make_arrow=lambda: to_arrow(block, uri, shape_of_columns(), errors, skip),
        salvage=salvage,
    )


def salvage_rows(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> Salvaged:
    """Return the lines that are rows with the right number of fields, and the other lines."""
    parse = partial(parse_lines, uri=uri, shape=shape, errors=errors, skip=0)
    lines = islice(iter_lines(block), skip, None)
    return salvage_lines(block, lines, parse, lambda _, values: rows_to_arrow(values, shape))


def parse_lines(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> list[Any]:
    """Return the rows' values.

    Raises:
        InputError: a line is not a row, or has a wrong number of fields.
    """
    lines = decode_block(block, uri, errors).split("\n")
    texts = [line.removesuffix("\r") for line in islice(lines, skip, None) if not is_blank(line)]
    try:
        rows = list(shape.rows(texts))
        if len(rows) == len(texts):  # else a quoted field continued in the next line
            return rows if shape.columns is None else list(map(shape.value, rows))
    except (csv.Error, ValueError):
        pass
    return parse_each_line(block, uri, shape, lines, skip)


def parse_each_line(block: Block, uri: str, shape: CsvShape, lines: Sequence[str], skip: int) -> list[Any]:
    """Return the rows' values; each line is read on its own."""
    values = []
    for number, line in enumerate(lines):
        if number < skip or is_blank(line):
            continue
        try:
            values.append(shape.value(next(shape.rows([line.removesuffix("\r")]))))
        except (csv.Error, ValueError) as error:
            raise bad_row(uri, f"the row at byte {line_offsets(block)[number]}", error) from error
    return values


def is_blank(line: str) -> bool:
    """Tell whether a line is not a row. A line of nothing but CRs is not a row for `csv` either."""
    return not line.strip("\r")


def bad_row(uri: str, row: str, error: object) -> InputError:
    """Return the error for a row that cannot be read."""
    return InputError(
        f"{uri}: {row} cannot be read ({error}); correct the object, or input.csv (header, "
        "delimiter, quote; multiline: true if fields hold newlines)"
    )


def filled_offsets(block: Block, skip: int) -> list[int]:
    """Return where each row starts."""
    lines = block.data.split(NEWLINE)
    pairs = zip(line_offsets(block)[skip:], lines[skip:], strict=False)
    return [offset for offset, line in pairs if line.strip(b"\r")]


def to_arrow(block: Block, uri: str, shape: CsvShape, errors: str, skip: int) -> "pa.RecordBatch":
    """Return the rows' fields as columns of strings.

    Raises:
        InputError: a line is not a row, or has a wrong number of fields.
    """
    from podreduce.inputs.csv_columns import read_at_once  # noqa: PLC0415 - pyarrow, which row jobs do not need

    text = decode_block(block, uri, errors)
    data = block.data if errors == "strict" else text.encode()
    for _ in range(skip):
        data = data[data.find(NEWLINE) + 1 or len(data) :]
    batch = read_at_once(data, shape.columns or (), shape.delimiter, shape.quote)
    return rows_to_arrow(parse_lines(block, uri, shape, errors, skip), shape) if batch is None else batch


def rows_to_arrow(values: Sequence[dict[str, str]], shape: CsvShape) -> "pa.RecordBatch":
    """Return rows as columns."""
    from podreduce.inputs import csv_columns  # noqa: PLC0415 - pyarrow, which row jobs do not need

    return csv_columns.rows_to_arrow(values, shape.columns or ())
