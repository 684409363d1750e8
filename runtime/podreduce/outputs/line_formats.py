"""How Text, JSONLines, CSV and FixedLength write a record, many pairs, and a batch. Rule: pure.

The functions for single records are the innermost loop of reduces and map-only jobs. Pairs of the plainest types are
written together and only then searched for characters to escape: this costs next to nothing per record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any

from podreduce.contract.texts import render_count
from podreduce.encoding.unwritable import UnwritableError, as_plain
from podreduce.outputs.csv_fields import header_line, row_writer
from podreduce.outputs.fields import (
    ALIKE,
    BARE,
    TEXT_WRITERS,
    WRITERS,
    are_flat_arrays,
    encode_json_lines,
    json_text,
    json_texts,
    name_text,
    text_field,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LINE_FORMATS", "LineFormat", "Pairs", "json_line", "text_line"]

Pairs = Sequence[tuple[Any, Any]]

KEY_AND_VALUE = 2
UNQUOTED = frozenset((str, *BARE))
"""Types that Text writes without the quotes of JSON."""
PRINTED_ALIKE = (str, int)
"""Types that an f-string writes in the same way as `text_field`."""
CANNOT_TELL = (UnwritableError, UnicodeEncodeError, OverflowError, ValueError)
"""What writing many records together raises if one of them cannot be written in this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFormat:
    """How a format writes.

    Attributes:
        line: (key, value) -> the record's bytes, newline included. Raises UnwritableError or UnicodeEncodeError.
        lines: pairs -> their bytes if that is faster than one by one, else None.
        batch: a batch of records -> their bytes. Raises UnwritableError.
        head: the first bytes of a part.
    """

    line: Callable[[Any, Any], bytes]
    lines: Callable[[Pairs], bytes | None]
    batch: "Callable[[pa.RecordBatch], bytes | memoryview]"
    head: bytes = b""


def text_line(key: Any, value: Any) -> bytes:  # noqa: ANN401 - anything the program yields
    """Return `key TAB value` as a line."""
    try:
        return f"{TEXT_WRITERS[type(key)](key)}\t{TEXT_WRITERS[type(value)](value)}\n".encode()
    except KeyError:
        return f"{text_field(key)}\t{text_field(value)}\n".encode()


def text_lines(pairs: Pairs) -> bytes | None:
    """Return the lines of pairs if nothing needs escaping."""
    keys, values = zip(*pairs, strict=True)
    if not {*map(type, keys)}.issubset(PRINTED_ALIKE):
        return None
    try:
        if not {*map(type, values)}.issubset(PRINTED_ALIKE):
            values = (
                tuple(json_texts(values)) if UNQUOTED.isdisjoint(map(type, values)) else tuple(map(text_field, values))
            )
        text = "".join([f"{key}\t{value}\n" for key, value in zip(keys, values, strict=True)])
        if "\\" in text or "\r" in text or not text.count("\t") == text.count("\n") == len(pairs):
            return None
        return text.encode()
    except CANNOT_TELL:
        return None


def text_batch(batch: "pa.RecordBatch") -> memoryview:
    """Return the lines of a batch of two columns."""
    from podreduce.outputs.columns import TEXT, write_columns  # noqa: PLC0415 - only columnar jobs need it

    if batch.num_columns != KEY_AND_VALUE:
        raise UnwritableError("a line of Text has a key and a value: return a batch of two columns")
    return write_columns(batch.columns, TEXT, ["", "\t", "\n"])


def json_line(key: Any, value: Any) -> bytes:  # noqa: ANN401 - anything the program yields
    """Return `{"key":…,"value":…}` as a line."""
    try:
        return f'{{"key":{WRITERS[type(key)](key)},"value":{WRITERS[type(value)](value)}}}\n'.encode()
    except KeyError:
        return f'{{"key":{json_text(key)},"value":{json_text(value)}}}\n'.encode()


def json_lines(pairs: Pairs) -> bytes | None:
    """Return the lines of pairs if msgspec writes all of them in our form."""
    keys, values = zip(*pairs, strict=True)
    if not ALIKE.issuperset(map(type, keys)):
        return None
    if not ALIKE.issuperset(map(type, values)) and not are_flat_arrays(values):
        return None
    try:
        return encode_json_lines([{"key": key, "value": value} for key, value in pairs])
    except CANNOT_TELL:
        return None


