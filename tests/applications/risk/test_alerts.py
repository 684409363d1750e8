"""Alerts: the cards of a day, quiet days, and events that say what they are."""

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from podreduce_apps.risk.alerts import Alerts, model_name
from podreduce_apps.risk.calibration import Calibration
from podreduce_apps.risk.card_days import CardDays
from podreduce_apps.risk.card_tokens import card_name
from podreduce_apps.risk.periods import DAY_SECONDS

MODEL = {"beta": [0.1, 0.2]}


class FakeContext:
    task = "m-0"

    def __init__(self, cards: int, quiet_days: int) -> None:
        self.parameters = {"cardsPerDay": str(cards), "quietDays": str(quiet_days)}

    def side_input(self, name: str) -> Any:
        return iter({"model": MODEL, "calibration": {}}[name].items())


def make_row(card: int, loss: float, *, name: str = "t", fraud: int = 0, day: int = 0) -> dict[str, Any]:
    return {
        "card": card,
        "fraud": fraud,
        "expected_loss": loss,
        "probability": loss / 100,
        "id": name,
        "merchant": "m1",
        "amount": 1000,
        "time": day * DAY_SECONDS + 5,
        "reason_1": "amount",
        "reason_2": "",
        "reason_3": "",
    }


def card_days(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the cards of rows, each on its day."""
    by_card: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_card.setdefault(row["card"], []).append(row)
    for card, each in by_card.items():
        yield from (fields for _, fields in CardDays().reduce_func(card, iter(each)))


def alert(days: dict[int, list[dict[str, Any]]], *, cards: int = 2, quiet_days: int = 2) -> dict[int, list[str]]:
    """Return the cards that are alerted on each day, in their order."""
    job = Alerts()
    job.setup(FakeContext(cards, quiet_days))
    return {day: [value["card"] for _, value in job.reduce_func(day, card_days(rows))] for day, rows in days.items()}


def test_a_day_has_the_cards_with_the_largest_losses_of_all_their_transactions() -> None:
    rows = [make_row(1, 3), make_row(2, 2), make_row(2, 2), make_row(3, 1)]

    assert alert({9: rows}) == {9: [card_name(2), card_name(1)]}
    assert alert({9: rows[::-1]}) == {9: [card_name(2), card_name(1)]}


def test_an_alerted_card_is_quiet_for_some_days_and_the_next_cards_take_its_place() -> None:
    rows = [make_row(1, 3), make_row(2, 2), make_row(3, 1)]

    found = alert({9: rows, 10: rows, 11: rows}, cards=1, quiet_days=2)

    assert found == {9: [card_name(1)], 10: [card_name(2)], 11: [card_name(1)]}


def test_an_event_is_a_cloud_event_whose_id_follows_from_card_day_and_model() -> None:
    job, again = Alerts(), Alerts()
    job.setup(FakeContext(1, 1))
    again.setup(FakeContext(1, 1))
    rows = [make_row(1, 3, name="t1"), make_row(1, 5, name="t2", fraud=1)]

    found = list(job.reduce_func(17_000, card_days(rows)))

    assert found == list(again.reduce_func(17_000, card_days(rows[::-1])))
    identity, value = found[0]
    assert (value["transaction"], value["transactions"], value["expectedLoss"]) == ("t2", 2, 8.0)
    assert value["reasons"] == ["amount"]
    assert value["isReported"]
    assert len(job.events) == 1
    assert '"specversion": "1.0"' in job.events[0]
    assert f'"id": "{identity}"' in job.events[0]
    assert '"time": "2016-07-18T23:59:59Z"' in job.events[0]
    assert "isReported" not in job.events[0]  # nobody knows it when the event is sent
    assert next(iter(job.reduce_func(17_001, card_days(rows))))[0] != identity
    names = [model_name(MODEL, Calibration()), model_name({"beta": [0.1, 0.3]}, Calibration())]
    assert len({*names, model_name(MODEL, Calibration(1.0, 0.1))}) == 3
    assert value["model"] == names[0]


def test_a_card_of_several_days_has_each_day_alone_and_exact_sums() -> None:
    rows = [make_row(7, loss, day=day, name=f"t{loss}") for day in (3, 4) for loss in (1e17, 1.0, -1e17, 0.1)]

    found = dict(CardDays().reduce_func(7, iter(rows)))

    assert found == dict(CardDays().reduce_func(7, iter(rows[::-1])))
    assert {day: (each["expected_loss"], each["transactions"]) for day, each in found.items()} == {
        3: (1.1, 4),
        4: (1.1, 4),
    }


def peak_bytes(pairs: Iterator[Any]) -> int:
    """Return how many bytes it takes to go through pairs."""
    tracemalloc.start()
    try:
        for _ in pairs:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [1000, 50_000])
def test_neither_a_busy_card_nor_a_day_of_many_cards_takes_more_memory(rows: int) -> None:
    job = Alerts()
    job.setup(FakeContext(20, 7))

    busy = peak_bytes(CardDays().reduce_func(1, (make_row(1, 0.5, name=str(i)) for i in range(rows))))
    fields = next(card_days([make_row(1, 2.0)]))
    crowded = peak_bytes(job.reduce_func(9, ({**fields, "card": card} for card in range(rows))))

    assert max(busy, crowded) < 200_000
