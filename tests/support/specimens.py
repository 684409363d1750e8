"""An instance of every type that a program may come to yield: what the standard library, numpy and pyarrow hold.

`SPECIMENS` maps names to instances; what `python_form` says of one is what must come out of a job that yields it. The
programs of the tests run in the tests' own process, and put what they get into `SEEN`.
"""

import array
import contextlib
import dataclasses
import importlib
import inspect
import re
import types
import weakref
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

__all__ = ["EXACT_TYPES", "REFUSED", "SEEN", "SPECIMENS", "python_form"]

SEEN: list[Any] = []
"""What the programs of the tests were given."""

MODULES = """
abc argparse array ast bdb binascii bisect builtins bz2 calendar cmath code codecs collections
collections.abc concurrent.futures configparser contextlib contextvars copy csv ctypes dataclasses datetime
decimal difflib dis email.message email.header enum fractions functools gettext graphlib hashlib html.parser
http http.client http.cookies inspect io ipaddress itertools json keyword linecache locale logging lzma math
mimetypes numbers operator optparse pathlib pickle pickletools plistlib pprint queue random re sched secrets
shlex signal statistics string struct symtable sysconfig textwrap threading time tokenize traceback types
typing urllib.parse urllib.request uuid warnings weakref wsgiref.headers xml.dom.minidom
xml.etree.ElementTree xml.sax.handler zipfile zlib zoneinfo
""".split()  # noqa: SIM905 - a list of so many is long
ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (),
    (1,),
    ("1",),
    (b"1",),
    ([1, 2],),
    (2024, 1, 1),
    ("a", "b"),
    (int,),
    (len,),
)
LEFT_OUT = re.compile(
    # They would take over the console, a signal, a thread or a file.
    r"code\.|io\.FileIO|io\.open|.*Pool.*|.*Handler|signal\.|"
    r"argparse\.FileType|urllib\.request\.|zipfile\.|http\.client\.|sched\.|bdb\.|.*Profile|threading\._|.*Popen|"
    r"contextlib\.redirect"
)


class Point(NamedTuple):
    x: Any
    y: Any


PlainPoint = namedtuple("PlainPoint", "x y")  # noqa: PYI024 - both are to be had


class FarPoint(Point):
    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("never iterated over")


class Level(IntEnum):
    LOW = 1


class Colour(StrEnum):
    RED = "red"


class Shape(Enum):
    ROUND = (1, 2)


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Price:
    amount: int = 1


class Celsius(float):
    pass


class Word(str):
    __slots__ = ()


class Moment(datetime):
    pass


class Money(Decimal):
    pass


class Name(UUID):
    pass


class Angry:
    """Raises whatever it is asked."""

    def __repr__(self) -> str:
        raise ZeroDivisionError("no repr")

    __str__ = __lt__ = __gt__ = __eq__ = __add__ = __radd__ = __iter__ = __len__ = __bool__ = __repr__  # type: ignore[assignment]

    def __hash__(self) -> int:
        return 1


class Misleading:
    """Says that it is something else."""

    __class__ = int  # type: ignore[assignment]


