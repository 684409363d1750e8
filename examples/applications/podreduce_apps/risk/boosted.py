"""What boosted trees say of a transaction, with numpy alone: `boosting` learns them. Pure.

Leaving out legitimate rows makes fraud look more frequent. What a model says is corrected for that (Dal Pozzolo et al.
2015): p = b p_s / (b p_s - p_s + 1), with b the share of legitimate rows that were kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from podreduce_apps.risk.logistic import predict

__all__ = ["DEPTH", "LEARNING_RATE", "BoostedModel", "correct_for_sampling", "mean_probability"]

DEPTH, LEARNING_RATE = 3, 0.1

Floats = npt.NDArray[np.float64]


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
