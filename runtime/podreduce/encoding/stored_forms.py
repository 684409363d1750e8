"""Decimals, dates, times and UUIDs within values, as tuples of what marshal can write. Rule: pure.

In such a value each of them is replaced by `(..., tag, parts)`. No other value has an Ellipsis in it, so the form is
unambiguous.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from podreduce.encoding.plain_forms import ATOMS, SCALARS, UnsupportedTypeError, plain_form, zone_name

__all__ = ["from_stored", "to_plain", "to_stored"]

FORM_LENGTH: Final = 3
MICROSECOND: Final = timedelta(microseconds=1)
START: Final = datetime.min  # noqa: DTZ901 - each is counted by its own clock


def to_plain(value: Any, depth: int) -> Any:  # noqa: ANN401 - anything the program yields
    """Return `value` with everything in it in plain form (`plain_forms.plain_form`), `depth` containers deep.

    Raises:
        UnsupportedTypeError: something in it has an unsupported type, or it nests deeper.
    """
    value = plain_form(value)
    kind = type(value)
    if kind in ATOMS:
        return value
    if not depth:
        raise UnsupportedTypeError("a value nests too many containers, or contains itself: yield a flatter one")
    if kind is dict:
        return {to_plain(name, depth - 1): to_plain(item, depth - 1) for name, item in value.items()}
    return kind(to_plain(item, depth - 1) for item in value)


def to_stored(plain: Any) -> Any:  # noqa: ANN401 - a plain value
    """Return a plain value in a form that marshal can write."""
    kind = type(plain)
    if kind in SCALARS:
        return plain
    if kind is dict:
        return {to_stored(name): to_stored(item) for name, item in plain.items()}
    if kind is tuple or kind is list:
        return kind(map(to_stored, plain))
    return (..., *WRITERS[kind](plain))


def from_stored(tree: Any) -> Any:  # noqa: ANN401 - what marshal read
    """Return the value that `to_stored` was given."""
    kind = type(tree)
    if kind is tuple and len(tree) == FORM_LENGTH and tree[0] is ...:
        return READERS[tree[1]](tree[2])
    if kind is dict:
        return {from_stored(name): from_stored(item) for name, item in tree.items()}
    return kind(map(from_stored, tree)) if kind is tuple or kind is list else tree


def write_datetime(moment: datetime) -> tuple[int, Any]:
    """Return its tag and parts: microseconds since the year 1 by its own clock, fold, zone."""
    naive = moment.replace(tzinfo=None)
    return 2, ((naive - START) // MICROSECOND, moment.fold, write_zone(moment.tzinfo))


def write_zone(zone: Any) -> Any:  # noqa: ANN401 - a tzinfo that `plain_form` accepts
    """Return None, the zone's name, or offset and name as `timezone` accepts them."""
    if type(zone) is not timezone:
        return zone_name(zone)
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined] # typeshed lacks what pickle uses
    return offset // MICROSECOND, *name


def read_datetime(parts: tuple[int, int, Any]) -> datetime:
    """Return the datetime with these parts."""
    microseconds, fold, zone = parts
    return (START + timedelta(microseconds=microseconds)).replace(tzinfo=read_zone(zone), fold=fold)


def read_zone(parts: Any) -> Any:  # noqa: ANN401 - what `write_zone` returned
    """Return the tzinfo with these parts."""
    if parts is None:
        return None
    if type(parts) is str:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - few need it

        return ZoneInfo(parts)
    microseconds, *name = parts
    return timezone(timedelta(microseconds=microseconds), *name) if microseconds or name else UTC


def read_time(parts: tuple[int, int, int, int, int]) -> time:
    """Return the time with these parts."""
    hour, minute, second, microsecond, fold = parts
    return time(hour, minute, second, microsecond, fold=fold)


WRITERS: Final[dict[type, Callable[[Any], tuple[int, Any]]]] = {
    date: lambda day: (1, day.toordinal()),
    datetime: write_datetime,
    time: lambda clock: (3, (clock.hour, clock.minute, clock.second, clock.microsecond, clock.fold)),
    timedelta: lambda span: (4, (span.days, span.seconds, span.microseconds)),
    Decimal: lambda number: (5, str(number)),
    UUID: lambda name: (6, name.bytes),
}
READERS: Final[dict[int, Callable[[Any], Any]]] = {
    1: date.fromordinal,
    2: read_datetime,
    3: read_time,
    4: lambda parts: timedelta(*parts),
    5: Decimal,
    6: lambda data: UUID(bytes=data),
}