def json_batch(batch: "pa.RecordBatch") -> memoryview:
    """Return a line for each row: an object of all its columns."""
    from podreduce.outputs.columns import JSON, write_columns  # noqa: PLC0415 - only columnar jobs need it

    names = [f"{',' if number else '{'}{name_text(name)}:" for number, name in enumerate(batch.schema.names)]
    if not names:
        return memoryview(b"{}\n" * batch.num_rows)
    return write_columns(batch.columns, JSON, [*names, "}\n"])


def csv_batch(columns: Sequence[str], batch: "pa.RecordBatch") -> memoryview:
    """Return a line for each row, with `columns` or else all columns."""
    from podreduce.outputs.columns import CSV, write_columns  # noqa: PLC0415 - only columnar jobs need it

    missing = [name for name in columns if name not in batch.schema.names]
    if missing:
        raise UnwritableError(f"output.columns names {', '.join(missing)}, but it has no such column")
    arrays = [batch.column(name) for name in columns or batch.schema.names]
    style = CSV if arrays[1:] else replace(CSV, null='""')  # an empty line would not be a row
    return write_columns(arrays, style, ["", *[","] * (len(arrays) - 1), "\n"])


def fixed_line(record_length: int | None, key: Any, value: Any) -> bytes:  # noqa: ANN401 - anything the program yields
    """Return a record: the key's bytes, then the value's."""
    if type(key) is not bytes or type(value) is not bytes:
        key, value = as_plain(key), as_plain(value)
    if type(key) is not bytes or type(value) is not bytes:
        found = type(key if type(key) is not bytes else value).__qualname__
        raise UnwritableError(f"FixedLength writes only bytes, but this is {found}: yield bytes, bytes")
    if record_length is not None and len(key) + len(value) != record_length:
        size = render_count(len(key) + len(value), "byte")
        raise UnwritableError(f"key and value have {size} together, but output.recordLength is {record_length}")
    return key + value


def fixed_lines(record_length: int | None, pairs: Pairs) -> bytes | None:
    """Return the records of pairs if all have the right types and length."""
    if {*map(type, chain.from_iterable(pairs))} != {bytes}:
        return None
    keys, values = zip(*pairs, strict=True)
    if record_length is not None and {*map(add, map(len, keys), map(len, values))} != {record_length}:
        return None
    return b"".join(chain.from_iterable(pairs))


def fixed_batch(record_length: int | None, batch: "pa.RecordBatch") -> memoryview:
    """Return the rows' bytes, column after column."""
    from podreduce.outputs.columns import join_binary  # noqa: PLC0415 - only columnar jobs need it

    return join_binary(batch, record_length)


def text_format(_columns: Sequence[str], _record_length: int | None) -> LineFormat:
    """Return Text."""
    return LineFormat(line=text_line, lines=text_lines, batch=text_batch)


def json_format(_columns: Sequence[str], _record_length: int | None) -> LineFormat:
    """Return JSONLines."""
    return LineFormat(line=json_line, lines=json_lines, batch=json_batch)


def csv_format(columns: Sequence[str], _record_length: int | None) -> LineFormat:
    """Return CSV with these columns, or with any."""
    row = row_writer(columns)
    return LineFormat(
        line=lambda key, value: row(key, value).encode(),
        lines=lambda _: None,
        batch=lambda batch: csv_batch(columns, batch),
        head=header_line(columns).encode(),
    )


def fixed_format(_columns: Sequence[str], record_length: int | None) -> LineFormat:
    """Return FixedLength with records of that length, or of any."""
    return LineFormat(
        line=lambda key, value: fixed_line(record_length, key, value),
        lines=lambda pairs: fixed_lines(record_length, pairs),
        batch=lambda batch: fixed_batch(record_length, batch),
    )


LINE_FORMATS: dict[str, Callable[[Sequence[str], int | None], LineFormat]] = {
    "Text": text_format,
    "JSONLines": json_format,
    "CSV": csv_format,
    "FixedLength": fixed_format,
}
"""(columns, record length) -> the format."""
