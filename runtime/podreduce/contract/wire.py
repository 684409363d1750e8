"""How records travel: JSON with camelCase names, a schema version in each top-level record, canonical digests.

Rule: every record in the store is one of the structs of this package, encoded and decoded here and nowhere else.
"""

import hashlib
from typing import Any, TypeVar

import msgspec

__all__ = ["SCHEMA_VERSION", "Wire", "decode", "digest_bytes", "encode", "encode_readable"]

SCHEMA_VERSION = 1

SHORT_CHARACTERS = 120
LONG_CHARACTERS = 1000
"""JSON for people gets line breaks if it is longer than the first; a row of plain values, than the second."""

T = TypeVar("T", bound="Wire")


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all records on the wire; unknown fields are ignored, so that a newer writer can add some."""


def encode(record: Wire) -> bytes:
    """Encode `record` as canonical JSON (sorted keys): equal records give equal bytes."""
    return msgspec.json.encode(record, order="sorted")


def encode_readable(record: Wire) -> bytes:
    """Encode `record` as JSON for people: fields in the order of their declaration, long values broken into lines."""
    return (break_lines(msgspec.to_builtins(record, str_keys=True), "") + "\n").encode()


def break_lines(value: Any, indent: str) -> str:  # noqa: ANN401 - anything JSON can hold
    """Return `value` as JSON: on one line if it fits, else its items on a line each, or on more."""
    flat = msgspec.json.encode(value).decode()
    is_row = isinstance(value, dict) and not any(isinstance(item, dict | list | tuple) for item in value.values())
    if not isinstance(value, dict | list | tuple) or len(flat) <= (LONG_CHARACTERS if is_row else SHORT_CHARACTERS):
        return flat
    deeper = f"{indent}  "
    if isinstance(value, dict):
        items = [f"{msgspec.json.encode(name).decode()}: {break_lines(item, deeper)}" for name, item in value.items()]
        opening, closing = "{", "}"
    else:
        items = [break_lines(item, deeper) for item in value]
        opening, closing = "[", "]"
    lines = ",\n".join(f"{deeper}{item}" for item in items)
    return f"{opening}\n{lines}\n{indent}{closing}"


def decode(data: bytes, record_type: type[T]) -> T:
    """Decode `data` written by `encode`.

    Raises:
        msgspec.ValidationError: `data` is not such a record; the message names the field.
    """
    return msgspec.json.decode(data, type=record_type)


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
