"""How values become bytes and come back exactly. Rule: pure, deterministic, and runs no user code.

Values are written with marshal, version 2. It keeps exactly the supported types (a tuple stays a tuple, an int has any
size), and it is one C call. Equal values have equal encodings (later versions mark shared references). Encodings
delimit themselves, so the values of a group are stored joined and read back as one list. Unlike pickle, reading never
imports or calls anything. Only lists of larger groups of str use version 4 (`encode_list`): it writes an object that
occurs several times once, and reads it back as one object. Marshal also accepts sets, complex and anything with a
buffer, such as numpy's scalars; therefore types are checked first. Types that marshal cannot write, such as Decimals
and dates, are stored in other forms (see stored_forms) after a mark that no marshal type has. So values without them
are read as fast as if these types did not exist.
"""

import marshal
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from podreduce.encoding.keys import Key, UnsupportedTypeError, decode_key, encode_key, encode_keys, name_type
from podreduce.encoding.plain_forms import CONTAINERS, SCALARS
from podreduce.encoding.stored_forms import from_stored, to_plain, to_stored

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
    "encode_joined",
    "encode_key",
    "encode_keys",
    "encode_list",
    "encode_value",
    "encode_values",
    "is_flat",
    "restore",
]

Value: TypeAlias = Any
"""`plain_forms.ATOMS`, tuple, list and dict, nested. Other types are converted or refused when they are encoded."""


class Encoded(bytes):
    """The encoding of a mutable value, taken when it was yielded."""

    __slots__ = ()


MARSHAL_VERSION: Final = 2
SHARING_VERSION: Final = 4
LIST_MARK: Final = b"\0"
"""No encoding by marshal starts with it."""
MAX_VALUE_DEPTH: Final = 200
"""Well under marshal's own limit of 2,000 and Python's stack."""

LIST_HEADER: Final = struct.Struct("<cI")
FORM_HEADER: Final = struct.Struct("<cI")
FORM_MARK: Final = b"\1"
FORM_BYTE: Final = FORM_MARK[0]
SMALL_INTS: Final = tuple(marshal.dumps(number, MARSHAL_VERSION) for number in range(256))


def encode_value(value: Value) -> bytes:
    """Encode `value` as it is now: later changes do not count.

    Raises:
        UnsupportedTypeError: `value`, or something in it, has an unsupported type; or it nests deeper than 200, or is
            larger than 2 GiB.
    """
    kind = type(value)
    if kind is int and 0 <= value < 256:  # noqa: PLR2004 - len(SMALL_INTS)
        return SMALL_INTS[value]
    if kind not in SCALARS and not is_flat(value) and not is_writable([value], MAX_VALUE_DEPTH):
        value = to_plain(value, MAX_VALUE_DEPTH)
        if not is_writable([value], MAX_VALUE_DEPTH):
            stored = marshal.dumps(to_stored(value), MARSHAL_VERSION)
            return FORM_HEADER.pack(FORM_MARK, len(stored)) + stored
    try:
        return marshal.dumps(value, MARSHAL_VERSION)
    except ValueError as error:
        raise UnsupportedTypeError(
            f"a value of type {name_type(kind)} has a part over 2 GiB: yield it in pieces"
        ) from error


def decode_value(data: bytes) -> Value:
    """Return the value that `encode_value` encoded, with its exact type."""
    if data[0] == FORM_BYTE:
        return from_stored(marshal.loads(memoryview(data)[FORM_HEADER.size :]))  # noqa: S302 - our own, checksummed bytes
    return marshal.loads(data)  # noqa: S302 - likewise; see the module's docstring


def decode_values(data: bytes | memoryview, count: int) -> list[Value]:
    """Return the `count` values whose encodings, joined, are `data`."""
    try:
        values: list[Value] = marshal.loads(b"".join((LIST_HEADER.pack(b"[", count), data)))  # noqa: S302 - likewise
    except ValueError:
        return list(decode_each(memoryview(data), count))
    return values


def decode_each(data: memoryview, count: int) -> Iterator[Value]:
    """Yield the values of joined encodings in order; some of the encodings are marked."""
    at = 0
    for _ in range(count):
        if data[at] == FORM_BYTE:
            _, size = FORM_HEADER.unpack_from(data, at)
            at += FORM_HEADER.size
            yield from_stored(marshal.loads(data[at : at + size]))  # noqa: S302 - likewise
        else:
            value = marshal.loads(data[at:])  # noqa: S302 - likewise
            size = len(marshal.dumps(value, MARSHAL_VERSION))
            yield value
        at += size


def encode_values(values: list[Value | Encoded]) -> bytes:
    """Return the encodings of captured values, joined."""
    if Encoded not in set(map(type, values)):
        try:
            return marshal.dumps(values, MARSHAL_VERSION)[LIST_HEADER.size :]
        except ValueError:
            pass  # one of them is a Decimal, for example: an aggregate may be one
    return b"".join(map(encode_captured, values))


def encode_joined(values: Sequence[Value]) -> bytes | None:
    """Return the encodings of `values` as they are now, joined; None if they must be encoded one by one."""
    try:
        if not is_writable(values, MAX_VALUE_DEPTH):
            return None
        return marshal.dumps(list(values), MARSHAL_VERSION)[LIST_HEADER.size :]
    except (UnsupportedTypeError, ValueError):
        return None


def encode_list(values: list[Value]) -> bytes:
    """Return the encoding of scalars as one list; an object that occurs several times is stored once."""
    return LIST_MARK + marshal.dumps(values, SHARING_VERSION)


def decode_list(data: bytes | memoryview) -> list[Value]:
    """Return the values that `encode_list` encoded."""
    values: list[Value] = marshal.loads(memoryview(data)[1:])  # noqa: S302 - our own, checksummed bytes; see above
    return values


def encode_captured(value: Value | Encoded) -> bytes:
    """Return the encoding of a captured value."""
    return value if type(value) is Encoded else encode_value(value)


def capture(value: Value) -> Value | Encoded:
    """Return `value` in a form that nobody can change: itself if it is a scalar or a tuple of scalars.

    Raises:
        UnsupportedTypeError: see `encode_value`.
    """
    return value if type(value) in SCALARS or is_flat(value) else Encoded(encode_value(value))


def is_flat(value: Value) -> bool:
    """Tell whether `value` is a tuple of scalars."""
    return type(value) is tuple and SCALARS.issuperset(map(type, value))


def restore(values: list[Value | Encoded]) -> list[Value]:
    """Return the values that `capture` was given."""
    if Encoded in set(map(type, values)):
        return [decode_value(value) if type(value) is Encoded else value for value in values]
    return values


def is_writable(values: Iterable[Value], depth: int) -> bool:
    """Tell whether marshal can write all of these values, with everything in them, and read them back unchanged.

    Raises:
        UnsupportedTypeError: they nest deeper than `depth`.
    """
    if SCALARS.issuperset(map(type, values)):
        return True
    if not depth:
        raise UnsupportedTypeError(
            f"a value may nest {MAX_VALUE_DEPTH} containers and this one nests more, or contains itself: yield a "
            "flatter one"
        )
    for value in values:
        kind = type(value)
        if kind in CONTAINERS:
            if not is_writable(value, depth - 1) or (kind is dict and not is_writable(value.values(), depth - 1)):
                return False
        elif kind not in SCALARS:
            return False
    return True
