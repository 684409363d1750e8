"""Rows of Parquet as Python's values and as batches; those that are neither are found and named.

Python's times have microseconds and the years 1 to 9999, Parquet's have more. What has a value there is that value;
what has none (a nanosecond more, the year 10000, a string that is no UTF-8) makes its row a bad record.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from podreduce.contract.errors import InputError
from podreduce.inputs.record_block import RecordBlock, Salvaged, Undecodable

__all__ = ["ROW_NUMBER", "make_block"]

ROW_NUMBER: Final = "podreduce row number"
CANNOT_CONVERT: Final = (ValueError, OverflowError, LookupError, pa.ArrowException)


def make_block(rows: pa.Table, columns: list[str], stored_bytes: int, uri: str) -> RecordBlock:
    """Make a block of rows, which have a column of their numbers besides."""

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
    """Return rows as dicts of Python's values.

    Raises:
        CANNOT_CONVERT: a value has none.
    """
    table = rows.select(columns)
    table.validate(full=True)
    for place, (name, kind) in enumerate(zip(columns, table.schema.types, strict=True)):
        if kind != as_python(kind):
            table = table.set_column(place, name, table.column(place).cast(as_python(kind)))
    values: list[dict[str, Any]] = table.to_pylist()
    return values


def to_batch(rows: pa.Table, columns: list[str]) -> pa.RecordBatch:
    """Return rows as one batch, every value of which is sound.

    Raises:
        CANNOT_CONVERT: one is not.
    """
    selected = rows.select(columns)
    batch = pa.record_batch([column.combine_chunks() for column in selected.columns], schema=selected.schema)
    batch.validate(full=True)
    return batch


Make = Callable[[pa.Table, list[str]], Any]


def as_python(kind: pa.DataType) -> pa.DataType:
    """Return a type whose times have the units that Python's have, so that it does not matter what is installed."""
    if pa.types.is_dictionary(kind):
        return as_python(kind.value_type)
    if pa.types.is_nested(kind):
        return nested_as_python(kind)
    if getattr(kind, "unit", None) != "ns":
        return kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")


def nested_as_python(kind: pa.DataType) -> pa.DataType:
    """Return a type of lists, maps or structs likewise."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(as_python(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(as_python(kind.key_type), as_python(kind.item_type))
    if not hasattr(kind, "value_field"):
        return kind
    item = kind.value_field.with_type(as_python(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size)
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)


def find_bad(rows: pa.Table, columns: list[str], make: Make, start: int, end: int) -> Iterator[int]:
    """Yield the places from `start` to `end` of rows that cannot be made into values; it looks by halves."""
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
    """Return some rows alone: of a slice, a cast would take the lists of all rows besides."""
    return rows.take(pa.array(range(start, end), pa.int64()))


def undecodable(rows: pa.Table, place: int, columns: list[str], make: Make, uri: str) -> Undecodable:
    """Return what is wrong with the row at `place`, which cannot be made into values."""
    row = take_rows(rows, place, place + 1)
    number = row.column(ROW_NUMBER)[0].as_py()
    reasons = []
    for name in columns:
        try:
            make(row, [name])
        except CANNOT_CONVERT as error:
            reasons.append(f"{name} ({row.column(name).type}): {error}")
    message = (
        f"{uri}: row {number} cannot be read: it has no sound value, or none that Python can hold, in the column "
        f"{'; '.join(reasons)}; leave such a column out (input.columns), take it in map_batch and cast it there, or "
        "correct the object: times with microseconds, as ints or as text"
    )
    shown = repr(show_row(row, columns)).encode(errors="backslashreplace")
    return Undecodable(key=number, data=shown, error=InputError(message))


def show_row(row: pa.Table, columns: list[str]) -> dict[str, Any]:
    """Return a row for messages; what has no value is a question mark."""
    shown: dict[str, Any] = dict.fromkeys(columns, "?")
    for name in columns:
        with suppress(*CANNOT_CONVERT):
            shown[name] = to_values(row, [name])[0][name]
    return shown
