"""Boosted trees, one model for each partition of the rows: the challenger of the regression.

Each partition learns alone, from all its frauds and a share of the rest, and the scores of all are averaged. This is an
ensemble for data larger than a machine's memory, not the model that one machine would learn from all rows.

Leaving out legitimate rows makes fraud look more frequent. What a model says is corrected for that (Dal Pozzolo et al.
2015): p = b p_s / (b p_s - p_s + 1), with b the share of legitimate rows that were kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.background import hash_ids
from podreduce_apps.risk.features import feature_matrix
from podreduce_apps.risk.logistic import predict

__all__ = ["BoostedModel", "Boosting", "correct_for_sampling", "mean_probability"]

TREES, DEPTH, LEARNING_RATE = 100, 3, 0.1
HASHES = 1 << 52
LEAST_OF_A_KIND = 2

Floats = npt.NDArray[np.float64]


class Boosting:
    """One model for each partition."""

    def setup(self, context: JobContext) -> None:
        """Read into how many partitions the rows go, and which share of legitimate rows is kept."""
        self.context = context
        self.models = int(context.parameters["boostedModels"])
        self.share = float(context.parameters["legitimateShare"])
        self.seed = int(context.parameters["forestSeed"])

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


@dataclass(frozen=True, slots=True)
class BoostedModel:
    """A model as arrays, so that it is applied with numpy alone.

    Attributes:
        start: the log odds before the first tree.
        trees: each as lists over its nodes; a leaf has -1 on its left.
        kept: the share of legitimate rows that it has learned from.
    """

    start: float
    trees: list[Mapping[str, list[Any]]]
    kept: float

    def to_dict(self) -> dict[str, Any]:
        """Return the model as values that can be yielded."""
        return {"start": self.start, "trees": self.trees, "kept": self.kept}

    def probability(self, features: Floats) -> Floats:
        """Return the probability of fraud of each row, corrected for the rows that were left out."""
        odds = np.full(len(features), self.start)
        for tree in self.trees:
            odds = odds + LEARNING_RATE * tree_values(tree, features)
        return correct_for_sampling(predict(odds), self.kept)


def learn(features: Floats, fraud: npt.NDArray[np.int8], seed: int, kept: float) -> BoostedModel:
    """Return the model of some rows. scikit-learn is needed here only, not where the model is applied."""
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - not in the image that applies models

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


def tree_values(tree: Mapping[str, list[Any]], features: Floats) -> Floats:
    """Return the value of the leaf that each row reaches."""
    feature, threshold = np.maximum(tree["feature"], 0), np.array(tree["threshold"])
    left, right, value = (np.array(tree[name]) for name in ("left", "right", "value"))
    single = features.astype(np.float32)
    nodes, rows = np.zeros(len(features), np.int64), np.arange(len(features))
    for _ in range(DEPTH):
        is_leaf = left[nodes] < 0
        goes_left = single[rows, feature[nodes]] <= threshold[nodes]
        nodes = np.where(is_leaf, nodes, np.where(goes_left, left[nodes], right[nodes]))
    return np.asarray(value[nodes])


def correct_for_sampling(probability: Floats, kept: float) -> Floats:
    """Return probabilities as they are among all rows, of those among the rows of which a share was kept."""
    return kept * probability / (kept * probability - probability + 1)


def mean_probability(models: Sequence[BoostedModel], features: Floats) -> Floats:
    """Return the mean of the models; not a number if there are none."""
    if not models:
        return np.full(len(features), np.nan)
    total = np.zeros(len(features))
    for model in models:
        total = total + model.probability(features)
    return total / len(models)
