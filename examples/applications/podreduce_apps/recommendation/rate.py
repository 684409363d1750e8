"""The step `rate`: how far predicted ratings are off, of the factors and of the baseline, as sums over users.

Sums are of whole numbers in units of 1 / SCALE, as in `evaluate`. Ratings of one user are off together, so the
confidence interval counts users: it needs the squares and products of their sums.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.recommendation.als import read_factors, read_targets
from podreduce_apps.recommendation.baseline import Baseline
from podreduce_apps.recommendation.exact_sums import SCALE, Sum, sum_table
from podreduce_apps.recommendation.factor_model import one_row
from podreduce_apps.recommendation.factors import Floats
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets

__all__ = ["Rate"]


class Rate:
    """Predicts the ratings of the test part. Side inputs: `items`, `factors`."""

    combiner = "sum"

    def setup(self, context: JobContext) -> None:
        """Read the models."""
        self.baseline = Baseline(context.side_table("items"))
        factors = read_factors(context.side_table("factors"))
        self.is_rated = "ratings" in factors
        self.factors = factors["ratings" if self.is_rated else "choices"]
        self.target = read_targets(context.parameters, has_ratings=True)["ratings"]

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table | None:
        """Return the sums of a batch's users with ratings to predict."""
        if not self.is_rated:
            return None
        sums: dict[str, int] = {}
        for known, rated, tests, truth in split_ratings(batch):
            for model, found in self.predict(known, rated, tests).items():
                for name, value in user_sums(truth - found):
                    sums[f"{name}|{model}"] = sums.get(f"{name}|{model}", 0) + value
        return sum_table(sums.items())

    def predict(self, known: Ints, rated: Floats, tests: Ints) -> dict[str, Floats]:
        """Return what each model makes of the ratings of some items, from those that are known."""
        own = self.baseline.of_user(known, rated)
        level = self.baseline.of_items(tests) + own
        row = one_row(known, rated - self.baseline.of_items(known) - own)
        taste = self.target.objective.solve(row, self.factors)[0]
        return {"baseline": level, "als": level + np.where(tests < 0, 0, self.factors[tests] @ taste)}


def split_ratings(batch: pa.RecordBatch) -> Iterator[tuple[Ints, Floats, Ints, Floats]]:
    """Yield, for each user with ratings to predict, the known ids and ratings, and those to predict."""
    columns = []
    for ids, values in (("ids", "values"), ("test_ids", "test_values")):
        offsets = list_offsets(batch.column(ids))
        numbers = flat_values(batch.column(ids)).to_numpy().astype(np.int64)
        columns.append((offsets, numbers, flat_values(batch.column(values)).to_numpy()))
    (edges, known, rated), (test_edges, tests, truth) = columns
    for row in range(batch.num_rows):
        own, test = slice(*edges[row : row + 2]), slice(*test_edges[row : row + 2])
        is_rated = np.isfinite(truth[test])
        if is_rated.any():
            yield known[own], rated[own], tests[test][is_rated], truth[test][is_rated]


def user_sums(errors: Floats) -> Iterator[Sum]:
    """Yield what a user adds to each sum."""
    count, squares = len(errors), float((errors**2).sum())
    yield "rating users", 1
    yield "ratings", count
    yield "ratings squared", count**2
    yield "absolute errors", round(float(np.abs(errors).sum()) * SCALE)
    yield "errors", round(squares * SCALE)
    yield "errors squared", round(squares**2 * SCALE)
    yield "errors by ratings", round(squares * count * SCALE)
