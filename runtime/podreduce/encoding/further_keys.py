"""Decimals, dates, times and UUIDs as keys: bytes that order as they do. Rule: pure.

Each type has its own tag (see keys) and delimits itself. Values that Python calls equal are one key, and come back in
the plainest form: Decimal("1.50") as Decimal("1.5"), an aware datetime in UTC, `fold` as 0.
- a Decimal: its sign, the place of its first digit (biased, eight bytes), its digits without trailing zeros, a 00;
  for a negative number all of this is inverted;
- a date: its ordinal; a datetime or time: its microseconds; a timedelta: its days, then the other microseconds;
- a UUID: its bytes.
"""

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from podreduce.encoding.plain_forms import UnsupportedTypeError

__all__ = ["FURTHER_TAGS", "decode_further", "encode_further", "skip_further"]

DECIMAL, DATE, NAIVE, AWARE, TIME, TIMEDELTA, UUID_TAG = range(8, 15)
FURTHER_TAGS: Final = range(DECIMAL, UUID_TAG + 1)

ORDINAL: Final = struct.Struct(">I")
MICROSECONDS: Final = struct.Struct(">Q")
SPAN: Final = struct.Struct(">IQ")
DAYS_BIAS: Final = 1 << 31
PLACE_BIAS: Final = 1 << 63
MICROSECOND: Final = timedelta(microseconds=1)
START: Final = datetime.min  # noqa: DTZ901 - naive datetimes are counted from here
START_UTC: Final = datetime.min.replace(tzinfo=UTC)
INVERTED: Final = bytes(255 - byte for byte in range(256))

MINUS_INFINITY, NEGATIVE, ZERO, POSITIVE, INFINITY = range(1, 6)
WRITTEN_OUT: Final = 28
"""An integral Decimal with at most this many digits comes back without an exponent."""

SIZES: Final = {DATE: ORDINAL.size, NAIVE: 8, AWARE: 8, TIME: 8, TIMEDELTA: SPAN.size, UUID_TAG: 16}


def encode_further(key: Any) -> bytes:  # noqa: ANN401 - of one of the types above
    """Encode a key, tag included.

    Raises:
        UnsupportedTypeError: it is a Decimal NaN, or a datetime outside the years 1 to 9999 in UTC.
    """
    return ENCODERS[type(key)](key)


def decode_further(data: bytes, at: int) -> tuple[Any, int]:
    """Return the key whose tag is at `at`, and its end."""
    end = skip_further(data, at)
    return DECODERS[data[at]](data[at + 1 : end]), end


def skip_further(data: bytes, at: int) -> int:
    """Return the end of the key whose tag is at `at`."""
    if data[at] != DECIMAL:
        return at + 1 + SIZES[data[at]]
    sign = data[at + 1]
    if sign not in (NEGATIVE, POSITIVE):
        return at + 2
    return data.index(b"\x00" if sign == POSITIVE else b"\xff", at + 10) + 1


def encode_decimal(number: Decimal) -> bytes:
    """Encode a Decimal."""
    if number.is_nan():
        raise UnsupportedTypeError("a Decimal NaN cannot be a key: it equals nothing, itself included; yield None")
    if number.is_infinite() or not number:
        return bytes([DECIMAL, ZERO if not number else INFINITY if number > 0 else MINUS_INFINITY])
    digits = "".join(map(str, number.as_tuple().digits)).lstrip("0").rstrip("0")
    written = (number.adjusted() + PLACE_BIAS).to_bytes(8, "big") + digits.encode() + b"\x00"
    if number > 0:
        return bytes([DECIMAL, POSITIVE]) + written
    return bytes([DECIMAL, NEGATIVE]) + written.translate(INVERTED)


def decode_decimal(data: bytes) -> Decimal:
    """Return the Decimal encoded by the bytes after its tag."""
    sign, written = data[0], data[1:]
    if not written:
        return {ZERO: Decimal(0), INFINITY: Decimal("Infinity"), MINUS_INFINITY: Decimal("-Infinity")}[sign]
    if sign == NEGATIVE:
        written = written.translate(INVERTED)
    digits = tuple(digit - 48 for digit in written[8:-1])
    exponent = int.from_bytes(written[:8], "big") - PLACE_BIAS - len(digits) + 1
    if 0 < exponent <= WRITTEN_OUT - len(digits):
        digits, exponent = digits + (0,) * exponent, 0
    return Decimal((int(sign == NEGATIVE), digits, exponent))


def encode_datetime(moment: datetime) -> bytes:
    """Encode a datetime; an aware one by its moment in UTC."""
    if moment.tzinfo is None:
        return bytes([NAIVE]) + MICROSECONDS.pack((moment - START) // MICROSECOND)
    try:
        return bytes([AWARE]) + MICROSECONDS.pack((moment.astimezone(UTC) - START_UTC) // MICROSECOND)
    except OverflowError:
        raise UnsupportedTypeError(
            "a datetime whose moment is outside the years 1 to 9999 in UTC cannot be a key: yield key.isoformat()"
        ) from None


def encode_time(clock: time) -> bytes:
    """Encode a time without tzinfo."""
    seconds = (clock.hour * 60 + clock.minute) * 60 + clock.second
    return bytes([TIME]) + MICROSECONDS.pack(seconds * 1_000_000 + clock.microsecond)


def encode_timedelta(span: timedelta) -> bytes:
    """Encode a timedelta."""
    return bytes([TIMEDELTA]) + SPAN.pack(span.days + DAYS_BIAS, span.seconds * 1_000_000 + span.microseconds)


def decode_timedelta(data: bytes) -> timedelta:
    """Return the timedelta encoded by the bytes after its tag."""
    days, microseconds = SPAN.unpack(data)
    return timedelta(days=days - DAYS_BIAS, microseconds=microseconds)


def unpack_span(data: bytes) -> timedelta:
    """Return a timedelta of these microseconds."""
    return timedelta(microseconds=MICROSECONDS.unpack(data)[0])


ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    Decimal: encode_decimal,
    date: lambda day: bytes([DATE]) + ORDINAL.pack(day.toordinal()),
    datetime: encode_datetime,
    time: encode_time,
    timedelta: encode_timedelta,
    UUID: lambda name: bytes([UUID_TAG]) + name.bytes,
}
DECODERS: Final[dict[int, Callable[[bytes], Any]]] = {
    DECIMAL: decode_decimal,
    DATE: lambda data: date.fromordinal(ORDINAL.unpack(data)[0]),
    NAIVE: lambda data: START + unpack_span(data),
    AWARE: lambda data: START_UTC + unpack_span(data),
    TIME: lambda data: (START + unpack_span(data)).time(),
    TIMEDELTA: decode_timedelta,
    UUID_TAG: lambda data: UUID(bytes=data),
}
