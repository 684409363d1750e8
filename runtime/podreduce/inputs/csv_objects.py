"""CSV whose quoted fields may hold newlines: each object is read as a whole; keys are the numbers of its rows.

Only the row before tells where a row begins, so reading cannot start in the middle of an object.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self

from podreduce.inputs.blocks import Block
from podreduce.inputs.csv_header import bad_header, blank_header, named_columns
from podreduce.inputs.csv_rows import CsvShape, bad_row, rows_to_arrow
from podreduce.inputs.record_block import RecordBlock, Salvaged, Undecodable

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

__all__ = ["multiline_records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeObject:
    """The rows of an object that was read as a whole: their numbers and values, and the unreadable ones."""

    shape: CsvShape
    numbers: Sequence[int]
    values: Sequence[Any]
    bad: Sequence[Undecodable]

    @property
    def sound(self) -> Self:
        """The same, if nothing in it is bad.

        Raises:
            InputError: a row is bad.
        """
        if self.bad:
            raise self.bad[0].error
        return self

    def to_arrow(self) -> "pa.RecordBatch":
        """Return the rows as columns."""
        return rows_to_arrow(self.values, self.shape)


def multiline_records(block: Block, uri: str, shape: CsvShape, *, errors: str, header: bool) -> RecordBlock:
    """Make records of a whole object, whose fields may hold newlines; keys are the rows' numbers."""
    parse = partial(parse_whole, block, uri, shape, errors=errors, header=header)
    rows, columns = cache(partial(parse, as_columns=False)), cache(partial(parse, as_columns=True))

    def salvage(as_columns: bool) -> Salvaged:
        whole = columns() if as_columns else rows()
        sound = RecordBlock(
            stored_bytes=block.stored_bytes,
            make_values=lambda: whole.values,
            make_keys=lambda: whole.numbers,
            make_arrow=whole.to_arrow,
            key_unit="row",
        )
        return Salvaged(block=sound, bad=whole.bad)

    return RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=lambda: rows().sound.values,
        make_keys=lambda: rows().numbers,
        make_arrow=lambda: columns().sound.to_arrow(),  # noqa: PLW0108 - else the object would be read at once
        key_unit="row",
        salvage=salvage,
    )


def parse_whole(block: Block, uri: str, shape: CsvShape, *, errors: str, header: bool, as_columns: bool) -> WholeObject:
    """Return the rows of an object, numbered from 0; blank lines are not numbered.

    A row with misplaced quotes ends with its line; a row without its last quote ends with the object. `as_columns`
    numbers the columns of rows without a header, by the first readable row.

    Raises:
        InputError: its header cannot be read, or is missing.
    """
    lines = list(io.StringIO(decode_leniently(block, errors), newline="\n"))  # splitlines splits at other ends, too
    reader = shape.rows(lines)
    if header:
        shape = replace(shape, columns=read_columns(reader, uri))
    numbers, values, bad = [], [], []
    for number, (row, start, end) in enumerate(iter_rows(reader)):
        if shape.columns == ():
            raise blank_header(uri)
        try:
            checked = checked_row(row)
            if as_columns and shape.columns is None:
                shape = shape.numbered(len(checked))
            values.append(shape.value(checked))
        except (csv.Error, ValueError) as error:
            data = "".join(lines[start:end]).encode("utf-8", "surrogateescape")
            bad.append(Undecodable(key=number, data=data, error=bad_row(uri, f"row {number}", error)))
        else:
            numbers.append(number)
    return WholeObject(shape=shape, numbers=numbers, values=values, bad=bad)


def decode_leniently(block: Block, errors: str) -> str:
    """Decode an object; invalid UTF-8 in `strict` mode becomes lone surrogates, which `checked_row` refuses."""
    return block.data.decode("utf-8", "surrogateescape" if errors == "strict" else errors)


def read_columns(reader: "Reader", uri: str) -> tuple[str, ...]:
    """Return the names in an object's first row.

    Raises:
        InputError: it is not a row of names.
    """
    try:
        row = checked_row(next(reader, []))
    except (csv.Error, ValueError) as error:
        raise bad_header(uri, error) from error
    return named_columns(row, uri)


def iter_rows(reader: "Reader") -> Iterator[tuple[list[str] | csv.Error, int, int]]:
    """Yield each row, or why it is invalid, with the numbers of its first line and of the line after it."""
    while True:
        start = reader.line_num
        try:
            row: list[str] | csv.Error = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row = error
        if row:
            yield row, start, reader.line_num


def checked_row(row: list[str] | csv.Error) -> list[str]:
    """Return a row.

    Raises:
        csv.Error: it is invalid.
        ValueError: its bytes are not UTF-8.
    """
    if isinstance(row, csv.Error):
        raise row
    if not all(map(str.isascii, row)):
        try:
            "".join(row).encode()
        except UnicodeEncodeError:
            raise ValueError("bytes that are not UTF-8: set input.encodingErrors: Replace") from None
    return row
