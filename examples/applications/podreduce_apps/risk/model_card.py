"""The model card: what the model is, what it was learned from, how good it is, and what it is not for. Pure.

Its parts follow Mitchell et al. 2019 (Model Cards for Model Reporting), and what SR 11-7 asks of documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podreduce_apps.parameters import read_positive
from podreduce_apps.risk.alerts import model_name
from podreduce_apps.risk.calibration import Calibration
from podreduce_apps.risk.features import FEATURES

__all__ = ["PSI_ALARM", "Learned", "model_card"]

PSI_ALARM = 0.25
JUDGED = ("auc", "averagePrecision", "cardPrecision", "brier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the steps that learn have left.

    Attributes:
        moments: of `moments`: the scaler, how many rows there were, and what they and the code were.
        model: of `newton`: the weights.
        calibration: of `calibration`; empty if there were no such days.
    """

    moments: Mapping[str, Any]
    model: Mapping[str, Any]
    calibration: Mapping[str, Any]

    def name(self) -> str:
        """Return what the model is called."""
        return model_name(self.model, Calibration.read(self.calibration))


def model_card(learned: Learned, metrics: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return everything about the model, so that it can be judged, and applied by other programs."""
    quality, moments, model = metrics["quality"] or {}, learned.moments, learned.model
    return {
        "name": learned.name(),
        "kind": "logistic regression with an L2 penalty, solved exactly by Newton's method",
        **describe_governance(learned, metrics, parameters),
        "intendedUse": "order the cards that people look at; a person decides about each alert",
        "notFor": "refusing a payment or a customer without a person's decision; credit decisions",
        "training": {
            "from": metrics["protocol"]["trainFrom"],
            "to": metrics["protocol"]["trainTo"],
            "rows": moments["rows"],
            "frauds": moments["frauds"],
            "inversePenalty": read_positive(parameters, "inversePenalty"),
            "dataDigest": moments["dataDigest"],
            "codeDigest": moments["codeDigest"],
        },
        "calibration": describe_calibration(learned.calibration, metrics["protocol"]),
        "evaluation": {
            **{name: metrics[name] for name in ("protocol", "rows", "frauds")},
            **{name: quality[name] for name in JUDGED if name in quality},
            "slices": quality.get("slices"),
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
            "What an alert means for a customer needs its reasons: each alert has up to three.",
        ],
    }


def describe_governance(learned: Learned, metrics: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return who answers for the model, what it is compared with, and whether its features still are what they were."""
    scores, drift = (metrics["quality"] or {}).get("scores", {}), metrics["drift"]
    largest = max(drift, key=lambda name: (drift[name], name), default=None)
    return {
        "owner": parameters.get("modelOwner", ""),
        "approval": parameters.get("modelApproval", ""),
        "champion": {"name": learned.name(), "chooses": "the alerts", **(scores.get("probability") or {})},
        "challenger": {"name": "boosted trees", "chooses": "nothing", **(scores.get("boosted") or {})},
        "drift": {
            "alarm": PSI_ALARM,
            "largest": drift[largest] if largest else None,
            "largestFeature": largest,
            "isAlarm": largest is not None and drift[largest] > PSI_ALARM,
        },
    }


def describe_calibration(found: Mapping[str, Any], protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the probabilities were set right, or why they were not."""
    if not found:
        return {"kind": None, "reason": "no transactions in the calibration days, which lie behind the training days"}
    rows = {"rows": found["rows"], "frauds": found["frauds"], "dataDigest": found["digest"]}
    days = {"to": protocol["calibrateTo"], "days": protocol["calibrationDays"], **rows}
    if "slope" not in found:
        return {"kind": None, "reason": found["reason"], **days}
    return {"kind": "Platt", "slope": found["slope"], "intercept": found["intercept"], **days}
