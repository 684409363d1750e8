"""Judges the scores, once the reports of the scored days are there. Writes `metrics.json`.

One task has all scored rows, 33 bytes each: the figures need their order. The order of the rows does not matter.
"""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.periods import DAY_SECONDS, Periods, day_text
from podreduce_apps.risk.ranking_metrics import (
    Curve,
    calibration_bins,
    card_precision,
    expected_calibration_error,
    ranking_curve,
)

__all__ = ["Evaluate", "cost_curve", "evaluate"]

BINS = 10
CURVE_POINTS = 200


class Evaluate:
    """Gathers scores and reports, and writes the figures at the end of its one reduce."""

    key_columns = ("time", "id")

    def setup(self, context: JobContext) -> None:
        """Read the protocol."""
        self.context, self.parameters = context, context.parameters
        self.parts: list[pa.RecordBatch] = []

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what the figures need."""
        return batch.select(["time", "id", "card", "amount", "probability", "fraud"])

    def reduce_batch(self, batch: pa.RecordBatch) -> None:
        """Keep the rows, which come in order of time and id."""
        self.parts.append(batch.drop_columns(["id"]))

    def teardown(self) -> None:
        """Write the figures."""
        if self.context.task.startswith("r"):
            metrics = evaluate(pa.Table.from_batches(self.parts), Periods.read(self.parameters), self.parameters)
            text = json.dumps(metrics, indent=1, sort_keys=True)
            self.context.output_file("metrics.json").write_text(text + "\n", encoding="utf-8")


def evaluate(rows: pa.Table, periods: Periods, parameters: Any) -> dict[str, Any]:
    """Return all figures of scored rows, with the protocol that they were measured by."""
    probability, fraud = rows["probability"].to_numpy(), rows["fraud"].to_numpy()
    days, cards = rows["time"].to_numpy() // DAY_SECONDS, rows["card"].to_numpy()
    amounts = np.maximum(rows["amount"].to_numpy(), 0) / 100
    k = int(parameters["cardsPerDay"])
    curve = ranking_curve(probability, fraud)
    bins = calibration_bins(probability, fraud, BINS)
    leaving, by_day = card_precision(days, cards, probability, fraud, k, found_leave=True)
    staying, _ = card_precision(days, cards, probability, fraud, k, found_leave=False)
    return {
        "protocol": {
            "trainFrom": day_text(periods.train_from),
            "trainTo": day_text(periods.train_to - 1),
            "delayDays": periods.delay_days,
            "scoreFrom": day_text(periods.score_from),
            "scoreTo": day_text(periods.score_to - 1),
            "cardsPerDay": k,
            "leftOut": "cards known by the day to be misused, from frauds since the training began",
        },
        "rows": len(fraud),
        "frauds": int(fraud.sum()),
        "auc": curve.auc(),
        "averagePrecision": curve.average_precision(),
        "cardPrecision": {"foundCardsLeave": leaving, "foundCardsStay": staying, "byDay": by_day},
        "brier": float(np.mean((probability - fraud) ** 2)),
        "calibration": {
            "bins": [{"rows": n, "meanProbability": mean, "shareOfFraud": share} for n, mean, share in bins],
            "expectedError": expected_calibration_error(bins),
        },
        "cost": cost_curve(probability, fraud, amounts, float(parameters["alertCost"])),
        "curve": curve_points(curve),
    }


def curve_points(curve: Curve) -> list[dict[str, float]]:
    """Return some steps of a curve, evenly spread over the recall."""
    chosen = np.unique(np.searchsorted(curve.recall(), np.linspace(0, 1, CURVE_POINTS)))
    return [
        {
            "threshold": float(curve.thresholds[i]),
            "recall": float(curve.recall()[i]),
            "precision": float(curve.precision()[i]),
            "falseShare": float(curve.false[i] / curve.false[-1]),
        }
        for i in chosen
    ]


def cost_curve(probability: Any, fraud: Any, amounts: Any, alert_cost: float) -> dict[str, Any]:
    """Return what it costs to alert the transactions with the highest expected losses, for growing numbers of them.

    A missed fraud costs its amount, an alert costs `alert_cost`, right or wrong (Bahnsen et al. 2013).
    """
    order = np.argsort(-(probability * amounts), kind="stable")
    missed = float(amounts[fraud > 0].sum()) - np.concatenate(([0.0], np.cumsum((amounts * fraud)[order])))
    total = missed + alert_cost * np.arange(len(order) + 1)
    chosen = np.unique(np.geomspace(1, len(order) + 1, CURVE_POINTS).astype(np.int64)) - 1
    best = int(np.argmin(total))
    return {
        "alertCost": alert_cost,
        "withoutAlerts": float(total[0]),
        "lowest": float(total[best]),
        "alertsAtLowest": best,
        "curve": [{"alerts": int(i), "cost": float(total[i])} for i in chosen],
    }
