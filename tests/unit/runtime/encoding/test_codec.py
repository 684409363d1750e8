"""Keys and values as bytes: exact, and in the keys' own order."""

import marshal
import math
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from functools import cmp_to_key
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.encoding.codec import (
    UnsupportedTypeError,
    decode_key,
    decode_value,
    decode_values,
    encode_key,
    encode_value,
)


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(str):
    __slots__ = ()


class Sorted(OrderedDict[str, int]):
    pass


TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
INTS = st.one_of(
    st.integers(-300, 300),
    st.integers(),
    st.builds(lambda power, step: 2**power + step, st.integers(50, 1100), st.integers(-3, 3)),
    st.builds(lambda power, step: -(2**power) + step, st.integers(50, 1100), st.integers(-3, 3)),
)
NUMBERS = st.one_of(INTS, st.floats(allow_nan=False))
DECIMALS = st.one_of(
    st.decimals(allow_nan=False),
    st.builds(lambda number, power: Decimal(number).scaleb(power), st.integers(-1100, 1100), st.integers(-30, 30)),
)
ZONES = st.one_of(
    st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439)),
    st.sampled_from(
        [UTC, timezone(timedelta(hours=1), "MET"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")]
    ),
)
NEW_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - naive
NAIVE = st.builds(lambda moment, fold: moment.replace(fold=fold), st.datetimes(), st.integers(0, 1))
AWARE = st.builds(
    lambda moment, zone: moment.replace(tzinfo=zone),
    st.datetimes(NEW_YEAR.replace(year=2), NEW_YEAR.replace(year=9998)),
    ZONES,
)
FURTHER = st.one_of(DECIMALS, st.dates(), NAIVE, AWARE, st.times(), st.timedeltas(), st.uuids())
ATOMS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=8), FURTHER)
KEYS = st.recursive(ATOMS, lambda keys: st.lists(keys, max_size=3).map(tuple), max_leaves=6)
VALUES = st.recursive(
    st.one_of(ATOMS, st.just(math.nan)),
    lambda values: st.one_of(
        st.lists(values, max_size=3),
        st.lists(values, max_size=3).map(tuple),
        st.dictionaries(ATOMS, values, max_size=3),
    ),
    max_leaves=6,
)


KINDS: list[Any] = [
    type(None),
    bool,
    (int, float),
    str,
    bytes,
    tuple,
    Decimal,
    date,
    datetime,
    "aware",
    time,
    timedelta,
    UUID,
]


def rank(key: Any) -> int:
    if isinstance(key, datetime):
        return KINDS.index(datetime if key.tzinfo is None else "aware")
    return next(place for place, kinds in enumerate(KINDS) if kinds != "aware" and isinstance(key, kinds))


def exact(number: float) -> tuple[int, Fraction]:
    if isinstance(number, float) and math.isinf(number):
        return (1 if number > 0 else -1, Fraction(0))
    return 0, Fraction(number)


def compare(left: Any, right: Any) -> int:
    """The total order of keys, said without any encoding."""
    if rank(left) != rank(right):
        return -1 if rank(left) < rank(right) else 1
    if isinstance(left, tuple):
        for one, other in zip(left, right, strict=False):
            if difference := compare(one, other):
                return difference
        left, right = len(left), len(right)
    elif left is None:
        return 0
    elif rank(left) == rank(0):
        left, right = exact(left), exact(right)
    elif isinstance(left, datetime) and left.tzinfo is not None:
        left, right = left.astimezone(UTC), right.astimezone(UTC)  # of one zone Python compares the clocks
    elif isinstance(left, str):
        left, right = [ord(char) for char in left], [ord(char) for char in right]
    return int(left > right) - int(left < right)


def normal(key: Any) -> Any:
    """What a key becomes when it is yielded."""
    if isinstance(key, tuple):
        return tuple(normal(element) for element in key)
    if isinstance(key, Decimal):
        return plainest(key)
    if isinstance(key, datetime):
        return (key if key.tzinfo is None else key.astimezone(UTC)).replace(fold=0)
    if isinstance(key, time):
        return key.replace(fold=0)
    return int(key) if isinstance(key, float) and key.is_integer() else key


def plainest(number: Decimal) -> Decimal:
    """An equal Decimal without zeros at its end, and without an exponent up to 28 digits."""
    if not number or number.is_infinite():
        return number or Decimal(0)
    sign, digits, exponent = number.as_tuple()
    while digits[-1] == 0:
        digits, exponent = digits[:-1], int(exponent) + 1
    if 0 < int(exponent) <= 28 - len(digits):
        digits, exponent = (*digits, *(0,) * int(exponent)), 0
    return Decimal((sign, digits, exponent))