class RaisingZone(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> timedelta:
        raise ZeroDivisionError("no offset")


class OwnZone(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> timedelta:
        return timedelta(hours=3)


class NoZone(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> None:
        return None


BERLIN = ZoneInfo("Europe/Berlin")
EXACT: dict[str, Any] = {
    "None": None,
    "bool": True,
    "int": -7,
    "huge int": 10**5000,
    "float": 1.5,
    "infinity": float("inf"),
    "str": "a\tb\\\n",
    "lone surrogate": "\ud800",
    "bytes": b"\x00\xff",
    "empty tuple": (),
    "Decimal": Decimal("1.50"),
    "negative Decimal": Decimal("-12345678901234567890123456789012345.678"),
    "Decimal with exponent": Decimal("1E+400"),
    "Decimal zero": Decimal("-0.00"),
    "Decimal infinity": Decimal("-Infinity"),
    "negated infinity": Decimal("Infinity"),
    "endless Decimal": Decimal("1E+99999999999"),
    "date": date(2024, 2, 29),
    "datetime": datetime(2024, 2, 29, 12, 30, 0, 5),  # noqa: DTZ001 - naive
    "folded datetime": datetime(2024, 10, 27, 2, 30, fold=1),  # noqa: DTZ001 - likewise
    "UTC": datetime(2024, 2, 29, 12, tzinfo=UTC),
    "offset": datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=-5, seconds=1))),
    "named offset": datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(0), "GMT")),
    "zone": datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    "folded zone": datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    "last datetime": datetime.max,  # noqa: DTZ901 - naive
    "first aware datetime": datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    "time": time(23, 59, 59, 999999),
    "timedelta": timedelta(days=-3, seconds=5, microseconds=7),
    "longest timedelta": timedelta.max,
    "UUID": UUID("12345678-1234-5678-1234-567812345678"),
}
CONTAINERS: dict[str, Any] = {
    "tuple": (1, "a", Decimal(1)),
    "list": [1, [date(2024, 1, 1)]],
    "dict": {"a": {"b": UUID(int=1)}},
    "empty list": [],
    "empty dict": {},
}
CONVERTED: dict[str, Any] = {
    "namedtuple": PlainPoint(1, "a"),
    "NamedTuple": Point(np.int8(1), Point(1, 2)),
    "subclass of a NamedTuple": FarPoint(1, 2),
    "OrderedDict": OrderedDict(a=1),
    "defaultdict": defaultdict(int, a=1),
    "Counter": Counter("aab"),
    "foreign zone": datetime(2024, 2, 29, 12, tzinfo=OwnZone()),
    "zone without offset": datetime(2024, 2, 29, 12, tzinfo=NoZone()),
    "zone that nobody shares": datetime(2024, 7, 1, 12, tzinfo=ZoneInfo.no_cache("Europe/Berlin")),
}
EXACT_TYPES = (type(None), bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID)
REFUSED: dict[str, Any] = {
    "NaN": float("nan"),
    "Decimal NaN": Decimal("NaN"),
    "signalling NaN": Decimal("sNaN"),
    "aware time": time(1, tzinfo=UTC),
    "raising zone": datetime(2024, 1, 1, tzinfo=RaisingZone()),
    "IntEnum": Level.LOW,
    "StrEnum": Colour.RED,
    "Enum": Shape.ROUND,
    "Flag": Access.READ | Access.WRITE,
    "dataclass": Price(),
    "float of a subclass": Celsius(1.5),
    "str of a subclass": Word("a"),
    "datetime of a subclass": Moment(2024, 1, 1),
    "Decimal of a subclass": Money(1),
    "UUID of a subclass": Name(int=1),
    "set": {1},
    "frozenset": frozenset("a"),
    "complex": 1j,
    "Fraction": Fraction(1, 3),
    "bytearray": bytearray(b"a"),
    "memoryview": memoryview(b"a"),
    "array": array.array("i", [1]),
    "range": range(3),
    "generator": (each for each in "ab"),
    "iterator": iter([1]),
    "map": map(str, [1]),
    "dict keys": {"a": 1}.keys(),
    "mapping proxy": types.MappingProxyType({"a": 1}),
    "match": re.match("a", "a"),
    "pattern": re.compile("a"),
    "class": int,
    "function": len,
    "lambda": lambda: 1,
    "method": "a".upper,
    "module": re,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "slice": slice(1),
    "object": object(),
    "weak reference": weakref.ref(Price),
    "exception": ValueError("a"),
    "frame": inspect.currentframe(),
    "angry": Angry(),
    "misleading": Misleading(),
    "list of angry": [Angry()],
    "itself": [],
}
REFUSED["itself"].append(REFUSED["itself"])
NUMPY_VALUES = ("0", "1", "2024-01-01", "NaT")


