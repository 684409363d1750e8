"""Amounts as whole minor units (cents) of one currency. Pure.

Minor units are integers, so that sums are exact. Not all currencies have two decimals: yen have none, dinars three.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Currency", "read_currencies", "to_minor_units"]

MOST_MINOR_UNITS = 1e15
"""Above this a float has no whole cents left."""


@dataclass(frozen=True, slots=True)
class Currency:
    """How amounts of a currency are read.

    Attributes:
        rate: how much of the report's currency one unit is worth.
        decimals: how many decimals amounts may have.
    """

    rate: float
    decimals: int


def read_currencies(text: str) -> Mapping[str, Currency]:
    """Return the currencies of a parameter such as `EUR=1 USD=0.92 JPY=0.0061/0`: rates, and decimals if not 2.

    Raises:
        ValueError: the parameter is not of this form.
    """
    try:
        return dict(read_currency(word) for word in text.split())
    except ValueError as error:
        raise ValueError(f"parameter currencies: {text!r}: write them as in 'EUR=1 JPY=0.0061/0'") from error


def read_currency(word: str) -> tuple[str, Currency]:
    """Return a currency's code, and how its amounts are read."""
    code, description = word.split("=")
    rate, _, decimals = description.partition("/")
    return code, Currency(float(rate), int(decimals or 2))


def to_minor_units(amounts: pa.Array, codes: pa.Array, currencies: Mapping[str, Currency]) -> pa.Array:
    """Return amounts as int64 in hundredths of the currency whose rate is 1.

    Raises:
        ValueError: a currency has no rate, or an amount is beyond all reason.
    """
    coded = codes.dictionary_encode()
    unknown = set(coded.dictionary.to_pylist()) - set(currencies)
    if unknown:
        raise ValueError(f"no rate for the currency {', '.join(sorted(map(str, unknown)))}: add it to `currencies`")
    rates = np.array([currencies[code].rate for code in coded.dictionary.to_pylist()])
    decimals = np.array([currencies[code].decimals for code in coded.dictionary.to_pylist()])
    indices = coded.indices.to_numpy(zero_copy_only=False)
    scale = 10.0 ** decimals[indices]
    given = np.rint(pc.cast(amounts, pa.float64()).to_numpy(zero_copy_only=False) * scale)
    minor = np.rint(given / scale * rates[indices] * 100)
    if not np.all(np.abs(minor) < MOST_MINOR_UNITS):
        raise ValueError("an amount is no number, or too large for whole cents")
    return pa.array(minor.astype(np.int64))
