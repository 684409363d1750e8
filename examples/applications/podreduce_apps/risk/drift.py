"""Have the features changed since the training? The population stability index of each, over ten bins.

PSI = sum of (now - then) ln(now / then) over the bins, which are the deciles of the background sample. Below 0.1 little
has changed; above 0.25 learn again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.features import FEATURES, feature_matrix

__all__ = ["Drift", "stability_index"]

BINS = 10
LEAST_SHARE = 1e-4
"""An empty bin counts as if it had this share, so that the index is finite."""

Floats = npt.NDArray[np.float64]


class Drift:
    """The index of each feature, of the scored rows beside the background sample."""

    def setup(self, context: JobContext) -> None:
        """Read the sample, and cut each feature into bins."""
        self.sorted: Mapping[str, list[float]] = dict(context.side_input("background"))["sorted"]
        self.edges = {name: bin_edges(np.array(self.sorted[name])) for name in FEATURES}

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return how many rows of the batch are in each bin of each feature."""
        features = feature_matrix(batch)
        counts = [count_bins(features[:, i], self.edges[name]).tolist() for i, name in enumerate(FEATURES)]
        return pa.table({"key": list(FEATURES), "value": pa.array(counts, pa.list_(pa.int64()))})

    def reduce_func(self, name: str, values: Iterator[Sequence[int]]) -> Iterator[tuple[str, float]]:
        """Yield a feature's index."""
        then = count_bins(np.array(self.sorted[name]), self.edges[name])
        yield name, stability_index(then, np.sum(list(values), axis=0))


def bin_edges(values: Floats) -> Floats:
    """Return the inner edges of the bins. A feature with few values has fewer bins."""
    return np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="higher"))


def count_bins(values: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    """Return how many values are in each bin; an edge belongs to the bin above it."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def stability_index(then: npt.NDArray[Any], now: npt.NDArray[Any]) -> float:
    """Return the population stability index of two counts of the same bins."""
    before, after = (np.maximum(counts / max(counts.sum(), 1), LEAST_SHARE) for counts in (then, now))
    return float(np.sum((after - before) * np.log(after / before)))