def numpy_specimens() -> Iterator[tuple[str, Any]]:
    """Yield scalars of every dtype, and arrays."""
    names = [*np.typecodes["AllInteger"], *np.typecodes["AllFloat"], "?", "U3", "S3", "V3"]
    for code in names:
        yield f"numpy {code}", np.ones(1, code)[0] if code[0] not in "USV" else np.array([b"ab"], "S3").astype(code)[0]
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "as"):
        yield f"numpy datetime64 {unit}", np.datetime64(1, unit)
        yield f"numpy timedelta64 {unit}", np.timedelta64(1, unit)
    yield "numpy NaT", np.datetime64("NaT")
    yield "numpy far datetime64", np.datetime64("12024-01-01", "us")
    yield "numpy NaN", np.float64("nan")
    yield "numpy record", np.array([(1, 2.5, b"a")], "i4,f8,S2")[0]
    yield "numpy array", np.zeros(2)
    yield "numpy array without a dimension", np.array(1)
    yield "numpy array of objects", np.array([object()])
    yield "numpy dtype", np.dtype("i4")


def arrow_specimens() -> Iterator[tuple[str, Any]]:
    """Yield scalars and columns of pyarrow."""
    for value in (1, 1.5, "a", b"a", None, True, [1], {"a": 1}, date(2024, 1, 1), Decimal(1), timedelta(1)):
        yield f"pyarrow {value!r}", pa.scalar(value)
    yield "pyarrow array", pa.array([1])
    yield "pyarrow table", pa.table({"a": [1]})
    yield "pyarrow type", pa.int8()


def library_specimens() -> Iterator[tuple[str, Any]]:
    """Yield an instance of each class of the standard library that takes one of a few arguments."""
    seen: set[type] = set()
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, kind in sorted(vars(module).items()):
            label = f"{module_name}.{name}"
            if not isinstance(kind, type) or kind in seen or LEFT_OUT.match(label) or issubclass(kind, type):
                continue
            seen.add(kind)
            for arguments in ARGUMENTS:
                with contextlib.suppress(Exception):
                    yield label, kind(*arguments)
                    break


def collect() -> dict[str, Any]:
    """Return all specimens by name."""
    own = EXACT | CONTAINERS | CONVERTED | REFUSED
    return own | dict(numpy_specimens()) | dict(arrow_specimens()) | dict(library_specimens())


class NoFormError(Exception):
    """There is no Python form of a specimen: a job must refuse it."""


def python_form(item: Any) -> Any:  # noqa: PLR0911 - one return a kind
    """Return what must come out of a job that yields `item` as a value, as the documentation has it.

    Raises:
        NoFormError: the job must refuse it.
    """
    kind = type(item)
    if isinstance(item, np.generic):
        return numpy_form(item)
    if kind in (OrderedDict, defaultdict, Counter):
        return python_form(dict(item))
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        return python_form(tuple(item[index] for index in range(len(kind._fields))))
    if kind in (tuple, list):
        return kind(python_form(each) for each in item)
    if kind is dict:
        return {python_form(name): python_form(each) for name, each in item.items()}
    if kind is time and item.tzinfo is not None:
        raise NoFormError
    if kind is datetime and not isinstance(item.tzinfo, type(None) | timezone) and item.tzinfo is not BERLIN:
        return with_offset(item)
    if kind not in EXACT_TYPES:
        raise NoFormError
    return item


def with_offset(moment: datetime) -> datetime:
    """Return a datetime of a foreign zone with the offset that it has then."""
    try:
        offset = moment.utcoffset()
    except ZeroDivisionError:
        raise NoFormError from None
    return moment.replace(tzinfo=None if offset is None else timezone(offset))


def numpy_form(item: Any) -> Any:
    """Return the Python form of a scalar of numpy's."""
    if isinstance(item, np.datetime64 | np.timedelta64):
        form = item.astype(object)
        if isinstance(form, int) or form is None:
            raise NoFormError
        return form
    if isinstance(item, np.longdouble | np.complexfloating):
        raise NoFormError
    if isinstance(item, np.void):
        return tuple(python_form(each) for each in item) if item.dtype.names else item.tobytes()
    return item.tolist()


SPECIMENS = collect()
