"""The step `basket-counts`: in how many baskets each item is, and, under ALL_BASKETS, how many baskets there are."""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.recommendation.baskets import read_baskets
from podreduce_apps.recommendation.lists import Ints

__all__ = ["ALL_BASKETS", "BasketCounts", "read_counts"]

ALL_BASKETS = -1


class BasketCounts:
    """Counts what the maps of `similar` send: at most `itemsPerBasket` items of each user."""

    combiner = "sum"

    def setup(self, context: JobContext) -> None:
        """Read the parameter."""
        self.per_basket = read_whole(context.parameters, "itemsPerBasket", least=1)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the counts of a batch."""
        baskets = read_baskets(batch, self.per_basket)
        items, counts = np.unique(baskets.items, return_counts=True)
        return pa.table(
            {
                "key": np.append(items, ALL_BASKETS).astype(np.int64),
                "value": np.append(counts, len(baskets.offsets) - 1).astype(np.int64),
            }
        )


def read_counts(table: Any, items: int) -> Ints:  # noqa: ANN401 - an Arrow table of the columns key and value
    """Return in how many baskets each item is, and at the end how many baskets there are."""
    counts = np.zeros(items + 1, np.int64)
    counts[table["key"].to_numpy()] = table["value"].to_numpy()
    return counts
