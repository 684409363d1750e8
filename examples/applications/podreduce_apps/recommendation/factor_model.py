"""The model of `als` that recommends. It makes a user's factors from the history, so it needs those of items alone."""

import numpy as np

from podreduce_apps.recommendation.factors import Choices, Floats, Rows
from podreduce_apps.recommendation.lists import Ints

__all__ = ["FactorModel", "one_row"]


class FactorModel:
    """An item's score is the product of its factors and those of the user: about 1 for what a user would choose."""

    def __init__(self, factors: Floats, objective: Choices) -> None:
        """`factors`: items by factors, as `als.ItemFactors` has them."""
        self.factors, self.objective = factors, objective
        self.ridge = factors.T @ factors + objective.penalty * np.eye(factors.shape[1])

    def score(self, _user: str, history: Ints) -> Floats:
        """Return how well each item fits the factors that fit the history."""
        return np.asarray(self.factors @ self.objective.solve(one_row(history), self.factors)[0])

    def find_reasons(self, history: Ints, items: Ints) -> Ints:
        """Return the item of the history that adds most to each score (Hu, Koren and Volinsky 2008, section 5)."""
        known = self.factors[history]
        added = self.factors[items] @ np.linalg.solve(self.ridge + self.objective.weight * known.T @ known, known.T)
        return np.asarray(history[added.argmax(axis=1)])


def one_row(others: Ints, values: Floats | None = None) -> Rows:
    """Return a user's row; without values nothing is rated."""
    found = np.full(len(others), np.nan) if values is None else values
    return Rows(numbers=np.zeros(1, np.int64), offsets=np.array([0, len(others)]), others=others, values=found)
