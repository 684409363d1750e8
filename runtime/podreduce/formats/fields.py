r"""How a key or value is written as JSON, and as a field of Text output. Rule: pure, deterministic.

Text: a str as it stands, with `\t` for TAB, `\r` for CR, `\n` for LF and `\\` for a backslash; anything else as compact
JSON, which has none of these unescaped. So a line has exactly one TAB and a str is read back by undoing the four
escapes; which fields were str and which JSON, the program's author knows.
JSON: bytes as base64, NaN and infinities as the strings "NaN", "Infinity", "-Infinity", a tuple as a list.
"""

import base64
import json
import math
import re
from typing import Any

__all__ = ["UnwritableError", "json_text", "text_field"]

ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}
MUST_ESCAPE = re.compile(r"[\t\r\n\\]")
ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode
PLAIN = (str, int, bool, type(None))


class UnwritableError(Exception):
    """A key or value has no form in the output format; the message says why and what to yield instead."""


def text_field(field: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return `field` as it stands in a line of Text output.

    Raises:
        UnwritableError: it has no such form.
    """
    if type(field) is str:
        if MUST_ESCAPE.search(field):
            return MUST_ESCAPE.sub(lambda found: ESCAPES[found[0]], field)
        return field
    return json_text(field)


def json_text(field: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return `field` as compact JSON.

    Raises:
        UnwritableError: it has no such form.
    """
    if type(field) is int:
        return repr(field)
    try:
        return ENCODE(field if type(field) in PLAIN else to_json(field))
    except RecursionError:
        raise UnwritableError("it is nested too deeply, or holds itself: yield something flatter") from None


def to_json(value: Any) -> Any:  # noqa: ANN401 - whatever the program yields
    """Return `value` with everything JSON does not know replaced by what stands for it."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else name_of_float(value)
    if kind in (list, tuple):
        return [to_json(item) for item in value]
    if kind is dict:
        return {checked_name(name): to_json(item) for name, item in value.items()}
    if kind is bytes:
        return base64.b64encode(value).decode("ascii")
    raise UnwritableError(
        f"type {kind.__module__}.{kind.__qualname__} cannot be written: yield None, bool, int, float, str, bytes, "
        "tuple, list or dict"
    )


def name_of_float(value: float) -> str:
    """Return the string that stands for a float JSON has no number for."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def checked_name(name: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return the key of a dict, which in JSON must be a str: 1 and "1" would become one name."""
    if type(name) is not str:
        raise UnwritableError(f"a dict has the key {name!r}, and JSON has only str keys: yield str(key)")
    return name
