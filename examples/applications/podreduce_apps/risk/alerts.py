"""From the cards of a day to alerts: each day the k cards that most money is expected to be lost on.

One alert for a card and day. A card that was alerted is not alerted again for `quietDays` days: somebody is on it.
An alert is a CloudEvent (specification 1.0), whose id follows from card, day and model: whoever gets it twice knows.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from heapq import nsmallest
from typing import Any

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.risk.calibration import Calibration
from podreduce_apps.risk.card_days import CardDay
from podreduce_apps.risk.card_tokens import card_name
from podreduce_apps.risk.periods import day_text

__all__ = ["Alerts", "choose_cards", "cloud_event", "model_name"]


class Alerts:
    """The alerts of each day: a record each, and all as a file of CloudEvents."""

    def setup(self, context: JobContext) -> None:
        """Read how many cards a day can be called about, and what the model is called."""
        self.context = context
        self.cards = read_whole(context.parameters, "cardsPerDay", least=1)
        self.quiet_days = read_whole(context.parameters, "quietDays")
        calibration = Calibration.read(dict(context.side_input("calibration")))
        self.model = model_name(dict(context.side_input("model")), calibration)
        self.chosen_on: dict[int, int] = {}
        self.events: list[str] = []

    def map_func(self, day: int, card: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield each card under its day."""
        yield day, card

    def reduce_func(self, day: int, values: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the day's alerts. Days come in their order, so that earlier alerts are known."""
        quiet = {card for card, chosen in self.chosen_on.items() if day - chosen < self.quiet_days}
        cards = (CardDay(**value) for value in values)
        for rank, each in enumerate(choose_cards(cards, quiet, self.cards), start=1):
            self.chosen_on[each.card] = day
            event = cloud_event(each, day=day, rank=rank, model=self.model)
            self.events.append(json.dumps(event, sort_keys=True))
            yield event["id"], event["data"] | {"isReported": each.is_reported}

    def teardown(self) -> None:
        """Write the file of events."""
        if self.context.task.startswith("r"):
            text = "".join(f"{line}\n" for line in self.events)
            self.context.output_file("alerts.jsonl").write_text(text, encoding="utf-8")


def choose_cards(cards: Iterator[CardDay], quiet: set[int], count: int) -> list[CardDay]:
    """Return the cards with the largest expected losses; the token decides between equals. Holds only so many."""
    awake = (each for each in cards if each.card not in quiet)
    return nsmallest(count, awake, key=lambda each: (-each.expected_loss, each.card))


def model_name(model: Mapping[str, Any], calibration: Calibration) -> str:
    """Return a name that changes with the model's weights and its calibration."""
    numbers = [*model["beta"], calibration.slope, calibration.intercept]
    return "logistic-" + sha256(json.dumps(numbers).encode()).hexdigest()[:12]


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
