"""How keys and values become bytes and come back exactly. Rule: pure; encoding never runs user code."""

from typing import Any

__all__ = ["UnsupportedTypeError", "decode_key", "decode_value", "decode_values", "encode_key", "encode_value"]


class UnsupportedTypeError(TypeError):
    """A key or value that cannot be shuffled; the message names its type and what to do."""


def encode_key(key: object) -> bytes:
    """Encode `key` so that the bytes order as the keys do. Raises UnsupportedTypeError."""
    raise NotImplementedError


def decode_key(data: bytes) -> Any:
    """Return the key that `encode_key` encoded, exactly (an integral float as the int)."""
    raise NotImplementedError


def encode_value(value: object) -> bytes:
    """Encode `value`. Raises UnsupportedTypeError."""
    raise NotImplementedError


def decode_value(data: bytes) -> Any:
    """Return the value that `encode_value` encoded, exactly."""
    raise NotImplementedError


def decode_values(data: bytes, count: int) -> list[Any]:
    """Return the `count` values whose encodings, joined, are `data`."""
    raise NotImplementedError