def shape(value: Any) -> Any:
    """The value with all its types, and floats by their bits (NaN, -0.0)."""
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    if isinstance(value, dict):
        return dict, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, datetime):
        return datetime, value.replace(tzinfo=None), value.fold, value.tzinfo, value.utcoffset()
    if isinstance(value, Decimal | time):
        return type(value), repr(value)
    return type(value), value.hex() if isinstance(value, float) else value


@given(KEYS)
@example(-0.0)
@example(("a\x00", "\x00\xff", b"\x00\x00\xff", ()))
@example("\ud800\udc00")
@example(2**1024)
@example(-(2**20000))
def test_a_key_comes_back_exactly(key: Any) -> None:
    assert shape(decode_key(encode_key(key))) == shape(normal(key))


@pytest.mark.parametrize(
    ("key", "data"),
    [
        (None, "01"),
        (True, "03"),
        (-7, "043fe3ffffffffffff80"),
        (1.5, "04bff800000000000080"),
        (2**70 + 1, "04c4500000000000008101"),
        ("a\x00b", "05610062"),
        (b"\xff", "06ff"),
        (("a\x00", 1, ()), "07056100ff0004bff0000000000000800700" + "00"),
    ],
    ids=repr,
)
def test_keys_of_the_releases_before_are_still_read_and_written(key: Any, data: str) -> None:
    assert encode_key(key).hex() == data
    assert shape(decode_key(bytes.fromhex(data))) == shape(key)


@pytest.mark.parametrize(
    "value", [None, True, 7, -7, 10**30, 1.5, "a", "é", b"a", (1, [2.5, None], {"a": b"b"}), [], ()], ids=repr
)
def test_values_of_the_releases_before_are_still_read(value: Any) -> None:
    assert shape(decode_value(marshal.dumps(value, 2))) == shape(value)
    assert shape(decode_values(marshal.dumps(value, 2) * 3, 3)) == shape([value] * 3)
    assert encode_value(value) == marshal.dumps(value, 2)


@given(KEYS, KEYS)
@example(2**53 + 1, float(2**53))
@example(2**1024, math.inf)
@example(2**1024, 2**1024 + 1)
@example(-(2**1024), -math.inf)
@example(-(2**1024), -1)
@example(2**1024, 1)
@example(-(2**1024), -(2**1024) - 1)
@example(2**100 - 1, float(2**100))
@example("\uffff", "\U00010000")
@example(("a",), ("a", None))
@example(("a", "b"), ("a\x00", "b"))
@example(("a\x00",), ("a\x01",))
@example(0.5, 0)
@example(-0.5, -1)
@example(5e-324, 0)
@example(Decimal("1.5"), Decimal("1.50"))
@example(Decimal("-1E+400"), Decimal("-1.01E+400"))
@example(Decimal(1), 1)
@example((Decimal("-1.2"), 1), (Decimal("-1.2"), 0))
@example((Decimal("1.2"), 1), (Decimal("1.25"), 0))
@example(NEW_YEAR, NEW_YEAR.replace(tzinfo=UTC))
@example(datetime(2024, 10, 27, 2, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2024, 10, 27, 0, 30, tzinfo=UTC))
def test_encoded_keys_order_as_the_keys_do(left: Any, right: Any) -> None:
    one, other = encode_key(left), encode_key(right)
    assert (one > other) - (one < other) == compare(left, right)


@given(st.lists(NUMBERS, max_size=12))
def test_numbers_of_all_kinds_share_one_order(numbers: list[float]) -> None:
    by_bytes = [decode_key(data) for data in sorted(map(encode_key, numbers))]
    assert by_bytes == sorted(map(normal, numbers), key=cmp_to_key(compare))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (0, -0.0, True),
        (True, 1, False),
        (False, 0, False),
        ("a", b"a", False),
        ((1.0,), (1,), True),
        (Decimal(1), 1, False),
        (Decimal("1.0"), Decimal("1.00"), True),
        (Decimal("-0.0"), Decimal(0), True),
        (date(2024, 1, 1), NEW_YEAR, False),
        (NEW_YEAR, NEW_YEAR.replace(tzinfo=UTC), False),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), True),
        (np.int64(1), 1, True),
        (np.float32(1), 1, True),
        (np.str_("a"), "a", True),
        ((np.bytes_(b"a"), np.bool_(1)), (b"a", True), True),
    ],
    ids=str,
)
def test_which_keys_are_one(left: Any, right: Any, same: bool) -> None:
    assert (encode_key(left) == encode_key(right)) is same


