"""Keys as bytes that order as the keys do: None < bool < number < str (code points) < bytes < tuple < the others.

Rule: pure. The others are Decimal < date < datetime without a zone < datetime with one < time < timedelta < UUID;
`further_keys` encodes them.

One byte order serves sorting, merging, grouping and hashing, so nothing after the map ever compares Python objects. A
tag byte comes first; then:
- a number: its double, sign-flipped so that bytes order as doubles do; then the difference of an int to it
  (`n - int(float(n))`), length first. So ints of any size, floats and infinities share one exact order;
- str and bytes: UTF-8 (its byte order is code point order; surrogates pass) or the bytes themselves;
- a tuple: its elements and a 00. Inside it str and bytes end with 00, and a 00 in them is written as 00 FF
  (the idea is FoundationDB's tuple layer).
"""

import struct
from collections.abc import Collection
from typing import Any, Final, TypeAlias

from podreduce.encoding.further_keys import FURTHER_TAGS, decode_further, encode_further, skip_further
from podreduce.encoding.plain_forms import ATOMS, SCALARS, UnsupportedTypeError, name_type, plain_form, refuse

__all__ = [
    "Key",
    "UnsupportedTypeError",
    "complete_prefix",
    "decode_key",
    "encode_key",
    "encode_keys",
    "key_prefix",
    "name_type",
]

MAX_KEY_DEPTH: Final = 100

NONE, FALSE, TRUE, NUMBER, STR, BYTES, TUPLE = (bytes([tag]) for tag in range(1, 8))
END: Final = b"\x00"
ESCAPED_ZERO: Final = b"\x00\xff"

DOUBLE: Final = struct.Struct(">d")
LENGTH: Final = struct.Struct(">Q")
FLIPPED: Final = bytes(255 - byte for byte in range(256))
NO_REST: Final = b"\x80"
LONG_REST: Final = 0x7E
"""If the difference has this many bytes or more, its length is written as eight bytes."""

Key: TypeAlias = Any
"""One of `plain_forms.ATOMS`, or a tuple of them. Other types are converted or refused when they are encoded."""


def encode_key(key: Key) -> bytes:
    """Encode `key` so that the bytes order as the keys do; an integral float becomes an int (see also further_keys).

    Raises:
        UnsupportedTypeError: `key` has an unsupported type, is NaN, or is nested deeper than 100 tuples.
    """
    if type(key) is str:
        return STR + key.encode("utf-8", "surrogatepass")
    if type(key) is bytes:
        return BYTES + key
    if type(key) in SCALARS or type(key) is tuple:
        return encode_element(key, MAX_KEY_DEPTH)
    plain = plain_form(key, "key")
    return encode_element(plain, MAX_KEY_DEPTH) if type(plain) is type(key) else encode_key(plain)


def encode_keys(keys: Collection[Key]) -> list[bytes]:
    """Encode many keys; this is faster if all are str."""
    if {*map(type, keys)} == {str}:
        return [STR + key.encode("utf-8", "surrogatepass") for key in keys]
    return list(map(encode_key, keys))


def decode_key(data: bytes) -> Key:
    """Return the key that `encode_key` encoded, with its exact type."""
    tag = data[:1]
    if tag == STR:
        return data[1:].decode("utf-8", "surrogatepass")
    if tag == BYTES:
        return data[1:]
    return decode_element(data, 0)[0]


def key_prefix(data: bytes, elements: int) -> bytes:
    """Return the bytes that all encoded tuples with the same first `elements` elements begin with; else the whole key.

    For a shorter tuple this is everything but its end.
    """
    if data[:1] != TUPLE:
        return data
    at = 1
    for _ in range(elements):
        if not data[at]:
            break
        at = skip_element(data, at)
    return data[:at]


def complete_prefix(prefix: bytes) -> bytes:
    """Return the encoding of the tuple with this prefix; any other encoding unchanged."""
    if prefix[:1] != TUPLE:
        return prefix
    at = 1
    while at < len(prefix) and prefix[at]:
        at = skip_element(prefix, at)
    return prefix[:at] + END


def encode_element(key: Key, depth: int) -> bytes:  # noqa: PLR0911 - one return a type
    """Encode `key` so that something may follow it."""
    kind = type(key)
    if kind is str:
        return STR + escape(key.encode("utf-8", "surrogatepass"))
    if kind is int:
        return NUMBER + encode_int(key)
    if kind is float:
        return NUMBER + encode_float(key)
    if kind is tuple:
        return encode_tuple(key, depth)
    if kind is bytes:
        return BYTES + escape(key)
    if key is None:
        return NONE
    if kind is bool:
        return TRUE if key else FALSE
    plain = plain_form(key, "key")
    if type(plain) is not kind:
        return encode_element(plain, depth)
    return encode_further(plain) if kind in ATOMS else refuse(key, "key")


def encode_tuple(key: tuple[Key, ...], depth: int) -> bytes:
    """Encode the elements in order, and the end."""
    if not depth:
        raise UnsupportedTypeError(f"a key may nest {MAX_KEY_DEPTH} tuples and this one nests more: flatten it")
    return b"".join([TUPLE, *[encode_element(element, depth - 1) for element in key], END])


