"""Isolation forest (Liu, Ting, Zhou 2008): what random cuts separate from the rest in few steps is unusual. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Tree", "grow_forest", "isolation_scores"]

TREES, ROWS_A_TREE = 100, 256
EULER = 0.5772156649015329
SHORT_PATHS = {0: 0.0, 1: 0.0, 2: 1.0}

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree as arrays over its nodes; node 0 is the root, and a leaf has itself as its children.

    Attributes:
        feature: which one is compared; of a leaf 0.
        threshold: a smaller value goes left.
        left: the node on the left; `right` likewise.
        length: the length of the path that ends at a leaf, with what its rows would still have taken.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    length: Floats

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the tree as lists."""
        return {name: getattr(self, name).tolist() for name in ("feature", "threshold", "left", "right", "length")}

    @classmethod
    def from_dict(cls, lists: dict[str, list[Any]]) -> "Tree":
        """Return the tree of `to_dict`."""
        return cls(**{name: np.array(values) for name, values in lists.items()})

    def path_lengths(self, features: Floats, depth: int) -> Floats:
        """Return how far each row goes; no path is longer than `depth`."""
        nodes, rows = np.zeros(len(features), np.int64), np.arange(len(features))
        for _ in range(depth):
            goes_left = features[rows, self.feature[nodes]] < self.threshold[nodes]
            nodes = np.where(goes_left, self.left[nodes], self.right[nodes])
        return self.length[nodes]


def grow_forest(sample: Floats, seed: int) -> list[Tree]:
    """Return the trees over a sample: the same for the same sample and seed."""
    random = np.random.default_rng(seed)
    rows = min(ROWS_A_TREE, len(sample))
    return [grow_tree(sample[random.choice(len(sample), rows, replace=False)], random) for _ in range(TREES)]


def grow_tree(rows: Floats, random: np.random.Generator) -> Tree:
    """Return a tree that cuts rows at random until each is alone, or as deep as a balanced tree would be."""
    nodes: list[list[float]] = []
    most = depth_of(len(rows))

    def grow(part: Floats, depth: int) -> int:
        number = len(nodes)
        nodes.append([0, 0.0, number, number, depth + average_path(len(part))])
        low, high = part.min(axis=0), part.max(axis=0)
        varying = np.flatnonzero(high > low)
        if depth < most and len(varying):
            feature = int(random.choice(varying))
            threshold = float(random.uniform(low[feature], high[feature]))
            is_left = part[:, feature] < threshold
            if is_left.any() and not is_left.all():
                nodes[number] = [
                    feature,
                    threshold,
                    grow(part[is_left], depth + 1),
                    grow(part[~is_left], depth + 1),
                    0.0,
                ]
        return number

    grow(rows, 0)
    feature, threshold, left, right, length = zip(*nodes, strict=True)
    return Tree(
        np.array(feature, np.int64),
        np.array(threshold),
        np.array(left, np.int64),
        np.array(right, np.int64),
        np.array(length, np.float64),
    )


def depth_of(rows: int) -> int:
    """Return how deep a balanced tree of so many rows is."""
    return int(np.ceil(np.log2(max(rows, 2))))


def average_path(rows: int) -> float:
    """Return the mean length of a path in a search tree of so many rows: c(n) of the paper."""
    if rows in SHORT_PATHS:
        return SHORT_PATHS[rows]
    return 2 * (float(np.log(rows - 1)) + EULER) - 2 * (rows - 1) / rows


def isolation_scores(forest: list[Tree], features: Floats, sample_rows: int) -> Floats:
    """Return a score of each row in 0 to 1: the higher, the more unusual."""
    rows = min(ROWS_A_TREE, sample_rows)
    total = np.zeros(len(features))
    for tree in forest:
        total = total + tree.path_lengths(features, depth_of(rows))
    return np.asarray(2.0 ** (-total / len(forest) / max(average_path(rows), 1e-12)))
