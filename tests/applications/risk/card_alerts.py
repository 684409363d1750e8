"""Some alerts as the application writes them."""

from podreduce_apps.risk.alerts import cloud_event
from podreduce_apps.risk.card_days import CardDay

__all__ = ["EVENTS", "IDS"]

EVENTS = [
    cloud_event(
        CardDay(
            card=card,
            expected_loss=12.5,
            probability=0.5,
            transactions=1,
            id=f"t{card}",
            merchant="m1",
            amount=2500,
            time=5,
            reasons=["amount"],
            is_reported=False,
        ),
        day=17_000,
        rank=card,
        model="logistic-1",
    )
    for card in range(1, 6)
]
IDS = [event["id"] for event in EVENTS]
