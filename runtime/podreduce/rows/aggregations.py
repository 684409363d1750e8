"""Aggregations of values: of one more value, of several, and of partial aggregates. Rule: pure."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from math import isnan
from typing import Final

from podreduce.encoding.codec import Encoded, Key, Value, capture, decode_key, decode_value
from podreduce.encoding.showing import show
from podreduce.rows.exact_sums import CANNOT_AGGREGATE, add_exactly, sum_exactly

__all__ = [
    "AGGREGATIONS",
    "RANKED",
    "AggregationError",
    "NanFirst",
    "aggregate",
    "condense",
    "fixed",
    "is_nan",
]

RANKED: Final = frozenset({"min", "max"})
"""Aggregations that depend on order, because a NaN is neither less nor more than anything."""


class NanFirst(tuple[Value, ...]):
    """Represents values that begin with a NaN: the NaN, then the aggregate of the others if there are any."""

    __slots__ = ()


def fixed(value: Value) -> Value:
    """Return `value`, or a copy that nobody else can change."""
    captured = capture(value)
    return decode_value(captured) if type(captured) is Encoded else captured


AGGREGATIONS: Final[dict[str, tuple[Callable[[Value], Value], Callable[[Value, Value], Value]]]] = {
    "sum": (partial(add_exactly, 0), add_exactly),
    "min": (lambda value: value, lambda least, value: value if value < least else least),  # noqa: FURB136 - of equals the first
    "max": (lambda value: value, lambda most, value: value if value > most else most),  # noqa: FURB136 - likewise
    "count": (lambda _: 1, lambda total, _: total + 1),
}
"""Aggregation → functions that aggregate one value, and an aggregate and one more value."""
MERGES: Final[dict[str, Callable[[Iterable[Value]], Value]]] = {
    "sum": sum_exactly,
    "min": min,
    "max": max,
    "count": sum,
}
"""Aggregation → a function that makes one aggregate of several."""


class AggregationError(Exception):
    """The values of a key cannot be aggregated.

    Attributes:
        key: the key.
        error: what comparing or adding them raised.
    """

    def __init__(self, key: Key, error: Exception) -> None:
        super().__init__(f"the values of {show(key)} have no aggregate: {error}")
        self.key = key
        self.error = error


def aggregate(aggregation: str, key: bytes, aggregates: Iterable[Value]) -> Value:
    """Return the aggregate of an encoded key's aggregates; there must be at least one.

    Raises:
        AggregationError: they cannot be aggregated.
    """
    try:
        return MERGES[aggregation](aggregates)
    except CANNOT_AGGREGATE as error:
        raise AggregationError(decode_key(key), error) from error


def condense(aggregation: str, key: bytes, values: Iterable[Value]) -> list[Value]:
    """Return the fewest values that can replace these, at any place among others; there must be at least one.

    Usually this is their aggregate. But nothing is less or more than a NaN: `min` and `max` are the NaN if it is a
    key's very first value, and ignore it everywhere else. So a first NaN is kept beside the aggregate of the rest.

    Raises:
        AggregationError: they cannot be aggregated.
    """
    rest = iter(values)
    first = next(rest)
    if aggregation not in RANKED or not is_nan(first):
        return [aggregate(aggregation, key, chain([first], rest))]
    ranked = [value for value in rest if not is_nan(value)]
    aggregate(aggregation, key, [first, *ranked])  # raises for a value that cannot be compared with a NaN
    return [first, aggregate(aggregation, key, ranked)] if ranked else [first]


def is_nan(value: Value) -> bool:
    """Tell whether a value is a NaN."""
    return type(value) is float and isnan(value)
