"""Minima and maxima of values that have no order among all others: NaN, tuples and lists with a NaN. Rule: pure.

Python's `max` keeps a value until another one is more. (1, NaN) is neither more nor less than any other tuple that
begins with 1. So it stands for a range of tuples, and is more than another value if its whole range is. Of two ranges
none is more only if one is within the other. The maximum of a part of the values is then not enough: of (1, NaN) and
(1, 5) it is the first, but after (1, 3) it is the second. `rank` keeps both.
"""

import operator
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from math import inf, isnan
from typing import Any, Final

from podreduce.encoding.codec import SCALARS, Value

__all__ = ["RANKED", "is_passed_over", "is_unranked", "makes_room", "rank"]

RANKED: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {"min": min, "max": max}
"""Aggregations that depend on order, with Python's functions."""
IS_BETTER: Final[dict[str, Callable[[Any, Any], bool]]] = {"min": operator.lt, "max": operator.gt}


def rank(aggregation: str, values: Iterable[Value]) -> list[Value]:
    """Return the fewest values that can replace these, at any place among others; there must be at least one.

    The first of them is the minimum or maximum. Each other one is within the range of the one before it, so there are
    at most as many as a value has parts.

    Raises:
        TypeError, ArithmeticError: they cannot be compared.
    """
    values = [*values]
    first = values[0]
    if (type(first) in SCALARS and not is_nan(first)) or not any(map(is_unranked, values)):
        try:
            return [RANKED[aggregation](values)]
        except InvalidOperation:
            pass  # perhaps of a Decimal and a NaN
    kept: list[Value] = []
    for value in values:
        if makes_room(aggregation, kept, value):
            kept.append(value)
    return kept


def makes_room(aggregation: str, kept: list[Value], value: Value) -> bool:
    """Tell whether a value must be kept after others; remove those from `kept` that it replaces.

    Raises:
        TypeError, ArithmeticError: it cannot be compared with them.
    """
    while kept and is_better(aggregation, value, kept[-1]):
        kept.pop()
    return not kept or is_within(aggregation, value, kept[-1])


def is_better(aggregation: str, one: Value, other: Value) -> bool:
    """Tell whether `one` is less, or more, than the other; as no number is of NaN, no Decimal is either.

    Raises:
        TypeError, ArithmeticError: they cannot be compared.
    """
    try:
        return IS_BETTER[aggregation](one, other)
    except InvalidOperation:
        if is_passed_over(one, other) or is_passed_over(other, one):
            return False
        raise


def is_within(aggregation: str, one: Value, other: Value) -> bool:
    """Tell whether the range of `one`, which is not better than the other, is a part of the other's."""
    return not is_better(aggregation, other, one) and parts_before_nan(one) > parts_before_nan(other)


def is_passed_over(nan: Value, number: Value) -> bool:
    """Tell whether these are a NaN and a Decimal, which Python refuses to compare; not if the Decimal is a NaN."""
    return is_nan(nan) and type(number) is Decimal and not number.is_nan()


def is_unranked(value: Value) -> bool:
    """Tell whether a value is a NaN, or a tuple or list with a NaN."""
    kind = type(value)
    return holds_nan(value) if kind is tuple or kind is list else is_nan(value)


def holds_nan(values: Iterable[Value]) -> bool:
    """Tell whether there is a NaN among these values, or in one of them; this runs for each tuple of a job."""
    for value in values:
        kind = type(value)
        if (kind is float and isnan(value)) or ((kind is tuple or kind is list) and holds_nan(value)):
            return True
    return False


def is_nan(value: Value) -> bool:
    """Tell whether a value is a NaN."""
    return type(value) is float and isnan(value)


def parts_before_nan(value: Value) -> float:
    """Return how many parts of a value are compared before its first NaN; infinity if it has none."""
    if is_nan(value):
        return 0
    return next((number for number, part in enumerate(parts_of(value)) if is_nan(part)), inf)


def parts_of(value: Value) -> Iterator[Value]:
    """Yield the parts of a value in the order in which they are compared."""
    if type(value) is tuple or type(value) is list:
        for item in value:
            yield from parts_of(item)
    else:
        yield value
