"""What a rating is without knowing any taste: the mean of all, and how far an item and a user are off it.

Koren, Factorization Meets the Neighborhood, KDD 2008, section 2.1. Means are damped, so that few ratings say little.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from podreduce_apps.recommendation.lists import Ints

__all__ = ["LARGEST_RATING", "RATING_UNIT", "Baseline"]

Floats = npt.NDArray[np.float64]
RATING_UNIT = 1 << 20
"""Ratings are added up in so many parts of 1: sums of whole numbers have no order."""
LARGEST_RATING = 1000
ITEM_DAMPING = 10
USER_DAMPING = 15


class Baseline:
    """Mean and deviations of items, from the side input `items`."""

    def __init__(self, items: Any) -> None:  # noqa: ANN401 - an Arrow table
        ordered = items.sort_by("id")
        counts, sums = (ordered[name].to_numpy() for name in ("ratings", "rating_sum"))
        self.ratings = int(counts.sum())
        self.mean = int(sums.sum()) / RATING_UNIT / max(self.ratings, 1)
        self.items: Floats = (sums / RATING_UNIT - counts * self.mean) / (counts + ITEM_DAMPING)

    def of_items(self, ids: Ints) -> Floats:
        """Return what items are rated on the whole; -1 is an item that nobody knows."""
        return self.mean + np.where(ids < 0, 0, self.items[ids])

    def of_user(self, ids: Ints, values: Floats) -> float:
        """Return how far a user is above what the items are rated on the whole; NaN among the values is no rating."""
        rated = np.isfinite(values)
        return float((values[rated] - self.of_items(ids[rated])).sum() / (rated.sum() + USER_DAMPING))