@pytest.mark.parametrize("size", [1, 125, 126, 127, 300])
@pytest.mark.parametrize("sign", [1, -1])
def test_huge_ints_survive_as_keys_whatever_the_length_of_their_rest(size: int, sign: int) -> None:
    number = sign * (2**1024 + 256**size)
    assert decode_key(encode_key((number, "next"))) == (number, "next")


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (math.nan, "NaN cannot be a key"),
        ((1, math.nan), "NaN cannot be a key"),
        ([1], "list cannot be a key"),
        ({}, "dict cannot be a key"),
        ({1}, "set cannot be a key"),
        (bytearray(b"a"), "bytearray cannot be a key"),
        (Colour.RED, r"Colour cannot be a key: yield key.name, or key.value"),
        (Level.LOW, r"Level cannot be a key: yield key.name, or key.value"),
        (Word("a"), r"Word cannot be a key: yield str\(key\)"),
        (np.zeros(2), r"numpy.ndarray cannot be a key: yield tuple\(key.tolist\(\)\)"),
        (Decimal("NaN"), "Decimal NaN cannot be a key"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), r"in UTC cannot be a key: yield key.isoformat"),
        (("a", [1]), "list cannot be a key"),
        (object(), r"object cannot be a key: yield its parts as a tuple, or str\(key\)"),
    ],
    ids=repr,
)
def test_other_keys_are_refused_by_name(key: Any, named: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=named):
        encode_key(key)


def nest(depth: int, wrap: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


def test_a_key_may_nest_as_deep_as_said_and_no_deeper() -> None:
    deepest = nest(100, lambda key: (key,))
    assert decode_key(encode_key(deepest)) == deepest
    with pytest.raises(UnsupportedTypeError, match="nests more"):
        encode_key((deepest,))


@given(VALUES)
@example({1: "a", "1": (1, [True, 1.0, None])})
@example(10**5000)
@example([255, 256, -1])
@example(255)
@example(256)
@example(-1)
@example("\ud800")
def test_a_value_comes_back_exactly(value: Any) -> None:
    assert shape(decode_value(encode_value(value))) == shape(value)


@given(st.lists(VALUES, max_size=4))
@example([])
def test_joined_values_are_read_as_one_list(values: list[Any]) -> None:
    data = b"".join(map(encode_value, values))
    assert shape(decode_values(data, len(values))) == shape(values)
    assert shape(decode_values(memoryview(data), len(values))) == shape(values)


def test_equal_values_have_equal_encodings_whether_or_not_they_are_one_object() -> None:
    shared, other = str(b"abcd", "ascii"), str(b"abcd", "ascii")
    assert shared is not other
    assert encode_value([shared, shared]) == encode_value([shared, other])


def test_a_value_is_captured_as_it_was() -> None:
    value = [1]
    data = encode_value(value)
    value.append(2)
    assert decode_value(data) == [1]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (bytearray(b"a"), "bytearray cannot be a value"),
        (memoryview(b"a"), "memoryview cannot be a value"),
        (np.longdouble(1), r"numpy.longdouble cannot be a value: yield float\(value\)"),
        (np.zeros(2), "numpy.ndarray cannot be a value"),
        ({1}, "set cannot be a value"),
        (frozenset(), "frozenset cannot be a value"),
        (1j, "complex cannot be a value"),
        (..., "ellipsis cannot be a value"),
        (StopIteration, "type cannot be a value"),
        (compile("1", "", "eval"), "code cannot be a value"),
        (Colour.RED, r"Colour cannot be a value: yield value.name, or value.value"),
        (Sorted(a=1), r"Sorted cannot be a value: yield dict\(value\)"),
        ([1, (2, {"a": {3}})], "set cannot be a value"),
        ({Colour.RED: 1}, "Colour cannot be a value"),
        ({(1, Level.LOW): 1}, "Level cannot be a value"),
    ],
    ids=repr,
)
def test_other_values_are_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=named):
        encode_value(value)


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}], ids=["list", "tuple", "dict"])
def test_a_value_may_nest_as_deep_as_said_and_no_deeper(wrap: Any) -> None:
    deepest = nest(200, wrap)
    assert decode_values(encode_value(deepest), 1) == [deepest]
    with pytest.raises(UnsupportedTypeError, match="nests more"):
        encode_value(wrap(deepest))


def test_a_list_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnsupportedTypeError, match="contains itself"):
        encode_value(value)
