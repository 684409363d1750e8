"""Do the first digits of amounts follow Benford's law? Where they should and do not, somebody may have made them up.

The law is only expected of amounts that go over orders of magnitude: here of at least 500, of which nine tenths go over
at least a factor of ten. That one amount lies in another decade is not enough.
The bands of the mean absolute deviation (MAD) are those of Nigrini (2012) for first digits.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext

__all__ = ["BENFORD", "Benford", "first_digits", "judge_digits"]

DIGITS = np.arange(1, 10)
BENFORD = np.log10(1 + 1 / DIGITS)
BANDS = ((0.006, "close"), (0.012, "acceptable"), (0.015, "marginal"))
LEAST_AMOUNTS, LEAST_FACTOR, LEFT_OUT = 500, 10, 0.05
"""So many amounts, and so far apart they must be when this share of them is left out at either end."""
COUNT_BITS = 40
POWERS = 10 ** np.arange(19, dtype=np.int64)
EVERYTHING = "all transactions"

Ints = npt.NDArray[np.int64]


class Benford:
    """The verdict on each entity with enough amounts: all, each country, channel and merchant."""

    def setup(self, context: JobContext) -> None:
        """Keep the context."""
        self.context = context

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return how often each digit and decade is among the batch's amounts, for each entity."""
        amounts = batch["amount"].to_numpy()
        rows = batch.filter(pa.array(amounts > 0))
        decades, digits = first_digits(amounts[amounts > 0])
        cells = decades * 10 + digits
        everything = pa.array(np.full(len(cells), EVERYTHING))
        entities = [everything, *(named(kind, rows[kind]) for kind in ("country", "channel", "merchant"))]
        return pa.concat_tables(count_cells(entity, cells) for entity in entities)

    def reduce_func(self, entity: str, values: Iterator[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the verdict, unless there are too few amounts or decades."""
        counts = np.zeros((len(POWERS), 10), np.int64)
        for value in values:
            cell = value >> COUNT_BITS
            counts[cell // 10, cell % 10] += value & ((1 << COUNT_BITS) - 1)
        if counts.sum() >= LEAST_AMOUNTS and spanned_factor(counts) >= LEAST_FACTOR:
            yield entity, judge_digits(counts.sum(axis=0)[1:])
        else:
            self.context.count("benford", "entitiesWithTooFewAmounts")


def spanned_factor(counts: Ints) -> float:
    """Return how many times the large amounts are the small ones, by decade and first digit, without the outermost."""
    seen = np.cumsum(counts.ravel())
    low, high = (int(np.searchsorted(seen, share * seen[-1], side="right")) for share in (LEFT_OUT, 1 - LEFT_OUT))
    return amount_of(high) / amount_of(low)


def amount_of(cell: int) -> int:
    """Return the smallest amount of a cell."""
    return int(POWERS[cell // 10]) * (cell % 10)


def first_digits(amounts: Ints) -> tuple[Ints, Ints]:
    """Return the decade and the first digit of each positive amount."""
    decades = np.searchsorted(POWERS, amounts, side="right") - 1
    return decades, amounts // POWERS[decades]


def named(kind: str, values: pa.Array) -> pa.Array:
    """Return entities with their kind in front of them."""
    return pc.binary_join_element_wise(kind, pc.fill_null(values, "?"), " ")


def count_cells(entities: pa.Array, cells: Ints) -> pa.Table:
    """Return for each entity and cell how often they meet, in one number: the cell, and the count below it."""
    coded = entities.dictionary_encode()
    places = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    pairs, counts = np.unique(places * len(POWERS) * 10 + cells, return_counts=True)
    names = coded.dictionary.take(pa.array(pairs // (len(POWERS) * 10)))
    return pa.table({"key": names, "value": (pairs % (len(POWERS) * 10) << COUNT_BITS) + counts})


def judge_digits(counts: Ints) -> dict[str, Any]:
    """Return chi-square (8 degrees of freedom), MAD and the band of how often the digits 1 to 9 come first."""
    total = int(counts.sum())
    deviation = float(np.mean(np.abs(counts / total - BENFORD)))
    band = next((name for limit, name in BANDS if deviation <= limit), "nonconforming")
    return {
        "amounts": total,
        "shares": (counts / total).tolist(),
        "chiSquare": float(np.sum((counts - total * BENFORD) ** 2 / (total * BENFORD))),
        "meanAbsoluteDeviation": deviation,
        "band": band,
    }
