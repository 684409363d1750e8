"""How records travel: JSON with camelCase names, a schema version in each top-level record, canonical digests.

Rule: every record in the store is one of the structs of this package, encoded and decoded here and nowhere else.
"""

import hashlib
from typing import Any, TypeVar

import msgspec

__all__ = [
    "SCHEMA_VERSION",
    "NewerRecordError",
    "Wire",
    "decode",
    "decode_json",
    "digest_bytes",
    "encode",
    "encode_readable",
    "learn_records",
]

SCHEMA_VERSION = 1
"""The version of all records. It is raised if a record must not be read as before, not for a new field with a default.

A reader knows all versions up to its own. It refuses a later one: see `NewerRecordError`.
"""

SHORT_CHARACTERS = 120
LONG_CHARACTERS = 1000
"""JSON for people gets line breaks if it is longer than the first; a row of plain values, than the second."""

T = TypeVar("T", bound="Wire")
S = TypeVar("S")


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all records on the wire; unknown fields are ignored, so that a newer writer can add some."""


class NewerRecordError(msgspec.ValidationError):
    """A later release wrote the record in a way that this one does not know."""


class Versioned(msgspec.Struct, frozen=True):
    """Only the version of a record. Records without one are of the first."""

    schema: int = 1


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
        NewerRecordError: a later release wrote it.
        msgspec.ValidationError: `data` is not such a record; the message names the field.
        msgspec.DecodeError: `data` is no JSON.
    """
    try:
        record = decode_json(data, record_type)
    except msgspec.ValidationError:
        refuse_newer(read_version(data), record_type)
        raise
    refuse_newer(getattr(record, "schema", SCHEMA_VERSION), record_type)
    return record


def decode_json(data: bytes | str, kind: type[S]) -> S:
    """Decode JSON that anybody may have written.

    Raises:
        msgspec.DecodeError: whatever is wrong with it; msgspec itself raises others for odd text and deep nesting.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (UnicodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"this is no JSON that can be read ({type(error).__name__})") from error


def learn_records() -> None:
    """Let msgspec look at the fields of all imported records now, and not each process at its first decode."""
    kinds = list(Wire.__subclasses__())
    for kind in kinds:  # it grows
        msgspec.json.Decoder(kind)
        kinds += kind.__subclasses__()


def read_version(data: bytes) -> int:
    """Return the version of a record that cannot be decoded; the first if it names none."""
    try:
        return decode_json(data, Versioned).schema
    except msgspec.ValidationError:
        return 1


def refuse_newer(version: int, record_type: type[Wire]) -> None:
    """Refuse a record of a later schema.

    Raises:
        NewerRecordError: it is one.
    """
    if version > SCHEMA_VERSION:
        raise NewerRecordError(
            f"the {record_type.__name__} has schema {version}; this release of podreduce reads up to {SCHEMA_VERSION}"
        )


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
