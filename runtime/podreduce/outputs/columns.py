"""Writes whole Arrow columns as lines of Text, JSONLines and CSV: the same bytes as `fields` and `csv_fields`.

Arrow's kernels write strings, ints and booleans, a column at a time. Other types go value by value. Rule: pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from podreduce.contract.texts import render_count
from podreduce.encoding.unwritable import UnwritableError
from podreduce.outputs.csv_fields import csv_field
from podreduce.outputs.fields import (
    ESCAPES,
    LEAST_LARGE_FLOAT,
    LEAST_PLAIN_FLOAT,
    encode_json_lines,
    json_text,
    text_field,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CSV", "JSON", "TEXT", "ColumnStyle", "join_binary", "write_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStyle:
    """How a format writes columns.

    Attributes:
        special: the bytes that need escaping: a string column without them is written unchanged.
        strings: writes a string column; the second argument says whether it has special bytes.
        other: writes one value of a type that no kernel writes in our form.
        null: written for None.
    """

    special: bytes
    strings: Callable[["pa.Array", bool], "pa.Array"]
    other: Callable[[Any], str]
    null: str


def write_columns(columns: "list[pa.Array]", style: ColumnStyle, separators: list[str]) -> memoryview:
    """Return all rows as text: a separator, the first column, a separator, …, and the last separator.

    Raises:
        UnwritableError: a value has no form in the format.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import; only columnar jobs need it
    import pyarrow.compute as pc  # noqa: PLC0415

    pieces = [pa.scalar(separators[0], pa.large_string())]
    for column, separator in zip(columns, separators[1:], strict=True):
        pieces += [column_text(column, style), pa.scalar(separator, pa.large_string())]
    lines = pc.binary_join_element_wise(
        *pieces, pa.scalar("", pa.large_string()), null_handling="replace", null_replacement=style.null
    )
    return joined_bytes(lines)


def joined_bytes(strings: "pa.Array") -> memoryview:
    """Return the bytes of a large_string or large_binary column, one value after the other, without a copy."""
    if not len(strings):
        return memoryview(b"")
    _, offsets_buffer, data = strings.buffers()
    offsets = memoryview(offsets_buffer).cast("q")
    start, end = offsets[strings.offset], offsets[strings.offset + len(strings)]
    # Arrow's bytes are signed; obstore does not accept that.
    return memoryview(data).cast("B")[start:end] if start < end else memoryview(b"")


