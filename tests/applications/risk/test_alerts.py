"""Alerts: the cards of a day, quiet days, and events that say what they are."""

from typing import Any

from podreduce_apps.risk.alerts import Alerts, model_name
from podreduce_apps.risk.card_tokens import card_name

MODEL = {"beta": [0.1, 0.2]}


class FakeContext:
    task = "m-0"

    def __init__(self, cards: int, quiet_days: int) -> None:
        self.parameters = {"cardsPerDay": str(cards), "quietDays": str(quiet_days)}

    def side_input(self, name: str) -> Any:
        return iter({"model": MODEL}[name].items())


def make_row(card: int, loss: float, *, name: str = "t", fraud: int = 0) -> dict[str, Any]:
    return {
        "card": card,
        "fraud": fraud,
        "expected_loss": loss,
        "probability": loss / 100,
        "id": name,
        "merchant": "m1",
        "amount": 1000,
        "time": 5,
        "reason_1": "amount",
        "reason_2": "",
        "reason_3": "",
    }


def alert(days: dict[int, list[dict[str, Any]]], *, cards: int = 2, quiet_days: int = 2) -> dict[int, list[str]]:
    """Return the cards that are alerted on each day, in their order."""
    job = Alerts()
    job.setup(FakeContext(cards, quiet_days))
    return {day: [value["card"] for _, value in job.reduce_func(day, iter(rows))] for day, rows in days.items()}


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

    found = list(job.reduce_func(17_000, iter(rows)))

    assert found == list(again.reduce_func(17_000, iter(rows[::-1])))
    identity, value = found[0]
    assert (value["transaction"], value["transactions"], value["expectedLoss"]) == ("t2", 2, 8.0)
    assert value["reasons"] == ["amount"]
    assert value["isReported"]
    assert len(job.events) == 1
    assert '"specversion": "1.0"' in job.events[0]
    assert f'"id": "{identity}"' in job.events[0]
    assert '"time": "2016-07-18T23:59:59Z"' in job.events[0]
    assert "isReported" not in job.events[0]  # nobody knows it when the event is sent
    assert next(iter(job.reduce_func(17_001, iter(rows))))[0] != identity
    assert model_name({"beta": [0.1, 0.3]}) != model_name(MODEL)
