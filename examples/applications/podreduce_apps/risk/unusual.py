"""Scores that need no reports: how unusual a row is beside the background sample. Pure.

ECOD (Li et al. 2022) adds up how far out each value lies by the sample's own distribution; HBOS (Goldstein and Dengel
2012) how rare its bin is; the isolation forest looks at all features together; z only at the card's own amounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from podreduce_apps.risk.isolation import Tree, isolation_scores

__all__ = ["UNUSUAL", "Usual"]

UNUSUAL = {"ecod": "ECOD", "hbos": "HBOS", "isolation": "isolation forest"}
HISTOGRAM_BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Usual:
    """What the background sample says about each feature.

    Attributes:
        columns: its sorted values, of one feature after the other.
        forest: the isolation forest.
    """

    columns: Sequence[Floats]
    forest: list[Tree]

    @classmethod
    def read(cls, background: Mapping[str, Any]) -> "Usual":
        """Return what the step `background` has written."""
        return cls(
            [np.array(values) for values in background["sorted"].values()],
            [Tree.from_dict(tree) for tree in background["forest"]],
        )

    def scores(self, features: Floats) -> dict[str, Floats]:
        """Return each score of each row; higher is more unusual."""
        return {
            "ecod": self.ecod(features),
            "hbos": self.hbos(features),
            "isolation": isolation_scores(self.forest, features, len(self.columns[0])),
        }

    def ecod(self, features: Floats) -> Floats:
        """Return the sum over the features of the largest of three tail scores, as PyOD has it.

        The tails are those on the left, on the right, and on the side to which the feature is skewed.
        """
        total = np.zeros(len(features))
        for column, values in zip(self.columns, features.T, strict=True):
            left, right = tails(column, values)
            skewed = left if skewness(column) < 0 else right
            total = total + np.maximum(np.maximum(left, right), skewed if skewness(column) else (left + right))
        return total

    def hbos(self, features: Floats) -> Floats:
        """Return the sum over the features of -log2 of the density of the value's bin, of ten bins of one width."""
        total = np.zeros(len(features))
        for column, values in zip(self.columns, features.T, strict=True):
            total = total - np.log2(bin_densities(column, values) + 0.1)
        return total


def tails(column: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return -log of the shares of the sample that are at most, and at least, each value.

    One more is counted than there is, so that a value beyond the whole sample has a finite score.
    """
    count = len(column)
    at_most = np.searchsorted(column, values, side="right")
    at_least = count - np.searchsorted(column, values, side="left")
    return -np.log((at_most + 1) / (count + 1)), -np.log((at_least + 1) / (count + 1))


def skewness(column: Floats) -> float:
    """Return on which side the tail is: negative on the left, 0 on neither."""
    deviations = column - column.mean()
    return float(np.sign(np.sum(deviations**3)))


def bin_densities(column: Floats, values: Floats) -> Floats:
    """Return the height of each value's bin, 1 for the highest one; 0 outside of all."""
    heights, edges = np.histogram(column, HISTOGRAM_BINS)
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, HISTOGRAM_BINS - 1)
    inside = (values >= edges[0]) & (values <= edges[-1])
    return np.where(inside, heights[places] / heights.max(), 0.0)
