"""What the stores of rows do with each kind of key and value, what they ask for, and when they stop interning."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from podreduce.encoding.codec import encode_key
from podreduce.rows import row_stores
from podreduce.rows.row_stores import SLOT_BYTES, Aggregates, AggregationError, Grant, ListGroups, size_of

STORES: dict[str, Callable[[Grant], Any]] = {
    "list": ListGroups,
    "max": lambda grant: Aggregates("max", grant),
    "count": lambda grant: Aggregates("count", grant),
}
EACH_STORE = pytest.mark.parametrize("name", STORES)
PLAIN_KEYS: list[tuple[Any, Any]] = [("a", "a"), (1, 1), (("a", 1), ("a", 1)), ((), ()), (2.0, 2), ((3.0,), (3,))]
"""Keys that a dict can hold themselves, or an equal one, with that."""
OTHER_KEYS: list[Any] = [None, True, 0.5, b"a", (True,), (0.5, 1), (("a",),), (None,)]


def make(name: str, grant: Grant = lambda missing: missing) -> Any:
    return STORES[name](grant)


@EACH_STORE
def test_a_key_is_held_as_it_is_unless_one_of_another_type_equals_it(name: str) -> None:
    store = make(name)
    for key, _ in PLAIN_KEYS:
        store.add(key, 5)
    for key in OTHER_KEYS:
        store.add(key, 5)
    assert [*map(repr, store.plain)] == [repr(held) for _, held in PLAIN_KEYS]
    assert [*store.others] == [*map(encode_key, OTHER_KEYS)]
    assert store.records == len(PLAIN_KEYS) + len(OTHER_KEYS)


@EACH_STORE
@pytest.mark.parametrize(("key", "value"), [("a", 1), (0.5, 1), ("a", math.nan)], ids=repr)
def test_a_store_with_a_record_is_not_empty(name: str, key: Any, value: Any) -> None:
    store = make(name)
    assert store.is_empty
    store.add(key, value)
    assert not store.is_empty
    assert store.records == 1


def asked(name: str, records: list[tuple[Any, Any]], surplus_bytes: int = 0) -> list[int]:
    """What a store asks for while it takes records, if it gets so many bytes more each time."""
    seen: list[int] = []

    def grant(missing: int) -> int:
        seen.append(missing)
        return surplus_bytes

    store = make(name, grant)
    for record in records:
        store.add(*record)
    return seen


@EACH_STORE
def test_a_store_asks_for_memory_as_soon_as_a_byte_is_missing(name: str) -> None:
    records = [("a", 1000.5), ("b", 1000.5)]
    first, second = asked(name, records)
    assert asked(name, records, second) == [first]
    assert asked(name, records, second - 1) == [first, 1]


def test_an_int_that_python_has_one_object_of_costs_its_place_alone() -> None:
    values = [-6, -5, 256, 257, 7.0]
    _, *sizes = asked("list", [("a", 0), *(("a", value) for value in values)])
    assert sizes == [SLOT_BYTES + (0 if -5 <= value < 257 and value != 7 else size_of(value)) for value in values]


def test_values_without_an_order_are_measured_together() -> None:
    granted = 0

    def grant(missing: int) -> int:
        nonlocal granted
        granted += missing
        return 0

    store = Aggregates("max", grant)
    for key in ("a", "b"):
        for value in ((1, math.nan), (1, 2, math.nan), (1, 2, 3, math.nan), (0, math.nan)):
            store.add(key, value)
        assert store.used_bytes() == granted
    assert store.records == 8
    assert repr(store.ranges["a"]) == repr([(1, math.nan), (1, 2, math.nan), (1, 2, 3, math.nan)])


@pytest.mark.parametrize("kind", ["min", "max", "sum"])
@pytest.mark.parametrize("key", ["a", 0.5])
def test_values_that_cannot_be_aggregated_are_named_by_their_key(kind: str, key: Any) -> None:
    store = Aggregates(kind, lambda missing: missing)
    store.add(key, 1)
    with pytest.raises(AggregationError) as raised:
        store.add(key, "x")
    assert raised.value.key == key


def test_a_nan_is_passed_over_beside_decimals_and_anything_can_be_counted() -> None:
    most, count = Aggregates("max", lambda missing: missing), Aggregates("count", lambda missing: missing)
    for value in (Decimal(1), math.nan, Decimal(2)):
        most.add("a", value)
    count.add("a", object())
    assert (most.plain, most.records, count.plain) == ({"a": Decimal(2)}, 3, {"a": 1})


@pytest.mark.parametrize(
    ("keys", "values"), [(["a", 1], [1, 2]), (["b", "c"], [1, 2.0]), (["a", "c"], [1, 2])], ids=repr
)
def test_records_are_taken_together_only_if_that_is_what_adding_each_does(keys: list[Any], values: list[Any]) -> None:
    store = Aggregates("sum", lambda missing: missing)
    assert store.take_distinct(["a"], [5]) is True
    assert store.take_distinct(keys, values) is False
    assert (store.plain, store.records) == ({"a": 5}, 1)


@pytest.mark.parametrize(
    ("rounds", "interns"),
    [
        ([(100, 50)], True),
        ([(100, 51)], False),
        ([(99, 99)], True),
        ([(100, 40), (100, 50)], True),
        ([(100, 40), (100, 51)], False),
        ([(100, 10), (90, 90)], True),
    ],
)
def test_interning_stops_once_more_than_half_of_the_values_of_a_trial_are_new(
    monkeypatch: pytest.MonkeyPatch, rounds: list[tuple[int, int]], interns: bool
) -> None:
    monkeypatch.setattr(row_stores, "TRIAL_RECORDS", 100)
    groups = make("list")
    for place, (records, fresh) in enumerate(rounds):
        for number in range(records):
            groups.add("k", f"{place} {min(number, fresh - 1)}")
        groups.weigh_interning(groups.records)
    assert groups.interns is interns
    assert bool(groups.interned) is interns
