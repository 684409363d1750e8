"""CSV rows with RFC 4180 quotes and lines that end in LF, as in Spark and pandas. Rule: pure, deterministic.

A row has the fields of the key, then those of the value; a tuple or list has a field for each element. With
`output.columns` every row must have that many fields, and a value that is a dict fills the columns by name. None is an
empty field and an empty str is `""`, so that readers can tell them apart. A str is written unchanged. Nested and other
values are JSON; a date, a UUID or a special number has no JSON quotes.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from podreduce.contract.texts import render_count
from podreduce.encoding.showing import show
from podreduce.encoding.unwritable import UnwritableError, as_plain
from podreduce.outputs.fields import BARE, WRITERS, bare_text, json_text

__all__ = ["csv_field", "csv_line", "header_line", "row_writer"]


def csv_field(field: Any) -> str:  # noqa: ANN401 - anything the program yields
    """Return `field` as text in a row.

    Raises:
        UnwritableError: it cannot be written.
    """
    kind = type(field)
    return CSV_WRITERS[kind](field) if kind in CSV_WRITERS else csv_field(as_plain(field))


def quote(text: str) -> str:
    """Return a str as a field."""
    if not text or "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def unquoted_json(field: Any) -> str:  # noqa: ANN401 - bytes or a float
    """Return JSON without its quotes (nothing in it is escaped), or a number."""
    return quote(json_text(field).strip('"'))


def nested(field: Any) -> str:  # noqa: ANN401 - a tuple, list or dict
    """Return a field as JSON."""
    return quote(json_text(field))


CSV_WRITERS = (
    WRITERS
    | {
        type(None): {None: ""}.__getitem__,
        str: quote,
        bytes: unquoted_json,
        float: unquoted_json,
        tuple: nested,
        list: nested,
        dict: nested,
        Decimal: unquoted_json,
    }
    | dict.fromkeys(BARE, bare_text)
)


def row_writer(columns: Sequence[str]) -> Callable[[Any, Any], str]:
    """Return (key, value) -> the row's line, for `spec.output.columns`; if there are none, rows have any fields."""
    if not columns:
        return lambda key, value: csv_line([*spread(key), *spread(value)])

    def named_row(key: Any, value: Any) -> str:  # noqa: ANN401 - anything the program yields
        value = as_plain(value)
        if type(value) is dict:
            return csv_line(pick(columns, {"key": key, **value}, value))
        fields = [*spread(key), *spread(value)]
        if len(fields) != len(columns):
            raise UnwritableError(
                f"it has {render_count(len(fields), 'field')}, but output.columns names {len(columns)}: "
                "yield a field for each name"
            )
        return csv_line(fields)

    return named_row


def spread(field: Any) -> Sequence[Any]:  # noqa: ANN401 - anything the program yields
    """Return the fields of a key or value."""
    kind = type(field)
    if kind is tuple or kind is list:
        return field  # type: ignore[no-any-return]
    if kind not in CSV_WRITERS:
        return spread(as_plain(field))
    if kind is dict:
        raise UnwritableError("a dict has no order of columns: name them in output.columns, or yield a tuple")
    return (field,)


def pick(columns: Sequence[str], fields: dict[str, Any], value: dict[str, Any]) -> list[Any]:
    """Return the fields of the columns. A column that `value` lacks is empty; a field without a column is an error."""
    unknown = [name for name in value if name not in columns]
    if unknown:
        raise UnwritableError(
            f"it has the field {show(unknown[0])}, which is not in output.columns: {', '.join(columns)}"
        )
    return [fields.get(name) for name in columns]


def csv_line(fields: Sequence[Any]) -> str:
    """Return a row as a line; a single empty field is quoted, because an empty line would not be a row."""
    try:
        return (",".join([CSV_WRITERS[type(field)](field) for field in fields]) or '""') + "\n"
    except KeyError:
        return ",".join(map(csv_field, fields)) + "\n"  # what has no writer is not written as nothing


def header_line(columns: Sequence[str]) -> str:
    """Return the first line of a part: the columns' names, or nothing."""
    return csv_line(columns) if columns else ""
