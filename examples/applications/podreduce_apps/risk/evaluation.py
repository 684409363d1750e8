"""Judges the scores, once the reports of the scored days are there.

One task has all scored rows, some 70 bytes each, because the figures need their order. It sorts them first, so that
sums of floats are the same in whatever order the rows come.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_number, read_whole
from podreduce_apps.risk.periods import DAY_SECONDS, Periods, day_text
from podreduce_apps.risk.ranking_metrics import (
    Curve,
    calibration_bins,
    card_precision,
    expected_calibration_error,
    ranking_curve,
)

Floats = npt.NDArray[np.float64]

__all__ = ["Evaluate", "cost_curve", "evaluate"]

COLUMNS = ("time", "card", "amount", "probability", "fraud")
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
        return pa.record_batch({"key": [0], "value": [pack(batch.select([*COLUMNS, *OTHERS]))]})

    def reduce_func(self, _key: int, values: Iterator[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the figures."""
        rows = pa.concat_tables([unpack(value) for value in values])
        in_order = rows.sort_by([(name, "ascending") for name in (*COLUMNS, *OTHERS)])
        yield "metrics", evaluate(in_order, Periods.read(self.parameters), self.parameters)


def pack(batch: pa.RecordBatch) -> bytes:
    """Return a batch as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return cast("bytes", sink.getvalue().to_pybytes())


def unpack(value: bytes) -> pa.Table:
    """Return the batch of `pack`."""
    return pa.ipc.open_stream(value).read_all()


def evaluate(rows: pa.Table, periods: Periods, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return all figures of scored rows, with the protocol that they were measured by.

    `quality` is null where nothing can be judged: while no report on the scored days is there.
    """
    fraud = rows["fraud"].to_numpy()
    return {
        "protocol": {
            "trainFrom": day_text(periods.train_from),
            "trainTo": day_text(periods.train_to - 1),
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
    days, cards = rows["time"].to_numpy() // DAY_SECONDS, rows["card"].to_numpy()
    amounts = np.maximum(rows["amount"].to_numpy(), 0) / 100
    k = read_whole(parameters, "cardsPerDay", least=1)
    curve, bins = ranking_curve(probability, fraud), calibration_bins(probability, fraud, BINS)
    leaving, by_day = card_precision(days, cards, probability, fraud, k, found_leave=True)
    staying, _ = card_precision(days, cards, probability, fraud, k, found_leave=False)
    return {
        "auc": curve.auc(),
        "averagePrecision": curve.average_precision(),
        "cardPrecision": {"foundCardsLeave": leaving, "foundCardsStay": staying, "byDay": by_day},
        "brier": float(np.mean((probability - fraud) ** 2)),
        "calibration": {
            "bins": [{"rows": n, "meanProbability": mean, "shareOfFraud": share} for n, mean, share in bins],
            "expectedError": expected_calibration_error(bins),
        },
        "cost": cost_curve(probability, fraud, amounts, read_number(parameters, "alertCost")),
        "curve": curve_points(curve),
        "scores": {name: judge_score(rows, name, k) for name in ("probability", *OTHERS)},
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


def cost_curve(probability: Floats, fraud: npt.NDArray[np.int8], amounts: Floats, alert_cost: float) -> dict[str, Any]:
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
