r"""How a key or value is written as JSON, and as a field of Text output. Rule: pure, deterministic.

Text: a str is written unchanged, except for `\t` for TAB, `\r` for CR, `\n` for LF and `\\` for a backslash. Anything
else is compact JSON, which has none of these unescaped. So a line has exactly one TAB, and undoing the four escapes
gives the str again. The line does not say which fields are JSON: the program's author must know.
JSON: bytes are base64; NaN and infinities are "NaN", "Infinity", "-Infinity"; a tuple is a list. Numbers are as `repr`
writes them, a Decimal is a number with all its digits. Dates, times and timedeltas are ISO 8601 strings, UUIDs are in
their usual form; Text writes these without quotes. The functions run once or twice a record, so a flat field goes to
msgspec as a whole, much faster than item by item.
"""

import base64
import math
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

import msgspec

from podreduce.encoding.showing import show
from podreduce.encoding.unwritable import UnwritableError, as_plain

__all__ = [
    "ALIKE",
    "BARE",
    "ESCAPES",
    "LEAST_LARGE_FLOAT",
    "LEAST_PLAIN_FLOAT",
    "TEXT_WRITERS",
    "WRITERS",
    "are_flat_arrays",
    "bare_text",
    "encode_json_lines",
    "json_text",
    "json_texts",
    "name_text",
    "text_field",
]

ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}
MUST_ESCAPE = re.compile(r"[\t\r\n\\]")

encode_json = msgspec.json.Encoder().encode
encode_json_lines = msgspec.json.Encoder().encode_lines
ALIKE = frozenset((str, int, bool, type(None)))
"""Types that msgspec writes in our form; but it refuses an int of more than 64 bits."""
ARRAYS = frozenset((tuple, list))
CANNOT_ENCODE = (OverflowError, ValueError)
"""What msgspec raises for an int of more than 64 bits, an int of thousands of digits, or a lone surrogate."""
STR_ALONE = frozenset((str,))
LEAST_PLAIN_FLOAT, LEAST_LARGE_FLOAT = 1e-4, 1e16
"""Floats from the first to below the second, and their negatives, are written by `repr` without an exponent."""


def text_field(field: Any) -> str:  # noqa: ANN401 - anything the program yields
    """Return `field` as text in a line of Text output.

    Raises:
        UnwritableError: it cannot be written.
    """
    kind = type(field)
    if kind is str:
        return escape(field)
    if kind in BARE:
        return bare_text(field)
    plain = as_plain(field)
    return json_text(plain) if type(plain) is kind else text_field(plain)


def json_text(field: Any) -> str:  # noqa: ANN401 - anything the program yields
    """Return `field` as compact JSON.

    Raises:
        UnwritableError: it cannot be written.
    """
    kind = type(field)
    try:
        return WRITERS[kind](field) if kind in WRITERS else json_text(as_plain(field))
    except RecursionError:
        raise UnwritableError("it is nested too deeply, or contains itself: yield a flatter value") from None


def json_texts(fields: Sequence[Any]) -> list[str]:
    """Return each of `fields` as compact JSON; faster than one by one.

    Raises:
        UnwritableError: one cannot be written; OverflowError or UnicodeEncodeError may be raised instead.
    """
    if are_flat_arrays(fields):
        return encode_json_lines(fields).decode().split("\n")[:-1]
    return [json_text(field) for field in fields]


def are_flat_arrays(fields: Sequence[Any]) -> bool:
    """Tell whether all are tuples or lists of types that msgspec writes in our form."""
    return ARRAYS.issuperset(map(type, fields)) and ALIKE.issuperset(map(type, chain.from_iterable(fields)))


def escape(field: str) -> str:
    """Return a str for Text. Four searches for a character are faster than one regex, however long the field."""
    if "\\" in field or "\t" in field or "\n" in field or "\r" in field:
        return MUST_ESCAPE.sub(lambda found: ESCAPES[found[0]], field)
    return field


def int_text(value: int) -> str:
    """Return an int as JSON; Python refuses thousands of digits by default."""
    try:
        return repr(value)
    except ValueError as error:
        raise UnwritableError(f"an int is too long ({error}): yield hex(value), which has no limit") from None


def float_text(value: float) -> str:
    """Return a float as JSON. Without an exponent msgspec writes the same as `repr`, seven times as fast."""
    if LEAST_PLAIN_FLOAT <= value < LEAST_LARGE_FLOAT or -LEAST_LARGE_FLOAT < value <= -LEAST_PLAIN_FLOAT:
        return encode_json(value).decode()
    return repr(value) if math.isfinite(value) else f'"{name_of_float(value)}"'


def name_of_float(value: float) -> str:
    """Return the string for a float that JSON has no number for."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def array_text(value: list[Any] | tuple[Any, ...]) -> str:
    """Return a list or tuple as JSON."""
    for item in value:  # usually two or three items: faster than a set of their types
        if type(item) not in ALIKE:
            break
    else:
        try:
            return encode_json(value).decode()
        except CANNOT_ENCODE:
            pass
    return f"[{','.join([json_text(item) for item in value])}]"


def object_text(value: dict[Any, Any]) -> str:
    """Return a dict as JSON, in its own order."""
    if STR_ALONE.issuperset(map(type, value)) and ALIKE.issuperset(map(type, value.values())):
        try:
            return encode_json(value).decode()
        except CANNOT_ENCODE:
            pass
    return f"{{{','.join([f'{name_text(name)}:{json_text(item)}' for name, item in value.items()])}}}"


def name_text(name: Any) -> str:  # noqa: ANN401 - anything the program yields
    """Return the key of a dict as JSON. It must be a str: otherwise 1 and "1" would become one name."""
    text = name if type(name) is str else as_plain(name)
    if type(text) is not str:
        raise UnwritableError(f"a dict has the key {show(name)}, but JSON has only str keys: yield str(key)")
    return encode_basestring(text)


def bytes_text(value: bytes) -> str:
    """Return bytes as JSON."""
    return f'"{base64.b64encode(value).decode("ascii")}"'


def decimal_text(value: Decimal) -> str:
    """Return a Decimal as JSON."""
    return str(value) if value.is_finite() else f'"{value}"'


def bare_text(value: Any) -> str:  # noqa: ANN401 - of one of the types in BARE
    """Return a date, time, timedelta or UUID as text without anything to escape."""
    return BARE[type(value)](as_plain(value))


def quoted_text(value: Any) -> str:  # noqa: ANN401 - likewise
    """Return the same as JSON."""
    return f'"{bare_text(value)}"'


def duration_text(span: timedelta) -> str:
    """Return a timedelta in ISO 8601, in days and seconds: `P1DT2.5S`."""
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    fraction = f".{span.microseconds:06}".rstrip("0").rstrip(".")
    days = f"{span.days}D" if span.days else ""
    seconds = f"T{span.seconds}{fraction}S" if span.seconds or fraction or not days else ""
    return f"{sign}P{days}{seconds}"


BARE: dict[type, Callable[[Any], str]] = {
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
    timedelta: duration_text,
    UUID: str,
}
WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: int_text,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
    float: float_text,
    tuple: array_text,
    list: array_text,
    dict: object_text,
    bytes: bytes_text,
    Decimal: decimal_text,
    **dict.fromkeys(BARE, quoted_text),
}
"""By exact type; `plain_form` converts other types first."""
TEXT_WRITERS = WRITERS | {str: escape} | dict.fromkeys(BARE, bare_text)
