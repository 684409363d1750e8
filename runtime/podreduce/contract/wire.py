"""How records travel: JSON with camelCase names, a schema version in each top-level record, canonical digests.

Rule: every record in the store is one of the structs of this package, encoded and decoded here and nowhere else.
"""

import hashlib
from typing import TypeVar

import msgspec

__all__ = ["SCHEMA_VERSION", "Wire", "decode", "digest_bytes", "encode"]

SCHEMA_VERSION = 1

T = TypeVar("T", bound="Wire")


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all records on the wire; unknown fields are ignored, so that a newer writer can add some."""


def encode(record: Wire) -> bytes:
    """Encode `record` as canonical JSON (sorted keys): equal records give equal bytes."""
    return msgspec.json.encode(record, order="sorted")


def decode(data: bytes, record_type: type[T]) -> T:
    """Decode `data` written by `encode`.

    Raises:
        msgspec.ValidationError: `data` is not such a record; the message names the field.
    """
    return msgspec.json.decode(data, type=record_type)


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
