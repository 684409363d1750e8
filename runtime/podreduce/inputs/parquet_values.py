"""Rows of Parquet as Python values and as batches; rows that can be neither are named.

Python's times have microseconds and the years 1 to 9999; Parquet allows more. A value that Python can hold is converted
exactly. Any other (one with nanoseconds, the year 10000, a string that is not UTF-8) makes its row a bad record.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from podreduce.columnar.key_columns import one_array
from podreduce.columnar.python_types import as_python
from podreduce.contract.errors import InputError
from podreduce.inputs.record_block import RecordBlock, Salvaged, Undecodable

__all__ = ["ROW_NUMBER", "make_block"]

ROW_NUMBER: Final = "podreduce row number"
CANNOT_CONVERT: Final = (ValueError, OverflowError, LookupError, pa.ArrowException)


def make_block(rows: pa.Table, columns: list[str], stored_bytes: int, uri: str) -> RecordBlock:
    """Make a block of rows, which have an additional column of their numbers."""

    def salvage(as_columns: bool) -> Salvaged:
        check = to_batch if as_columns else to_values
        places = find_bad(rows, columns, check, 0, rows.num_rows)
        bad = [undecodable(rows, place, columns, check, uri) for place in places]
        keys = pa.array([each.key for each in bad], pa.int64())
        is_bad = pc.is_in(rows.column(ROW_NUMBER), value_set=keys)
        return Salvaged(block=make_block(rows.filter(pc.invert(is_bad)), columns, stored_bytes, uri), bad=bad)

    def made_by(make: "Make") -> Any:  # noqa: ANN401 - what `make` returns
        try:
            return make(rows, columns)
        except CANNOT_CONVERT:
            place = next(find_bad(rows, columns, make, 0, rows.num_rows), None)
            if place is None:
                return make(take_rows(rows, 0, rows.num_rows), columns)
            raise undecodable(rows, place, columns, make, uri).error from None

    return RecordBlock(
        stored_bytes=stored_bytes,
        make_values=lambda: made_by(to_values),
        make_keys=lambda: rows.column(ROW_NUMBER).to_pylist(),
        make_arrow=lambda: made_by(to_batch),
        key_unit="row",
        salvage=salvage,
        show=lambda place: show_row(take_rows(rows, place, place + 1), columns),
    )


def to_values(rows: pa.Table, columns: list[str]) -> list[dict[str, Any]]:
    """Return rows as dicts of Python values.

    Raises:
        CANNOT_CONVERT: a value cannot be converted.
    """
    table = rows.select(columns)
    table.validate(full=True)
    for place, (name, kind) in enumerate(zip(columns, table.schema.types, strict=True)):
        if kind != as_python(kind):
            table = table.set_column(place, name, table.column(place).cast(as_python(kind)))
    values: list[dict[str, Any]] = table.to_pylist()
    return values


def to_batch(rows: pa.Table, columns: list[str]) -> pa.RecordBatch:
    """Return rows as one batch of valid values.

    Raises:
        CANNOT_CONVERT: a value is invalid.
    """
    selected = rows.select(columns)
    batch = pa.record_batch([one_array(column) for column in selected.columns], schema=selected.schema)
    batch.validate(full=True)
    return batch


Make = Callable[[pa.Table, list[str]], Any]


def find_bad(rows: pa.Table, columns: list[str], make: Make, start: int, end: int) -> Iterator[int]:
    """Yield the rows from `start` to `end` that cannot be converted; the search halves the range."""
    try:
        make(take_rows(rows, start, end), columns)
    except CANNOT_CONVERT:
        if end - start == 1:
            yield start
            return
        middle = (start + end) // 2
        yield from find_bad(rows, columns, make, start, middle)
        yield from find_bad(rows, columns, make, middle, end)


def take_rows(rows: pa.Table, start: int, end: int) -> pa.Table:
    """Return a copy of some rows: a cast of a slice would also cast the lists of all other rows."""
    return rows.take(pa.array(range(start, end), pa.int64()))


def undecodable(rows: pa.Table, place: int, columns: list[str], make: Make, uri: str) -> Undecodable:
    """Return the error for the row at `place`, which cannot be converted."""
    row = take_rows(rows, place, place + 1)
    number = row.column(ROW_NUMBER)[0].as_py()
    reasons = []
    for name in columns:
        try:
            make(row, [name])
        except CANNOT_CONVERT as error:
            reasons.append(f"{name} ({row.column(name).type}): {error}")
    message = (
        f"{uri}: row {number} cannot be read: a value is invalid, or Python cannot hold it, in the column "
        f"{'; '.join(reasons)}; leave the column out (input.columns), cast it in map_batch, or correct the object: "
        "write times with microseconds, as ints or as text"
    )
    shown = repr(show_row(row, columns)).encode(errors="backslashreplace")
    return Undecodable(key=number, data=shown, error=InputError(message))


def show_row(row: pa.Table, columns: list[str]) -> dict[str, Any]:
    """Return a row for messages; a value that cannot be converted is a question mark."""
    shown: dict[str, Any] = dict.fromkeys(columns, "?")
    for name in columns:
        with suppress(*CANNOT_CONVERT):
            shown[name] = to_values(row, [name])[0][name]
    return shown
