"""From scored transactions to alerts: each day the k cards that most money is expected to be lost on.

One alert for a card and day. A card that was alerted is not alerted again for `quietDays` days: somebody is on it.
An alert is a CloudEvent (specification 1.0), whose id follows from card, day and model: whoever gets it twice knows.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.risk.card_tokens import card_name
from podreduce_apps.risk.periods import DAY_SECONDS, day_text
from podreduce_apps.risk.scoring import REASONS

__all__ = ["Alerts", "CardDay", "choose_cards", "cloud_event", "model_name"]

COLUMNS = ("card", "fraud", "expected_loss", "probability", "id", "merchant", "amount", "time", *REASONS)


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


class Alerts:
    """The alerts of each day: a row each, and all as a file of CloudEvents."""

    def setup(self, context: JobContext) -> None:
        """Read how many cards a day can be called about, and what the model is called."""
        self.context = context
        self.cards = read_whole(context.parameters, "cardsPerDay", least=1)
        self.quiet_days = read_whole(context.parameters, "quietDays")
        self.model = model_name(dict(context.side_input("model")))
        self.chosen_on: dict[int, int] = {}
        self.events: list[str] = []

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each transaction under its day."""
        rows = pa.Table.from_batches([batch]).select(COLUMNS).to_struct_array().combine_chunks()
        return pa.table({"key": batch["time"].to_numpy() // DAY_SECONDS, "value": rows})

    def reduce_func(self, day: int, values: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the day's alerts. Days come in their order, so that earlier alerts are known."""
        quiet = {card for card, chosen in self.chosen_on.items() if day - chosen < self.quiet_days}
        for rank, each in enumerate(choose_cards(gather_cards(values), quiet, self.cards), start=1):
            self.chosen_on[each.card] = day
            event = cloud_event(each, day=day, rank=rank, model=self.model)
            self.events.append(json.dumps(event, sort_keys=True))
            yield event["id"], event["data"] | {"isReported": each.is_reported}

    def teardown(self) -> None:
        """Write the file of events."""
        if self.context.task.startswith("r"):
            text = "".join(f"{line}\n" for line in self.events)
            self.context.output_file("alerts.jsonl").write_text(text, encoding="utf-8")


@dataclass(slots=True)
class Gathered:
    """What is known of a card on a day so far."""

    losses: list[float] = field(default_factory=list)
    worst: Mapping[str, Any] = field(default_factory=dict)
    is_reported: bool = False


def gather_cards(rows: Iterator[Mapping[str, Any]]) -> Iterator[CardDay]:
    """Yield each card of a day's transactions."""
    cards: dict[int, Gathered] = {}
    for row in rows:
        gathered = cards.setdefault(row["card"], Gathered())
        gathered.losses.append(row["expected_loss"])
        gathered.is_reported |= row["fraud"] > 0
        if not gathered.worst or severity(row) > severity(gathered.worst):
            gathered.worst = row
    for card, gathered in cards.items():
        yield card_day(card, gathered)


def severity(row: Mapping[str, Any]) -> tuple[float, str]:
    """Return what orders the transactions of a card; the id decides between equals."""
    return row["expected_loss"], row["id"]


def card_day(card: int, gathered: Gathered) -> CardDay:
    """Return a card with all its losses of a day. They are added in one order, whatever the shards."""
    worst = gathered.worst
    return CardDay(
        card=card,
        expected_loss=float(np.sum(sorted(gathered.losses))),
        probability=worst["probability"],
        transactions=len(gathered.losses),
        id=worst["id"],
        merchant=worst["merchant"],
        amount=worst["amount"],
        time=worst["time"],
        reasons=[worst[name] for name in REASONS if worst[name]],
        is_reported=gathered.is_reported,
    )


def choose_cards(cards: Iterator[CardDay], quiet: set[int], count: int) -> list[CardDay]:
    """Return the cards with the largest expected losses; the token decides between equals."""
    awake = (each for each in cards if each.card not in quiet)
    return sorted(awake, key=lambda each: (-each.expected_loss, each.card))[:count]


def model_name(model: Mapping[str, Any]) -> str:
    """Return a name that changes with the model's weights."""
    return "logistic-" + sha256(json.dumps(model["beta"]).encode()).hexdigest()[:12]


def cloud_event(each: CardDay, *, day: int, rank: int, model: str) -> dict[str, Any]:
    """Return an alert as a CloudEvent in JSON form."""
    date = day_text(day)
    identity = sha256(f"{each.card}/{date}/{model}".encode()).hexdigest()[:32]
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "/podreduce/risk",
        "type": "dev.podreduce.risk.card-alert.v1",
        "subject": card_name(each.card),
        "time": f"{date}T23:59:59Z",
        "datacontenttype": "application/json",
        "data": {
            "day": date,
            "rank": rank,
            "card": card_name(each.card),
            "expectedLoss": round(each.expected_loss, 2),
            "probability": round(each.probability, 6),
            "transactions": each.transactions,
            "transaction": each.id,
            "merchant": each.merchant,
            "amount": each.amount / 100,
            "transactionTime": each.time,
            "reasons": list(each.reasons),
            "model": model,
        },
    }
