"""What `rank` keeps of a part of the values gives the same minimum and maximum, whatever comes before and after."""

import math
import operator
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podreduce.encoding.codec import decode_value, encode_value
from podreduce.rows.min_max import is_unranked, rank
from podreduce.rows.row_stores import Aggregates
from tests.support.searching import tries

BETTER: dict[str, Any] = {"min": operator.lt, "max": operator.gt}
NUMBERS = st.sampled_from([0, 1, True, 0.5, 1.0, -0.0, 0.0, math.inf])
NANS = st.builds(lambda: float("nan"))
DECIMALS = st.sampled_from([Decimal(0), Decimal("0.50"), Decimal(1)])
ITEMS = st.one_of(NUMBERS, NANS)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "numbers": st.one_of(NUMBERS, NANS, DECIMALS),
    "tuples": st.lists(ITEMS, max_size=3).map(tuple),
    "lists": st.lists(ITEMS, max_size=3),
    "nested": st.tuples(st.lists(ITEMS, max_size=2), st.tuples(ITEMS), ITEMS),
}
PARTS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.lists(st.lists(VALUES[name], min_size=1, max_size=6), min_size=1, max_size=4)
)
LONGEST = 5
"""How many parts a drawn value has at most."""


def best_of(aggregation: str, values: Iterable[Any]) -> Any:
    """What Python gives of values that travelled; NaN is passed over beside Decimals as beside other numbers."""

    def choose(known: Any, value: Any) -> Any:
        try:
            return value if BETTER[aggregation](value, known) else known
        except InvalidOperation:
            return known

    return reduce(choose, [decode_value(encode_value(value)) for value in values])


@given(PARTS, st.sampled_from(sorted(BETTER)))
@example([[(1.0,)], [(math.nan,), (2.0,)]], "max")
@example([[(1, 3)], [(1, math.nan), (1, 5)]], "max")
@example([[Decimal(0)], [0.0, math.nan]], "max")
@example([[5.0], [Decimal(0), math.nan]], "max")
@example([[math.nan], [Decimal(0), 1.0]], "min")
@example([[3], [math.nan, 5]], "max")
@example([[((1.0,),)], [((math.nan,),), ((2.0,),)]], "max")
@example([[([1.0],)], [([math.nan],), ([2.0],)]], "max")
@settings(max_examples=tries(200), deadline=None)
def test_what_is_kept_of_parts_gives_what_all_values_give(parts: list[list[Any]], aggregation: str) -> None:
    wanted = best_of(aggregation, [value for part in parts for value in part])
    kept = [rank(aggregation, part) for part in parts]
    merged = rank(aggregation, [value for each in kept for value in each])
    assert repr(merged[0]) == repr(wanted)
    assert all(len(each) <= LONGEST for each in (*kept, merged))


@given(PARTS, st.sampled_from(sorted(BETTER)))
@example([[(0, 5), (1, math.nan)] * 9], "max")
@example([[(1, math.nan, 0), (1, math.nan, 1)]], "max")
@settings(max_examples=tries(200), deadline=None)
def test_what_a_store_keeps_of_parts_gives_what_all_values_give(parts: list[list[Any]], aggregation: str) -> None:
    kept = [what_is_stored(aggregation, part) for part in parts]
    found = rank(aggregation, [value for each in kept for value in each])[0]
    assert repr(found) == repr(best_of(aggregation, [value for part in parts for value in part]))
    assert all(len(each) <= LONGEST + 1 for each in kept)


def what_is_stored(aggregation: str, values: list[Any]) -> list[Any]:
    store = Aggregates(aggregation, lambda _: 1 << 20)
    for value in values:
        store.add("k", value)
    return [*store.ranges.get("k", ()), *([store.plain["k"]] if "k" in store.plain else ())]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_values_that_have_an_order_leave_one(count: int) -> None:
    assert rank("max", [(number, "x") for number in range(count)]) == [(count - 1, "x")]
    assert rank("min", [[number, float("nan")] for number in range(count)])[1:] == []


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([(1, math.nan), (0, 5)], [(1, math.nan)]),
        ([(0, 5), (1, math.nan)], [(1, math.nan)]),
        ([(1, 5), (1, math.nan)], [(1, 5)]),
        ([(1, math.nan, 3), (1, math.nan)], [(1, math.nan, 3)]),
        ([(math.nan,), (1, math.nan), (1, 5), (1, 7), (0,)], [(math.nan,), (1, math.nan), (1, 7)]),
        ([math.nan, 1, math.nan, 2.0], [math.nan, 2.0]),
        ([1, math.nan, 2.0, math.nan], [2.0]),
    ],
    ids=repr,
)
def test_no_more_is_kept_than_may_be_needed(values: list[Any], kept: list[Any]) -> None:
    assert repr(rank("max", values)) == repr(kept)
    assert repr(rank("max", [*map(as_list, values)])) == repr([*map(as_list, kept)])


def as_list(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, True),
        ((1, math.nan), True),
        ([1, math.nan], True),
        ([(1.0, [math.nan])], True),
        (([(math.nan,)], 1), True),
        (1.0, False),
        (None, False),
        ((), False),
        ((1.0, "nan"), False),
        ([(1.0, [math.inf]), 1], False),
        ({"a": math.nan}, False),
        (Decimal("NaN"), False),
        ((Decimal("NaN"),), False),
    ],
    ids=repr,
)
def test_a_value_with_a_nan_has_no_order_among_all_others(value: Any, expected: bool) -> None:
    assert is_unranked(value) is expected


@pytest.mark.parametrize(
    "values",
    [
        [None, None],
        [1, "a"],
        [math.nan, "a"],
        [math.nan, (1,)],
        [math.nan, Decimal("NaN")],
        [Decimal("NaN"), math.nan],
        [Decimal("NaN"), 1],
        [Decimal("NaN"), Decimal(1)],
        [(1, math.nan), (1, "a")],
    ],
    ids=repr,
)
@pytest.mark.parametrize("aggregation", sorted(BETTER))
def test_values_that_cannot_be_compared_are_refused(values: list[Any], aggregation: str) -> None:
    with pytest.raises((TypeError, InvalidOperation)):
        rank(aggregation, values)
