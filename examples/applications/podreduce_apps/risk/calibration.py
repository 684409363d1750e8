"""Sets the model's probabilities right by later days than it has learned from (Platt 1999).

Log odds s become slope · s + intercept. A slope above 0 keeps the order of all transactions, and two numbers need few
frauds; isotonic regression would need a thousand (Niculescu-Mizil and Caruana 2005), and would make equals of many.
Fraud counts as (n + 1) / (n + 2) of n frauds and the rest as 1 / (n + 2) of n others, so that both numbers are finite.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.exact_sums import exact_sums
from podreduce_apps.risk.features import feature_matrix
from podreduce_apps.risk.logistic import Newton, loss_terms, row_scores
from podreduce_apps.risk.packed_rows import pack, unpack_all
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.provenance import digest_of_rows, row_hashes
from podreduce_apps.risk.training import read_scaler

__all__ = ["Calibrate", "Calibration", "fit_calibration"]

LEAST_FRAUDS = 10
MOST_STEPS = 100
SMALLEST_STEP = 1e-12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What log odds are multiplied by, and what is added. As it is, nothing changes."""

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Calibration":
        """Return what the step `calibration` has found; nothing changes if it has found nothing."""
        return cls(found["slope"], found["intercept"]) if "slope" in found else cls()

    def apply(self, scores: Floats) -> Floats:
        """Return log odds, set right."""
        return scores * self.slope + self.intercept


class Calibrate:
    """Fits the two numbers in one reduce, from 50 bytes of each transaction of the calibration days."""

    def setup(self, context: JobContext) -> None:
        """Read the model."""
        self.periods = Periods.read(context.parameters)
        self.scaler = read_scaler(dict(context.side_input("moments")))
        self.beta = np.array(dict(context.side_input("model"))["beta"])

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the log odds of the days' transactions. Blocked cards are left out, as they are when it scores."""
        days = batch["time"].to_numpy() // DAY_SECONDS
        is_chosen = (days >= self.periods.train_to) & (days < self.periods.calibrate_to)
        rows = batch.filter(pa.array(is_chosen & (batch["compromised"].to_numpy() == 0)))
        scores = row_scores(self.scaler.apply(feature_matrix(rows)), self.beta)
        hashes = pa.array(row_hashes(rows), pa.binary(32))
        return pack(pa.record_batch({"score": pa.array(scores), "fraud": rows["fraud"], "hash": hashes}))

    def reduce_func(self, _key: int, values: Iterator[bytes]) -> Iterator[tuple[str, Any]]:
        """Yield how many rows and frauds there were, their digest, and the two numbers or why there are none."""
        rows = unpack_all(values)
        scores, fraud = rows["score"].to_numpy(), rows["fraud"].to_numpy()
        yield "rows", len(fraud)
        yield "frauds", int(fraud.sum())
        yield "digest", digest_of_rows(rows["hash"].to_pylist())
        found = fit_calibration(scores, fraud)
        if isinstance(found, str):
            yield "reason", found
        else:
            yield "slope", found.slope
            yield "intercept", found.intercept


def fit_calibration(scores: Floats, fraud: npt.NDArray[np.int8]) -> Calibration | str:
    """Return the calibration of log odds, or why there can be none. The order of the rows does not matter."""
    frauds, others = int(np.count_nonzero(fraud)), int(np.count_nonzero(fraud == 0))
    if frauds < LEAST_FRAUDS or others < LEAST_FRAUDS:
        found = f"{count_of(frauds, 'fraud')} among {count_of(frauds + others, 'transaction')}"
        return f"{found}: {LEAST_FRAUDS} of each kind are needed"
    if scores.min() == scores.max():
        return "all transactions have the same score"
    targets = np.where(fraud > 0, (frauds + 1) / (frauds + 2), 1 / (others + 2))
    newton = Newton.begin(1)
    for _ in range(MOST_STEPS):
        sums = exact_sums(loss_terms(scores[:, None], targets, newton.beta))
        newton = newton.next(sums, np.inf)
        if np.max(np.abs(newton.step)) < SMALLEST_STEP:
            break
    slope, intercept = (float(each) for each in newton.beta)
    if slope <= 0:
        return f"the slope is {slope:.3f}: on these days the model does not rank fraud before the rest"
    return Calibration(slope, intercept)
