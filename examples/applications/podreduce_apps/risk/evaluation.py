"""Judges the scores, once the reports of the scored days are there.

One task has all scored rows, because the figures need their order: some 90 bytes each, and as much again to work with.
Nothing depends on the order in which they come: what is added up is in whole numbers, or is sorted first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_number, read_whole
from podreduce_apps.risk.packed_rows import pack, unpack_all
from podreduce_apps.risk.periods import DAY_SECONDS, Periods, day_text
from podreduce_apps.risk.ranking_metrics import (
    Curve,
    calibration_bins,
    card_precision,
    expected_calibration_error,
    ranking_curve,
)
from podreduce_apps.risk.slices import measure_slices

Floats = npt.NDArray[np.float64]

__all__ = ["Evaluate", "cost_curve", "evaluate"]

COLUMNS = ("time", "card", "amount", "probability", "model_probability", "fraud")
NAMES = ("channel", "country")
OTHERS = ("boosted", "ecod", "hbos", "isolation", "card_z")
"""Scores that alerts are not chosen by. They are compared with the one that is."""
BINS = 10
CURVE_POINTS = 200


class Evaluate:
    """Sends what the figures need as packed columns, and works them out in one reduce."""

    def setup(self, context: JobContext) -> None:
        """Read the protocol."""
        self.parameters = context.parameters

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the columns of a batch as one value."""
        columns = {name: batch[name] for name in (*COLUMNS, *OTHERS)}
        names = {name: batch[name].dictionary_encode() for name in NAMES}
        return pack(pa.record_batch(columns | names))

    def reduce_func(self, _key: int, values: Iterator[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the figures."""
        yield "metrics", evaluate(unpack_all(values), Periods.read(self.parameters), self.parameters)


def evaluate(rows: pa.Table, periods: Periods, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return all figures of scored rows, with the protocol that they were measured by.

    `quality` is null where nothing can be judged: while no report on the scored days is there.
    """
    fraud = rows["fraud"].to_numpy()
    return {
        "protocol": {
            "trainFrom": day_text(periods.train_from),
            "trainTo": day_text(periods.train_to - 1),
            "calibrationDays": periods.calibrate_to - periods.train_to,
            "calibrateTo": day_text(periods.calibrate_to - 1),
            "delayDays": periods.delay_days,
            "scoreFrom": day_text(periods.score_from),
            "scoreTo": day_text(periods.score_to - 1),
            "cardsPerDay": read_whole(parameters, "cardsPerDay", least=1),
            "leftOut": "cards known by the day to be misused, from frauds since the training began",
        },
        "rows": len(fraud),
        "frauds": int(fraud.sum()),
        "quality": measure(rows, parameters) if 0 < fraud.sum() < len(fraud) else None,
    }


def measure(rows: pa.Table, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return how good the scores are. There are frauds and others."""
    probability, fraud = rows["probability"].to_numpy(), rows["fraud"].to_numpy()
    curve = ranking_curve(probability, fraud)
    ranking = {"auc": curve.auc(), "averagePrecision": curve.average_precision(), "curve": curve_points(curve)}
    del curve  # it may be of ten million rows
    k = read_whole(parameters, "cardsPerDay", least=1)
    cents = np.maximum(rows["amount"].to_numpy(), 0)
    return {
        **ranking,
        "cardPrecision": measure_cards(rows, k),
        **judge_probability(probability, fraud),
        "uncalibrated": judge_probability(rows["model_probability"].to_numpy(), fraud),
        "cost": cost_curve(probability, fraud, cents, read_number(parameters, "alertCost")),
        "scores": {name: judge_score(rows, name, k) for name in ("probability", *OTHERS)},
        "slices": measure_slices(rows),
    }


def measure_cards(rows: pa.Table, k: int) -> dict[str, Any]:
    """Return the share of misused cards among the first k of a day, as the Handbook has it and without its rule."""
    days, cards = rows["time"].to_numpy() // DAY_SECONDS, rows["card"].to_numpy()
    columns = days, cards, rows["probability"].to_numpy(), rows["fraud"].to_numpy(), k
    leaving, by_day = card_precision(*columns, found_leave=True)
    staying, _ = card_precision(*columns, found_leave=False)
    return {"foundCardsLeave": leaving, "foundCardsStay": staying, "byDay": by_day}


def judge_probability(probability: Floats, fraud: npt.NDArray[np.int8]) -> dict[str, Any]:
    """Return how far probabilities are from what happens."""
    bins = calibration_bins(probability, fraud, BINS)
    return {
        "brier": float(np.mean(np.sort((probability - fraud) ** 2))),
        "calibration": {
            "bins": [{"rows": n, "meanProbability": mean, "shareOfFraud": share} for n, mean, share in bins],
            "expectedError": expected_calibration_error(bins),
        },
    }


def judge_score(rows: pa.Table, name: str, k: int) -> dict[str, float] | None:
    """Return how well a score ranks; null if there is none, such as of a challenger that could not learn."""
    scores, fraud = rows[name].to_numpy(), rows["fraud"].to_numpy()
    if not np.isfinite(scores).all():
        return None
    curve, days = ranking_curve(scores, fraud), rows["time"].to_numpy() // DAY_SECONDS
    precision, _ = card_precision(days, rows["card"].to_numpy(), scores, fraud, k, found_leave=True)
    return {"auc": curve.auc(), "averagePrecision": curve.average_precision(), "cardPrecision": precision}


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


def cost_curve(
    probability: Floats, fraud: npt.NDArray[np.int8], cents: npt.NDArray[np.int64], alert_cost: float
) -> dict[str, Any]:
    """Return what it costs to alert the transactions with the highest expected losses, for growing numbers of them.

    A missed fraud costs its amount, an alert costs `alert_cost`, right or wrong (Bahnsen et al. 2013).
    """
    order = np.lexsort((fraud, cents, -(probability * cents)))
    stopped = (cents * fraud)[order]
    del order  # it may be of ten million rows
    total = np.zeros(len(stopped) + 1)
    np.cumsum(stopped, out=total[1:])
    total -= int(stopped.sum())
    total /= -100
    total += alert_cost * np.arange(len(total))
    chosen = np.unique(np.geomspace(1, len(total), CURVE_POINTS).astype(np.int64)) - 1
    best = int(np.argmin(total))
    return {
        "alertCost": alert_cost,
        "withoutAlerts": float(total[0]),
        "lowest": float(total[best]),
        "alertsAtLowest": best,
        "curve": [{"alerts": int(i), "cost": float(total[i])} for i in chosen],
    }
