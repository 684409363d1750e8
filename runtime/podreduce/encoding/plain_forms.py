"""Which types may be yielded, and which other types are converted. Rule: pure; runs no code of the program.

Exactly these types are stored unchanged: None, bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta,
UUID, and tuples, lists and dicts of them. numpy's scalars become Python's, named tuples become tuples, OrderedDict,
defaultdict and Counter become dicts. A subclass may mean anything, so it is refused, like all other types. The message
says what to yield instead.
"""

import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from re import Match, Pattern
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, Final
from uuid import UUID

__all__ = ["ATOMS", "CONTAINERS", "SCALARS", "UnsupportedTypeError", "find_remedy", "name_type", "plain_form", "refuse"]

SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types that marshal can write and that are immutable."""
ATOMS: Final = SCALARS | {Decimal, date, datetime, time, timedelta, UUID}
CONTAINERS: Final = frozenset({tuple, list, dict})
STEADY: Final = (ATOMS | CONTAINERS) - {datetime, time}
"""Types that need no look inside. A datetime or time is not among them: its tzinfo may have any class."""
DICTS: Final = frozenset({OrderedDict, defaultdict, Counter})
BASES: Final = (bool, int, float, str, bytes, tuple, list, dict, Decimal)

ALLOWED: Final = {
    "value": "None, bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID, tuple, list and dict",
    "key": "None, bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID and tuples of these",
}


class UnsupportedTypeError(TypeError):
    """A key or value that cannot be shuffled; the message says what it is and what to do."""


def plain_form(item: Any, role: str = "value") -> Any:  # noqa: ANN401, PLR0911 - any item; a return a kind
    """Return what `item` becomes when it is yielded: itself, or an equal object of an exact type. Its parts stay.

    Args:
        item: the yielded object, or a part of it.
        role: `value` or `key`, for the message.

    Raises:
        UnsupportedTypeError: its type is not supported.
    """
    kind = type(item)
    if kind in STEADY:
        return item
    if kind is datetime:
        return item if item.tzinfo is None else with_known_zone(item, role)
    if kind is time and item.tzinfo is None:
        return item
    if kind in DICTS:
        return dict(item)
    if is_named_tuple(kind):
        return tuple.__getitem__(item, slice(None))
    if is_numpy_scalar(kind):
        form = item.item()
        if not (kind.__name__ in ("datetime64", "timedelta64") and type(form) in (int, type(None))):
            return form if type(form) is not kind and type(form) in ATOMS | CONTAINERS else refuse(item, role)
    return refuse(item, role)


def refuse(item: Any, role: str) -> Any:  # noqa: ANN401 - likewise
    """Raise the error for an item that cannot be yielded."""
    raise UnsupportedTypeError(
        f"{name_type(type(item))} cannot be a {role}: {find_remedy(item, role)} ({role}s are exactly {ALLOWED[role]})"
    )


def with_known_zone(moment: datetime, role: str) -> datetime:
    """Return `moment` with a tzinfo that can be stored: UTC, a fixed offset, or a zone of Python's database.

    Any other tzinfo is replaced by its offset at that moment.
    """
    zone = moment.tzinfo
    if type(zone) is timezone or zone_name(zone) is not None:
        return moment
    try:
        offset = moment.utcoffset()
        return moment.replace(tzinfo=None if offset is None else timezone(offset))
    except Exception as error:  # noqa: BLE001 - anything a tzinfo of the program's raises
        raise UnsupportedTypeError(
            f"a datetime cannot be a {role} when its {name_type(type(zone))} raises {type(error).__name__}: "
            f"yield {role}.replace(tzinfo=None), or with datetime.timezone.utc"
        ) from None


def zone_name(zone: Any) -> str | None:  # noqa: ANN401 - any tzinfo
    """Return the name by which `ZoneInfo` finds that zone on any machine; None if there is none."""
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is None or type(zone) is not zoneinfo.ZoneInfo or zone.key is None:
        return None
    try:
        return str(zone.key) if zoneinfo.ZoneInfo(zone.key) is zone else None
    except (KeyError, ValueError, OSError):  # a zone read from a file may have any name
        return None


def is_named_tuple(kind: type) -> bool:
    """Tell whether a type was made by `namedtuple` or `NamedTuple`."""
    return issubclass(kind, tuple) and any("_fields" in vars(base) and "_make" in vars(base) for base in kind.__mro__)


def is_numpy_scalar(kind: type) -> bool:
    """Tell whether a type is numpy's for one number, text or moment. Always False if numpy is not imported."""
    generic = getattr(sys.modules.get("numpy"), "generic", None)
    return isinstance(generic, type) and kind.__module__ == "numpy" and issubclass(kind, generic)


