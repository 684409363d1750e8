"""Scores each transaction of the scored days: how likely it is fraud, what it is expected to cost, and why.

Cards that are known to be misused are blocked, so they are left out, and counted.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.boosted import BoostedModel, mean_probability
from podreduce_apps.risk.calibration import Calibration
from podreduce_apps.risk.features import FEATURES, feature_matrix
from podreduce_apps.risk.logistic import predict, row_scores
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.training import read_scaler
from podreduce_apps.risk.unusual import Usual

__all__ = ["REASONS", "Score", "find_reasons"]

REASONS = ("reason_1", "reason_2", "reason_3")
KEPT = ("id", "time", "card", "merchant", "amount", "country", "device", "channel", "fraud")


class Score:
    """Each transaction of the scored days with its features, its probability, expected loss and reasons.

    Beside the probability, by which alerts are chosen, are what the model said before it was calibrated, and the scores
    of the challenger and of what needs no reports.
    """

    def setup(self, context: JobContext) -> None:
        """Read the model."""
        self.context, self.periods = context, Periods.read(context.parameters)
        moments, model = dict(context.side_input("moments")), dict(context.side_input("model"))
        self.scaler, self.beta = read_scaler(moments), np.array(model["beta"])
        self.calibration = Calibration.read(dict(context.side_input("calibration")))
        self.usual = Usual.read(dict(context.side_input("background")))
        self.boosted = [BoostedModel(**model) for _, model in context.side_input("boosted")]

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the scored rows."""
        days = batch["time"].to_numpy() // DAY_SECONDS
        is_in_time = (days >= self.periods.score_from) & (days < self.periods.score_to)
        is_blocked = is_in_time & (batch["compromised"].to_numpy() > 0)
        self.context.count("score", "blockedCards", int(is_blocked.sum()))
        rows = pa.Table.from_batches([batch.filter(pa.array(is_in_time & ~is_blocked))]).combine_chunks()
        return self.score(rows)

    def score(self, rows: pa.Table) -> pa.Table:
        """Return rows with their scores. A refund cannot be lost."""
        features = feature_matrix(rows)
        scaled = self.scaler.apply(features)
        log_odds = row_scores(scaled, self.beta)
        probability = predict(self.calibration.apply(log_odds))
        amount = np.maximum(rows["amount"].to_numpy(), 0) / 100
        others = {
            "model_probability": predict(log_odds),
            "boosted": mean_probability(self.boosted, features),
            **self.usual.scores(features),
            "card_z": rows["card_z"].to_numpy(),
        }
        scored = rows.select([*KEPT, *(name for name in FEATURES if name not in KEPT)])
        scored = scored.append_column("probability", pa.array(probability))
        scored = scored.append_column("expected_loss", pa.array(probability * amount))
        for name, values in others.items():
            scored = scored.append_column(name, pa.array(values))
        for name, reason in zip(REASONS, find_reasons(scaled * self.beta[:-1]), strict=True):
            scored = scored.append_column(name, reason)
        return scored


def find_reasons(contributions: npt.NDArray[np.float64]) -> list[pa.Array]:
    """Return the features that raise the log odds of each row most, first, second and third; empty: no more do.

    A contribution is weight x (value - mean) / deviation: what sets the row apart from the mean row.
    """
    order = np.argsort(-contributions, axis=1, kind="stable")[:, : len(REASONS)]
    raises = np.take_along_axis(contributions, order, axis=1) > 0
    names = pa.array([*FEATURES, ""])
    return [names.take(pa.array(np.where(raises[:, i], order[:, i], len(FEATURES)))) for i in range(len(REASONS))]
