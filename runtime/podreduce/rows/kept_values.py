"""The largest or smallest values of a key: what `combiner = "largest:10"` keeps of any part of them. Rule: pure.

What is kept is what `sorted` puts first; of equal values, those that came first. So keeping some of each part of the
values, and then some of what was kept, in order, gives the same as all values at once.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice
from math import isnan
from typing import Final

from podreduce.contract.members import Ranking
from podreduce.encoding.codec import Key, Value, capture
from podreduce.rows.aggregations import AggregationError
from podreduce.rows.combining import Combine
from podreduce.rows.exact_sums import CANNOT_AGGREGATE

__all__ = ["combine_by_ranking", "keep_ranked"]

LEAST_TAKEN: Final = 8
"""How many values are compared together, if fewer are kept: one at a time would take longer."""
MAY_HOLD_NAN: Final = frozenset({float, Decimal, tuple, list})


def combine_by_ranking(ranking: Ranking) -> Combine:
    """Return the function that leaves the values of a part of a key that may be among the kept ones, in order."""

    def combine(key: Key, values: list[Value]) -> list[Value]:
        return list(map(capture, keep_first(ranking, key, values)))

    return combine


def keep_ranked(ranking: Ranking, key: Key, values: Iterable[Value]) -> list[Value]:
    """Return the kept values of a key, in order; about twice as many are in memory at a time.

    Raises:
        AggregationError: two of the values cannot be compared, or one is a NaN.
    """
    waiting = iter(values)
    kept: list[Value] = []
    while taken := list(islice(waiting, max(ranking.most, LEAST_TAKEN))):
        kept = keep_first(ranking, key, taken, kept)
    return kept


def keep_first(ranking: Ranking, key: Key, values: list[Value], kept: Sequence[Value] = ()) -> list[Value]:
    """Return what is kept of `kept` and the values that came after them; raises AggregationError as `keep_ranked`."""
    try:
        refuse_nan(values)
        return sorted([*kept, *values], reverse=ranking.largest)[: ranking.most]
    except CANNOT_AGGREGATE as error:
        raise AggregationError(key, error) from error


def refuse_nan(values: Sequence[Value]) -> None:
    """Make sure that values have a place in an order. Raises TypeError if one of them, or of their parts, is a NaN."""
    kinds = set(map(type, values))
    if kinds.isdisjoint(MAY_HOLD_NAN):
        return
    if any(map(isnan if kinds == {float} else is_nan, values)):
        raise TypeError("a NaN is neither more nor less than another value: leave it out in the map")
    for value in values:
        if type(value) is tuple or type(value) is list:
            refuse_nan(value)


def is_nan(value: Value) -> bool:
    """Tell whether a value is a NaN."""
    return (type(value) is float and isnan(value)) or (type(value) is Decimal and value.is_nan())