def join_binary(batch: "pa.RecordBatch", record_length: int | None) -> memoryview:
    """Return the bytes of a batch's rows, column after column, for FixedLength.

    Raises:
        UnwritableError: a column is not binary, holds a null, or a row has another length.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import; only columnar jobs need it
    import pyarrow.compute as pc  # noqa: PLC0415

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not is_binary(column.type) or column.null_count:
            found = "nulls" if column.null_count else f"type {column.type}"
            raise UnwritableError(
                f"column {name} has {found}: cast it: FixedLength writes only binary columns without nulls"
            )
    if all(pa.types.is_fixed_size_binary(column.type) for column in batch.columns):
        return join_fixed_width(batch, record_length)
    binaries = [column.cast(pa.large_binary()) for column in batch.columns]
    rows = pc.binary_join_element_wise(*binaries, pa.scalar(b"", pa.large_binary())) if binaries[1:] else binaries[0]
    lengths = pc.min_max(pc.binary_length(rows)).as_py() if len(rows) else {}
    if record_length is not None and not {*lengths.values()} <= {record_length}:
        raise UnwritableError(f"not every row has the {render_count(record_length, 'byte')} of output.recordLength")
    return joined_bytes(rows)


def join_fixed_width(batch: "pa.RecordBatch", record_length: int | None) -> memoryview:
    """Return the bytes of rows of columns of fixed width."""
    import numpy as np  # noqa: PLC0415 - only columnar jobs need it

    widths = [kind.byte_width for kind in batch.schema.types]
    if record_length is not None and sum(widths) != record_length:
        size = render_count(sum(widths), "byte")
        raise UnwritableError(f"a row has {size} and output.recordLength is {record_length}")
    rows = np.empty((batch.num_rows, sum(widths)), np.uint8)
    start = 0
    for column, width in zip(batch.columns, widths, strict=True):
        data = np.frombuffer(column.buffers()[1], np.uint8) if width and len(column) else np.empty(0, np.uint8)
        part = data[column.offset * width : (column.offset + len(column)) * width]
        rows[:, start : start + width] = part.reshape(batch.num_rows, width)
        start += width
    return rows.reshape(-1).data


def is_binary(kind: "pa.DataType") -> bool:
    """Tell whether a column of that type holds bytes."""
    import pyarrow as pa  # noqa: PLC0415

    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def column_text(column: "pa.Array", style: ColumnStyle) -> "pa.Array":
    """Return a column as large_string; nulls stay nulls."""
    import pyarrow as pa  # noqa: PLC0415

    from podreduce.columnar.python_types import to_python  # noqa: PLC0415

    kind = column.type
    if pa.types.is_dictionary(kind):
        return column_text(column.dictionary_decode(), style)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        strings = column.cast(pa.large_string())
        return style.strings(strings, has_any(strings, style.special))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.large_string())
    if pa.types.is_float64(kind) or pa.types.is_float32(kind):
        return float_column_text(column.cast(pa.float64()), style)
    try:
        values = to_python(column)
    except (ValueError, OverflowError, ImportError, pa.ArrowException):  # nanoseconds, or years after 9999
        raise UnwritableError(
            f"a column of type {kind} has a value that Python cannot hold: cast it to timestamp('us') or string"
        ) from None
    return pa.array([None if value is None else style.other(value) for value in values], pa.large_string())


def float_column_text(column: "pa.Array", style: ColumnStyle) -> "pa.Array":
    """Return a column of doubles as large_string; all of them at once, but for those that need another form."""
    import numpy as np  # noqa: PLC0415 - only columnar jobs need it
    import pyarrow as pa  # noqa: PLC0415

    values, sizes = column.to_pylist(), np.abs(column.to_numpy(zero_copy_only=False))
    texts: list[str | None] = [*encode_json_lines(values).decode().split("\n")[:-1]]
    for place in np.flatnonzero(~((sizes >= LEAST_PLAIN_FLOAT) & (sizes < LEAST_LARGE_FLOAT))).tolist():
        value = values[place]
        texts[place] = None if value is None else style.other(value)
    return pa.array(texts, pa.large_string())


def has_any(strings: "pa.Array", special: bytes) -> bool:
    """Tell whether one of the strings has one of these bytes; the bytes of null strings may count."""
    data = bytes(joined_bytes(strings))
    return len(data.translate(None, delete=special)) < len(data)


def escape_text(strings: "pa.Array", special: bool) -> "pa.Array":
    """Write a string column of Text."""
    import pyarrow.compute as pc  # noqa: PLC0415

    if special:
        for character in ("\\", "\t", "\r", "\n"):  # the backslash first: the other escapes contain it
            strings = pc.replace_substring(strings, character, ESCAPES[character])
    return strings


def quote_json(strings: "pa.Array", special: bool) -> "pa.Array":
    """Write a string column of JSONLines."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if special:
        quoted = [None if value is None else encode_basestring(value) for value in strings.to_pylist()]
        return pa.array(quoted, pa.large_string())
    quote = pa.scalar('"', pa.large_string())
    return pc.binary_join_element_wise(quote, strings, quote, pa.scalar("", pa.large_string()))


def quote_csv(strings: "pa.Array", special: bool) -> "pa.Array":
    """Write a string column of CSV."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    must_quote = pc.equal(strings, pa.scalar("", pa.large_string()))
    if special:
        must_quote = pc.or_(must_quote, pc.match_substring_regex(strings, '[,"\r\n]'))
    if not pc.any(must_quote).as_py():
        return strings
    doubled = pc.replace_substring(strings, '"', '""')
    return pc.if_else(must_quote, quote_json(doubled, special=False), strings)


TEXT = ColumnStyle(special=b"\t\r\n\\", strings=escape_text, other=text_field, null="null")
JSON = ColumnStyle(special=bytes(range(32)) + b'"\\', strings=quote_json, other=json_text, null="null")
CSV = ColumnStyle(special=b',"\r\n', strings=quote_csv, other=csv_field, null="")