def encode_int(number: int) -> bytes:
    """Encode an int as its double and the difference to it."""
    try:
        double = float(number)
    except OverflowError:
        double = 1.7976931348623157e308 if number > 0 else -1.7976931348623157e308
    return encode_double(double) + encode_rest(number - int(double))


def encode_float(number: float) -> bytes:
    """Encode a float; an integral one (-0.0 too) becomes an int."""
    if number != number:  # noqa: PLR0124 - NaN is what differs from itself
        raise UnsupportedTypeError("NaN cannot be a key: it equals nothing, itself included; yield None or 'NaN'")
    return encode_double(number + 0.0) + NO_REST


def encode_double(number: float) -> bytes:
    """Return eight bytes that order as doubles do: negatives inverted, the sign bit flipped."""
    raw = DOUBLE.pack(number)
    return raw.translate(FLIPPED) if raw[0] & 0x80 else bytes([raw[0] | 0x80]) + raw[1:]


def encode_rest(rest: int) -> bytes:
    """Encode a signed int of any size: sign and length first; 0 is one byte."""
    if not rest:
        return NO_REST
    magnitude = abs(rest)
    size = (magnitude.bit_length() + 7) // 8
    length = bytes([0x80 + size]) if size < LONG_REST else b"\xfe" + LENGTH.pack(size)
    encoded = length + magnitude.to_bytes(size, "big")
    return encoded if rest > 0 else encoded.translate(FLIPPED)


def escape(data: bytes) -> bytes:
    """End `data` so that more can follow: a 00 in it becomes 00 FF."""
    return data.replace(END, ESCAPED_ZERO) + END


def decode_element(data: bytes, at: int) -> tuple[Key, int]:
    """Return the key that starts at `at`, and its end."""
    tag = data[at : at + 1]
    if tag == STR:
        text, end = unescape(data, at + 1)
        return text.decode("utf-8", "surrogatepass"), end
    if tag == NUMBER:
        return decode_number(data, at + 1)
    if tag == TUPLE:
        return decode_tuple(data, at + 1)
    if tag == BYTES:
        return unescape(data, at + 1)
    if data[at] in FURTHER_TAGS:
        return decode_further(data, at)
    return {NONE: None, FALSE: False, TRUE: True}[tag], at + 1


def decode_tuple(data: bytes, at: int) -> tuple[Key, int]:
    """Return the tuple whose first element starts at `at`."""
    elements = []
    while data[at]:
        element, at = decode_element(data, at)
        elements.append(element)
    return tuple(elements), at + 1


def skip_element(data: bytes, at: int) -> int:
    """Return the end of the key that starts at `at`."""
    tag = data[at : at + 1]
    if tag in (STR, BYTES):
        return find_escaped_end(data, at + 1) + 1
    if tag == NUMBER:
        return skip_rest(data, at + 9)
    if tag == TUPLE:
        at += 1
        while data[at]:
            at = skip_element(data, at)
    return skip_further(data, at) if data[at] in FURTHER_TAGS else at + 1


def skip_rest(data: bytes, at: int) -> int:
    """Return the end of what `encode_rest` wrote at `at`."""
    size = abs(data[at] - 0x80) if data[at] >= 0x80 else 0x7F - data[at]  # noqa: PLR2004 - NO_REST
    if size != LONG_REST:
        return at + 1 + size
    length = data[at + 1 : at + 9]
    return at + 9 + int(LENGTH.unpack(length if data[at] >= 0x80 else length.translate(FLIPPED))[0])  # noqa: PLR2004


def decode_number(data: bytes, at: int) -> tuple[Key, int]:
    """Return the int or float at `at`: an int whenever the double is integral."""
    raw = data[at : at + 8]
    raw = bytes([raw[0] & 0x7F]) + raw[1:] if raw[0] & 0x80 else raw.translate(FLIPPED)
    double = DOUBLE.unpack(raw)[0]
    rest, end = decode_rest(data, at + 8)
    return (int(double) + rest if double.is_integer() else double), end


def decode_rest(data: bytes, at: int) -> tuple[int, int]:
    """Return the signed int that `encode_rest` wrote, and its end."""
    if data[at] == 0x80:  # noqa: PLR2004 - NO_REST
        return 0, at + 1
    positive = data[at] > 0x80  # noqa: PLR2004 - likewise
    size, start = abs(data[at] - 0x80 if positive else data[at] - 0x7F), at + 1
    if size == LONG_REST:
        length = data[start : start + 8]
        size, start = LENGTH.unpack(length if positive else length.translate(FLIPPED))[0], start + 8
    digits = data[start : start + size]
    magnitude = int.from_bytes(digits if positive else digits.translate(FLIPPED), "big")
    return (magnitude if positive else -magnitude), start + size


def unescape(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the data that `escape` was given, and where the next element starts."""
    end = find_escaped_end(data, at)
    return data[at:end].replace(ESCAPED_ZERO, END), end + 1


def find_escaped_end(data: bytes, at: int) -> int:
    """Return the position of the 00 with which `escape` ended its data."""
    end = data.index(END, at)
    while data[end + 1 : end + 2] == b"\xff":
        end = data.index(END, end + 2)
    return end
