"""The model card: what the model is, what it was learned from, how good it is, and what it is not for. Pure.

Its parts follow Mitchell et al. 2019 (Model Cards for Model Reporting), and what SR 11-7 asks of documentation.
"""

from collections.abc import Mapping
from typing import Any

from podreduce_apps.parameters import read_positive
from podreduce_apps.risk.alerts import model_name
from podreduce_apps.risk.features import FEATURES

__all__ = ["PSI_ALARM", "model_card"]

PSI_ALARM = 0.25
JUDGED = ("auc", "averagePrecision", "cardPrecision", "brier")


def model_card(
    moments: Mapping[str, Any], model: Mapping[str, Any], metrics: Mapping[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything about the model, so that it can be judged, and applied by other programs."""
    quality = metrics["quality"] or {}
    return {
        "name": model_name(model),
        "kind": "logistic regression with an L2 penalty, solved exactly by Newton's method",
        "owner": parameters.get("modelOwner", ""),
        "approval": parameters.get("modelApproval", ""),
        "intendedUse": "order the cards that people look at; a person decides about each alert",
        "notFor": "refusing a payment or a customer without a person's decision; credit decisions",
        "training": {
            "from": metrics["protocol"]["trainFrom"],
            "to": metrics["protocol"]["trainTo"],
            "rows": moments["rows"],
            "frauds": moments["frauds"],
            "inversePenalty": read_positive(parameters, "inversePenalty"),
        },
        "evaluation": {
            **{name: metrics[name] for name in ("protocol", "rows", "frauds")},
            **{name: quality[name] for name in JUDGED if name in quality},
        },
        "features": [
            {"name": name, "meaning": meaning, "mean": mean, "deviation": deviation, "weight": weight}
            for (name, meaning), mean, deviation, weight in zip(
                FEATURES.items(), moments["mean"], moments["deviation"], model["beta"], strict=False
            )
        ],
        "intercept": model["beta"][-1],
        "limits": [
            "It has learned from frauds that were reported. What nobody reports it cannot find.",
            "Cards without a past have the means of few transactions.",
            f"Compare weekly: learn again when a feature's population stability index is above {PSI_ALARM}.",
        ],
    }
