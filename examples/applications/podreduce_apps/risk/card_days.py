"""The cards of each day: what is expected to be lost on each, and its worst transaction.

A card's transactions come one by one and are added up, so a card with very many takes no more memory than another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from podreduce_apps.risk.exact_sums import UNIT_BITS, to_float
from podreduce_apps.risk.periods import DAY_SECONDS
from podreduce_apps.risk.scoring import REASONS

__all__ = ["CardDay", "CardDays"]

COLUMNS = ("fraud", "expected_loss", "probability", "id", "merchant", "amount", "time", *REASONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDay:
    """A card on a day, with the transaction on which most is expected to be lost.

    Attributes:
        card: the token.
        expected_loss: the sum over the card's transactions of the day, in the currency.
        probability: of the worst transaction.
        transactions: how many the card had that day.
        id: of the worst transaction; merchant, amount (in cents), time and reasons, too.
        is_reported: a report on one of its transactions of the day is there; on the day itself there is none yet.
    """

    card: int
    expected_loss: float
    probability: float
    transactions: int
    id: str
    merchant: str
    amount: int
    time: int
    reasons: Sequence[str]
    is_reported: bool


class CardDays:
    """Each card's days, by the day."""

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each transaction under its card."""
        rows = pa.Table.from_batches([batch]).select(COLUMNS).to_struct_array().combine_chunks()
        return pa.table({"key": batch["card"], "value": rows})

    def reduce_func(self, card: int, values: Iterator[Mapping[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the card's days, each as the fields of a `CardDay`."""
        days: dict[int, Gathered] = {}
        for row in values:
            days.setdefault(row["time"] // DAY_SECONDS, Gathered()).add(row)
        for day in sorted(days):
            yield day, {"card": card, **days[day].fields()}


@dataclass(slots=True)
class Gathered:
    """What is known of a card on a day so far. The loss is in units of 2^-1074: exact, in whatever order rows come."""

    loss: int = 0
    transactions: int = 0
    worst: Mapping[str, Any] = field(default_factory=dict)
    is_reported: bool = False

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a transaction."""
        numerator, denominator = row["expected_loss"].as_integer_ratio()
        self.loss += numerator * ((1 << UNIT_BITS) // denominator)
        self.transactions += 1
        self.is_reported |= row["fraud"] > 0
        if not self.worst or severity(row) > severity(self.worst):
            self.worst = row

    def fields(self) -> dict[str, Any]:
        """Return the fields of the day, but for the card."""
        return {
            "expected_loss": to_float(self.loss),
            "transactions": self.transactions,
            "is_reported": self.is_reported,
            "reasons": [self.worst[name] for name in REASONS if self.worst[name]],
            **{name: self.worst[name] for name in ("probability", "id", "merchant", "amount", "time")},
        }


def severity(row: Mapping[str, Any]) -> tuple[float, str]:
    """Return what orders the transactions of a card; the id decides between equals."""
    return row["expected_loss"], row["id"]
