"""Aggregations of values: of one more value, of several, and of partial aggregates. Rule: pure."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from podreduce.encoding.codec import Encoded, Key, Value, capture, decode_key, decode_value
from podreduce.encoding.showing import show
from podreduce.rows.exact_sums import CANNOT_AGGREGATE, add_exactly, sum_exactly
from podreduce.rows.min_max import RANKED, rank

__all__ = [
    "AGGREGATIONS",
    "AggregationError",
    "Several",
    "aggregate",
    "condense",
    "fixed",
]


class Several(tuple[Value, ...]):
    """Represents values that no single aggregate can replace (`ranking.rank`); the first of them is the aggregate."""

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
MERGES: Final[dict[str, Callable[[Iterable[Value]], Value]]] = {"sum": sum_exactly, "count": sum}
"""Aggregation that does not depend on order → a function that makes one aggregate of several."""


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
    return condense(aggregation, key, aggregates)[0]


def condense(aggregation: str, key: bytes, values: Iterable[Value]) -> list[Value]:
    """Return the fewest values that can replace these, at any place among others; there must be at least one.

    Usually this is their aggregate alone, and always it is the first.

    Raises:
        AggregationError: they cannot be aggregated.
    """
    try:
        return rank(aggregation, values) if aggregation in RANKED else [MERGES[aggregation](values)]
    except CANNOT_AGGREGATE as error:
        raise AggregationError(decode_key(key), error) from error
