"""How Text and JSONLines have been written from the first: plainly, by `json`. What is faster must write the same."""

import base64
import json
import math
import re
from typing import Any

ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}
ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def text_line(key: Any, value: Any) -> bytes:
    return f"{text_field(key)}\t{text_field(value)}\n".encode()


def json_line(key: Any, value: Any) -> bytes:
    return f'{{"key":{json_text(key)},"value":{json_text(value)}}}\n'.encode()


def text_field(field: Any) -> str:
    if type(field) is str:
        return re.sub(r"[\t\r\n\\]", lambda found: ESCAPES[found[0]], field)
    return json_text(field)


def json_text(field: Any) -> str:
    return ENCODE(to_json(field))


def to_json(value: Any) -> Any:
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if kind in (list, tuple):
        return [to_json(item) for item in value]
    if kind is dict:
        return {name: to_json(item) for name, item in value.items()}
    return base64.b64encode(value).decode("ascii") if kind is bytes else value
