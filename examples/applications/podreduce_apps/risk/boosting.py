"""Boosted trees, one model for each partition of the rows: the challenger of the regression.

Each partition learns alone, from all its frauds and a share of the rest, and the scores of all are averaged. This is an
ensemble for data larger than a machine's memory, not the model that one machine would learn from all rows.

It has a module of its own because it needs scikit-learn, and the steps that apply the models run without. So do its own
maps: to import scikit-learn takes a second, so only a reduce does.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_fraction, read_whole
from podreduce_apps.risk.background import hash_ids
from podreduce_apps.risk.boosted import DEPTH, LEARNING_RATE, BoostedModel
from podreduce_apps.risk.features import feature_matrix

__all__ = ["TREES", "Boosting", "learn"]

TREES = 100
HASHES = 1 << 52
LEAST_OF_A_KIND = 2

Floats = npt.NDArray[np.float64]


class Boosting:
    """One model for each partition."""

    def setup(self, context: JobContext) -> None:
        """Read into how many partitions the rows go, and which share of legitimate rows is kept."""
        self.context = context
        self.models = read_whole(context.parameters, "boostedModels", least=1)
        self.share = read_fraction(context.parameters, "legitimateShare", with_one=True)
        self.seed = read_whole(context.parameters, "forestSeed")

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return all frauds and a share of the rest, each under its partition."""
        hashes, fraud = hash_ids(batch["id"].to_pylist()), batch["fraud"].to_numpy()
        kept = np.flatnonzero((fraud > 0) | (hashes < self.share * HASHES))
        values = np.column_stack([hashes[kept], fraud[kept], feature_matrix(batch)[kept]])
        # Another part of the hash: the kept rows are those with a small one.
        key = pa.array(hashes[kept] % (self.models * 1009) // 1009)
        return pa.table({"key": key, "value": pa.array(values.tolist(), pa.list_(pa.float64()))})

    def reduce_func(self, part: int, values: Iterator[list[float]]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the model of a partition, unless it lacks frauds or other rows, which is counted."""
        rows = np.array(sorted(values))  # the same order whatever the shards
        fraud = rows[:, 1].astype(np.int8)
        if min(np.count_nonzero(fraud), np.count_nonzero(fraud == 0)) < LEAST_OF_A_KIND:
            self.context.count("boosted", "partitionsWithoutModel")
            return
        yield part, learn(rows[:, 2:], fraud, self.seed, self.share).to_dict()


def learn(features: Floats, fraud: npt.NDArray[np.int8], seed: int, kept: float) -> BoostedModel:
    """Return the model of some rows."""
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - only reduces need it

    peer = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=LEARNING_RATE, random_state=seed
    ).fit(features, fraud)
    share = float(np.mean(fraud))
    return BoostedModel(
        float(np.log(share / (1 - share))), [tree_lists(each[0].tree_) for each in peer.estimators_], kept
    )


def tree_lists(tree: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - of scikit-learn, which has no types
    """Return a tree of scikit-learn as lists. It compares floats of 32 bits, and so do we."""
    return {
        "feature": tree.feature.tolist(),
        "threshold": tree.threshold.tolist(),
        "left": tree.children_left.tolist(),
        "right": tree.children_right.tolist(),
        "value": tree.value[:, 0, 0].tolist(),
    }
