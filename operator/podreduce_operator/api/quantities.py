"""Kubernetes quantities: `500m`, `64Mi`, `1G`, `1e3`. Rule: pure."""

import re
from decimal import Decimal

__all__ = ["QuantityError", "parse_bytes", "read_quantity"]

QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[KMGTPE]i|[mkMGTPE]?|[eE][0-9]+)")
SIZE = re.compile(r"[0-9]+(?:k|[MGT]|[KMGT]i)?")
FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


class QuantityError(ValueError):
    """The text is not a size. The message says what is expected."""


def read_quantity(text: str) -> Decimal | None:
    """Return a quantity's number, or None if the text is not a quantity."""
    found = QUANTITY.fullmatch(text)
    if found is None:
        return None
    suffix = found["suffix"]
    unit = FACTORS[suffix] if suffix in FACTORS else Decimal(10) ** int(suffix[1:])
    return Decimal(found["number"]) * unit


def parse_bytes(size: int | str) -> int:
    """Return the bytes of a size such as `64Mi`, `1G` or 1048576.

    Raises:
        QuantityError: it is not a whole number with an optional suffix.
    """
    text = str(size)
    number = read_quantity(text) if SIZE.fullmatch(text) else None
    if number is None:
        raise QuantityError(
            f"{text!r} is not a size: expected a whole number with an optional suffix of k, M, G, T, Ki, Mi, Gi, Ti"
        )
    return int(number)
