"""The transactions of the cards that people look at first: of the alerts with the largest expected losses."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.card_tokens import card_token
from podreduce_apps.risk.periods import DAY_SECONDS, Periods

__all__ = ["CASES", "Timelines", "top_cases"]

CASES = 50
DAYS_BEFORE = 30


class Timelines:
    """Keeps the transactions of the cards of the top cases, from some days before the scored ones."""

    def setup(self, context: JobContext) -> None:
        """Read the alerts."""
        self.periods = Periods.read(context.parameters)
        cases = top_cases(line["value"] for _, line in context.side_input("alerts"))
        self.cards = pa.array([card_token(case["card"]) for case in cases], pa.int64())

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of these cards."""
        days = batch["time"].to_numpy() // DAY_SECONDS
        is_near = (days >= self.periods.score_from - DAYS_BEFORE) & (days < self.periods.score_to)
        is_theirs = pc.is_in(batch["card"], self.cards).to_numpy(zero_copy_only=False)
        return batch.filter(pa.array(np.logical_and(is_near, is_theirs))).select(
            ["card", "time", "merchant", "amount", "fraud"]
        )


def top_cases(alerts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the alerts with the largest expected losses, the largest first."""
    return sorted(alerts, key=lambda each: (-each["expectedLoss"], each["day"], each["card"]))[:CASES]