def find_remedy(item: Any, role: str) -> str:  # noqa: ANN401 - anything the program yields
    """Return what to yield instead of an item, as text."""
    kind = type(item)
    found = remedy_by_package(item, role) or remedy_by_type(kind, role) or remedy_by_members(kind, role)
    return f"yield {found or 'its parts as a tuple, or str({x})'}".replace("{x}", role)


def remedy_by_package(item: Any, role: str) -> str:  # noqa: ANN401 - likewise
    """Return what to yield instead of objects of numpy, pandas and pyarrow; `{x}` stands for the item."""
    kind = type(item)
    package, name = str(kind.__module__).partition(".")[0], kind.__name__
    if package == "numpy":
        if name in ("datetime64", "timedelta64"):
            return "None" if str(item) == "NaT" else f"{{x}}.astype('{name}[us]').item()"
        if "complex" in name:
            return "({x}.real, {x}.imag)"
        listed = "tuple({x}.tolist())" if role == "key" else "{x}.tolist()"
        return "float({x})" if "longdouble" in name else listed
    if package == "pandas":
        known = {"Timestamp": "to_pydatetime()", "Timedelta": "to_pytimedelta()", "DataFrame": "to_dict('records')"}
        return "None" if name in ("NaTType", "NAType") else f"{{x}}.{known.get(name, 'tolist()')}"
    if package == "pyarrow":
        return (
            "{x}.as_py()" if has_member(kind, "as_py") else "{x}.to_pylist()" if has_member(kind, "to_pylist") else ""
        )
    return ""


def remedy_by_type(kind: type, role: str) -> str:
    """Return what to yield instead of an instance of a standard type or a subclass; `{x}` stands for it."""
    if issubclass(kind, Enum):
        return "{x}.name, or {x}.value"
    for base in BASES:
        if issubclass(kind, base) and not (base in (list, dict) and role == "key"):
            return f"{base.__name__}({{x}})"
    return next((remedy[role == "key"] for base, remedy in REMEDIES if issubclass(kind, base)), "")


def remedy_by_members(kind: type, role: str) -> str:
    """Return what to yield instead of an instance whose class shows its kind; `{x}` stands for it."""
    if has_member(kind, "__dataclass_fields__"):
        return "dataclasses.astuple({x})" if role == "key" else "dataclasses.asdict({x}), or dataclasses.astuple({x})"
    if has_member(kind, "__next__"):
        return "tuple({x})" if role == "key" else "list({x})"
    return "{x}.tolist()" if has_member(kind, "tolist") else ""


def has_member(kind: type, name: str) -> bool:
    """Tell whether a class or one of its bases has a member, without running any of its code."""
    return any(name in vars(base) for base in kind.__mro__)


def name_type(kind: type) -> str:
    """Return `module.Type`, or the bare name of a builtin."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


REMEDIES: Final[tuple[tuple[Any, tuple[str, str]], ...]] = (
    (list, ("list({x})", "tuple({x})")),
    (dict, ("dict({x})", "tuple(sorted({x}.items()))")),
    ((set, frozenset), ("sorted({x})", "tuple(sorted({x}))")),
    ((bytearray, memoryview), ("bytes({x})", "bytes({x})")),
    (complex, ("({x}.real, {x}.imag)", "({x}.real, {x}.imag)")),
    (
        Fraction,
        (
            "({x}.numerator, {x}.denominator), or float({x})",
            "({x}.numerator, {x}.denominator), or float({x})",
        ),
    ),
    ((range, deque, type({}.keys()), type({}.values()), type({}.items())), ("list({x})", "tuple({x})")),
    ((MappingProxyType, UserDict, ChainMap), ("dict({x})", "tuple(sorted({x}.items()))")),
    ((date, time), ("{x}.isoformat()", "{x}.isoformat()")),
    (timedelta, ("{x}.total_seconds()", "{x}.total_seconds()")),
    (UUID, ("UUID(int={x}.int)", "UUID(int={x}.int)")),
    (Match, ("{x}.group()", "{x}.group()")),
    (Pattern, ("{x}.pattern", "{x}.pattern")),
    ((type, ModuleType, FunctionType, type(len)), ("{x}.__name__", "{x}.__name__")),
)
"""Types → what to yield instead of a value, and of a key."""
