"""Exact sums: no digit of a Decimal is lost, whatever the program's decimal context, so order does not matter.

Rule: pure. If an exact sum would be endless (1E+99999999 and 1), there is an error instead.
"""

from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Any, Final

__all__ = ["CANNOT_AGGREGATE", "EXACT", "add_exactly", "explain", "sum_exactly"]

MAX_DIGITS: Final = 10_000
EXACT: Final = Context(prec=MAX_DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])
CANNOT_AGGREGATE: Final = (TypeError, ArithmeticError)
"""What adding or comparing supported values can raise; for an int too large for a float it is an ArithmeticError."""


def explain(error: Exception) -> str:
    """Return why values cannot be added or compared, in words; decimal itself only names a signal."""
    if isinstance(error, Inexact):
        return f"their exact sum has more than {MAX_DIGITS:,} digits"
    if isinstance(error, InvalidOperation):
        return "among them is a signalling NaN, or infinities of both signs"
    return str(error)


def add_exactly(total: Any, value: Any) -> Any:  # noqa: ANN401 - of any type that travels
    """Return the sum of two values."""
    if type(value) is Decimal or type(total) is Decimal:
        with localcontext(EXACT):
            return total + value
    return total + value


def sum_exactly(values: Iterable[Any]) -> Any:  # noqa: ANN401 - likewise
    """Return the sum of all values. Entering a decimal context costs ten times as much as adding a few numbers."""
    values = [*values]
    try:
        total = sum(values)
    except ArithmeticError:
        pass  # the program's context may have traps that ours does not have
    else:
        if type(total) is not Decimal:
            return total
    with localcontext(EXACT):
        return sum(values)
