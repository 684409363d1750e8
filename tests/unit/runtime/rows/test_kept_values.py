"""`largest:N` and `smallest:N` keep what `sorted` puts first, whatever the parts in which the values come."""

import math
import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.contract.members import MOST_KEPT, Ranking, describe_combiner, describe_conflict, parse_ranking
from podreduce.encoding.codec import capture, restore
from podreduce.rows.aggregations import AggregationError
from podreduce.rows.kept_values import combine_by_ranking, keep_ranked

NUMBERS = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([-0.0, 0.0, 0.5, 1.0, math.inf, -math.inf, 2**70, Decimal("0.5"), Decimal("1.00"), Decimal(1)]),
)
COMPARABLE = st.one_of(
    st.lists(NUMBERS, min_size=1, max_size=12),
    st.lists(st.text(st.sampled_from("aé\U0001f600\ud800"), max_size=2), min_size=1, max_size=12),
    st.lists(st.binary(max_size=2), min_size=1, max_size=12),
    st.lists(st.dates(date(2026, 1, 1), date(2026, 1, 3)), min_size=1, max_size=12),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12),
    st.lists(st.lists(NUMBERS, max_size=2), min_size=1, max_size=12),
)
CUTS = st.lists(st.integers(0, 12), max_size=5)
RANKINGS = st.builds(Ranking, st.booleans(), st.integers(1, 5))


def keep_of_parts(ranking: Ranking, values: Sequence[Any], cuts: Sequence[int]) -> list[Any]:
    """What is left of values that come in parts: each part is combined, or not, and so are two neighbours again."""
    combine = combine_by_ranking(ranking)
    edges = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    parts = [list(map(capture, values[start:end])) for start, end in pairwise(edges)]
    chance = random.Random(len(edges))  # noqa: S311 - test data
    combined = [combine("k", restore(part)) if chance.random() < 0.7 else part for part in parts]
    if len(combined) > 1:
        combined[:2] = [combine("k", restore([*combined[0], *combined[1]]))]
    return keep_ranked(ranking, "k", restore([value for part in combined for value in part]))


def typed(values: Sequence[Any]) -> list[tuple[str, str]]:
    """Values in a form that is equal only if types, signs and digits are."""
    return [(type(value).__name__, repr(value)) for value in values]


@given(COMPARABLE, CUTS, RANKINGS)
@example([1, True, 1.0, Decimal(1)], [1, 2], Ranking(largest=True, most=2))
@example([0.0, -0.0, 0], [1], Ranking(largest=False, most=1))
def test_what_is_kept_of_parts_is_what_sorted_puts_first(values: list[Any], cuts: list[int], ranking: Ranking) -> None:
    expected = sorted(values, reverse=ranking.largest)[: ranking.most]
    assert typed(keep_of_parts(ranking, values, cuts)) == typed(expected)


NANS = [math.nan, Decimal("NaN"), Decimal("sNaN"), (1, math.nan), [1.0, [math.nan]], (0, Decimal("NaN"))]


@given(st.lists(st.integers(-3, 3), max_size=8), st.sampled_from(NANS), st.integers(0, 8), CUTS, RANKINGS)
@example([], math.nan, 0, [], Ranking(largest=True, most=1))
def test_a_nan_is_refused_wherever_it_is(
    numbers: list[int], nan: Any, at: int, cuts: list[int], ranking: Ranking
) -> None:
    values: list[Any] = [type(nan)([number]) if type(nan) in (tuple, list) else number for number in numbers]
    values.insert(at, nan)
    with pytest.raises(AggregationError, match="NaN"):
        keep_of_parts(ranking, values, cuts)


@given(st.lists(st.integers(), min_size=1, max_size=6), st.sampled_from([None, "a", b"a", (1,), [1]]), CUTS, RANKINGS)
def test_values_of_two_kinds_are_refused_wherever_they_meet(
    numbers: list[int], other: Any, cuts: list[int], ranking: Ranking
) -> None:
    for at in range(len(numbers) + 1):
        with pytest.raises(AggregationError, match="not supported between"):
            keep_of_parts(ranking, [*numbers[:at], other, *numbers[at:]], cuts)


@pytest.mark.parametrize("value", [None, {"a": 1}, "a"], ids=repr)
def test_one_value_alone_needs_no_order(value: Any) -> None:
    assert keep_ranked(Ranking(largest=True, most=3), "k", iter([value])) == [value]


@given(st.sampled_from([None, {"a": 1}]), st.integers(2, 4), CUTS, RANKINGS)
def test_equal_values_without_an_order_are_refused(value: Any, times: int, cuts: list[int], ranking: Ranking) -> None:
    with pytest.raises(AggregationError, match="not supported between"):
        keep_of_parts(ranking, [value] * times, cuts)


def test_few_more_values_than_are_kept_are_in_memory() -> None:
    taken = kept = 0

    class Counted(int):
        def __new__(cls, number: int) -> Self:
            nonlocal taken, kept
            taken += 1
            kept = max(kept, taken - released)
            return super().__new__(cls, number)

        def __del__(self) -> None:
            nonlocal released
            released += 1

    released = 0
    assert keep_ranked(Ranking(largest=True, most=3), "k", map(Counted, range(1000))) == [999, 998, 997]
    assert kept < 20


@pytest.mark.parametrize(
    ("combiner", "ranking"),
    [
        ("largest:1", Ranking(largest=True, most=1)),
        ("smallest:20", Ranking(largest=False, most=20)),
        (f"largest:{MOST_KEPT}", Ranking(largest=True, most=MOST_KEPT)),
        (f"largest:{MOST_KEPT + 1}", None),
        ("largest:0", None),
        ("largest:-1", None),
        ("largest: 3", None),
        ("largest", None),
        ("top:3", None),
        ("largest:\uff13", None),
        ("largest:3\n", None),
        (10, None),
    ],
)
def test_a_combiner_names_how_many_it_keeps(combiner: Any, ranking: Ranking | None) -> None:
    assert parse_ranking(combiner) == ranking
    assert (describe_combiner("Job", combiner) is None) == (ranking is not None)


def test_a_reduce_func_may_follow_what_is_kept_and_nothing_else() -> None:
    assert describe_conflict("Job", ["map_func", "reduce_func"], "largest:3") is None
    assert describe_conflict("Job", ["map_func", "reduce_func"], "max") is not None
    for rival in ("combine_func", "combine_batch", "reduce_batch"):
        found = describe_conflict("Job", ["map_batch", rival], "largest:3")
        assert found is not None
        assert "largest:3" in found
        assert rival in found
