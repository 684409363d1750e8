"""How keys and values become bytes and come back exactly. Rule: pure, deterministic, and runs no user code.

Values are written with marshal in its version 2. It keeps exactly the types that may travel (a tuple stays a tuple,
an int has any size), it is one C call, encodings of equal values are equal (later versions mark shared references),
they delimit themselves, so the values of a group are stored joined and read back as one list, and reading never
imports or calls anything, as pickle does. Only the lists of larger groups of str are in version 4 (`encode_list`):
there an object that stands in several places is written once, and is one object again when it is read. Marshal's
looseness (it takes sets, complex, whatever has a buffer, numpy's scalars among them) is why the types are checked
first.
"""

import marshal
import struct
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from podreduce.keys import Key, UnsupportedTypeError, decode_key, encode_key, encode_keys, name_type

__all__ = [
    "LIST_MARK",
    "SCALARS",
    "Encoded",
    "Key",
    "UnsupportedTypeError",
    "Value",
    "capture",
    "decode_key",
    "decode_list",
    "decode_value",
    "decode_values",
    "encode_captured",
    "encode_key",
    "encode_keys",
    "encode_list",
    "encode_value",
    "encode_values",
    "is_flat",
    "restore",
]

Value: TypeAlias = Any
"""None, bool, int, float, str, bytes, tuple, list, dict, nested: anything else is refused when it is encoded."""


class Encoded(bytes):
    """The encoding of a value that could still be changed: taken when it was yielded."""

    __slots__ = ()


MARSHAL_VERSION: Final = 2
SHARING_VERSION: Final = 4
LIST_MARK: Final = b"\0"
"""No encoding of a value starts with it."""
MAX_VALUE_DEPTH: Final = 200
"""Well under marshal's own limit of 2,000 and Python's stack."""

SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
CONTAINERS: Final = frozenset({tuple, list, dict})
LIST_HEADER: Final = struct.Struct("<cI")
SMALL_INTS: Final = tuple(marshal.dumps(number, MARSHAL_VERSION) for number in range(256))


def encode_value(value: Value) -> bytes:
    """Encode `value` as it is now: later changes to it do not count.

    Raises:
        UnsupportedTypeError: `value`, or something in it, is not exactly a None, bool, int, float, str, bytes, tuple,
            list or dict; or it nests deeper than 200, or is larger than 2 GiB.
    """
    kind = type(value)
    if kind is int and 0 <= value < 256:  # noqa: PLR2004 - len(SMALL_INTS)
        return SMALL_INTS[value]
    if kind not in SCALARS:
        check_types([value], MAX_VALUE_DEPTH)
    try:
        return marshal.dumps(value, MARSHAL_VERSION)
    except ValueError as error:
        raise UnsupportedTypeError(
            f"a value of type {name_type(kind)} has a part over 2 GiB: yield it in pieces"
        ) from error


def decode_value(data: bytes) -> Value:
    """Return the value that `encode_value` encoded, with its exact type."""
    return marshal.loads(data)  # noqa: S302 - our own, checksummed bytes; see the module's docstring


def decode_values(data: bytes | memoryview, count: int) -> list[Value]:
    """Return the `count` values whose encodings, joined, are `data`."""
    values: list[Value] = marshal.loads(b"".join((LIST_HEADER.pack(b"[", count), data)))  # noqa: S302 - likewise
    return values


def encode_values(values: list[Value | Encoded]) -> bytes:
    """Return the encodings of captured values, joined."""
    if Encoded in set(map(type, values)):
        return b"".join(map(encode_captured, values))
    return marshal.dumps(values, MARSHAL_VERSION)[LIST_HEADER.size :]


def encode_list(values: list[Value]) -> bytes:
    """Return the encoding of scalars as one list: objects that are the same are stored once."""
    return LIST_MARK + marshal.dumps(values, SHARING_VERSION)


def decode_list(data: bytes | memoryview) -> list[Value]:
    """Return the values that `encode_list` encoded."""
    values: list[Value] = marshal.loads(memoryview(data)[1:])  # noqa: S302 - our own, checksummed bytes; see above
    return values


def encode_captured(value: Value | Encoded) -> bytes:
    """Return the encoding of a captured value."""
    return value if type(value) is Encoded else encode_value(value)


def capture(value: Value) -> Value | Encoded:
    """Return `value` such that nobody can change it any more: itself if it is a scalar or a tuple of scalars.

    Raises:
        UnsupportedTypeError: see `encode_value`.
    """
    return value if type(value) in SCALARS or is_flat(value) else Encoded(encode_value(value))


def is_flat(value: Value) -> bool:
    """Tell whether `value` is a tuple of scalars."""
    return type(value) is tuple and SCALARS.issuperset(map(type, value))


def restore(values: list[Value | Encoded]) -> list[Value]:
    """Return captured values as they were."""
    if Encoded in set(map(type, values)):
        return [decode_value(value) if type(value) is Encoded else value for value in values]
    return values


def check_types(values: Iterable[Value], depth: int) -> None:
    """Refuse anything that is not exactly of a type that may travel, however deep.

    Raises:
        UnsupportedTypeError: the message names the type.
    """
    if SCALARS.issuperset(map(type, values)):
        return
    if not depth:
        raise UnsupportedTypeError(
            f"a value may nest {MAX_VALUE_DEPTH} containers and this one nests more (or contains itself): flatten it"
        )
    for value in values:
        kind = type(value)
        if kind in CONTAINERS:
            check_types(value, depth - 1)
            if kind is dict:
                check_types(value.values(), depth - 1)
        elif kind not in SCALARS:
            raise UnsupportedTypeError(describe_value_type(kind))


def describe_value_type(kind: type) -> str:
    """Say which type cannot travel, and what to yield in its place."""
    allowed = "None, bool, int, float, str, bytes, tuple, list and dict"
    bases = [base for base in (bool, int, float, str, bytes, tuple, list, dict) if issubclass(kind, base)]
    remedy = f"yield {bases[0].__name__}(value)" if bases else "yield its parts as a tuple, or str(value)"
    return f"{name_type(kind)} cannot be a value (values are exactly {allowed}): {remedy}"
