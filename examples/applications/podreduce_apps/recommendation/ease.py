"""The step `ease`: a linear model of all items at once, for catalogues of up to some thousand items.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019: B = -P / diag(P) with P = (X^T X + lambda I)^-1
and a diagonal of 0. The score of item j for a user is the sum of B[i, j] over the user's items i.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_positive, read_whole
from podreduce_apps.recommendation.baskets import pack_baskets, read_baskets, unpack_baskets
from podreduce_apps.recommendation.cooccurrence import add_all

__all__ = ["Ease", "solve_ease"]

ALL_ITEMS = 1 << 31


class Ease:
    """Solves the model, in one reduce task. Yields the item's id, and its row of B as bytes of float32.

    Parameters: `easeLambda`, `easeMaxItems` (with more items there is no model: memory grows with their square, time
    with their cube). Side input: `items`.
    """

    def setup(self, context: JobContext) -> None:
        """Read the parameters."""
        self.context = context
        self.penalty = read_positive(context.parameters, "easeLambda")
        self.items = context.side_table("items").num_rows
        self.is_small = self.items <= read_whole(context.parameters, "easeMaxItems")

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table | None:
        """Send all baskets to the one reduce."""
        if not self.is_small:
            return None
        baskets = read_baskets(batch, ALL_ITEMS)
        return pa.table({"key": [0], "value": pa.array([pack_baskets(baskets)], pa.binary())})

    def reduce_func(self, _key: int, values: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Count all pairs, solve, and yield the rows of B."""
        counts = np.zeros((self.items, self.items), np.int32)
        add_all(counts, map(unpack_baskets, values), np.arange(self.items))
        weights = solve_ease(counts, self.penalty)
        for number in range(self.items):
            yield number, weights[number].astype("<f4").tobytes()


def solve_ease(counts: npt.NDArray[np.int32], penalty: float) -> npt.NDArray[np.float64]:
    """Return B, by rows, from X^T X (items by items)."""
    gram = counts.astype(np.float64)
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0
    return np.asarray(weights)
