"""What `min` and `max` pass over though Python refuses to compare it: NaN beside Decimals."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

__all__ = ["is_nan", "is_passed_over"]


def is_passed_over(values: Sequence[Any], place: int) -> bool:
    """Whether the value at that place is left out of a key's values for Python to give the same; the first never is."""
    value = values[place]
    if not place or not {Decimal} < {*map(type, values)} <= {bool, int, float, Decimal}:
        return False
    return is_nan(value) or (is_nan(values[0]) and type(value) is Decimal and not value.is_nan())


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
