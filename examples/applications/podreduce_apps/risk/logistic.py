"""Logistic regression with an L2 penalty, as sums over rows and Newton steps. Pure.

The loss is that of scikit-learn's `LogisticRegression(C)` on standardised features: the sum of the log losses plus
|weights|^2 / 2C, the intercept not counted. Its minimum is unique, so the result is exact and needs no seed.

Products are added column by column, not by BLAS, whose last digit depends on how many rows it gets at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from podreduce_apps.risk.exact_sums import to_float

__all__ = ["Newton", "Scaler", "loss_terms", "moment_terms", "predict", "row_scores"]

Floats = npt.NDArray[np.float64]
SMALLEST_STEP_SHARE = 2.0**-20


@dataclass(frozen=True, slots=True)
class Scaler:
    """How features become comparable: minus their mean, by their standard deviation (1 if they never change)."""

    mean: list[float]
    deviation: list[float]

    @classmethod
    def of_sums(cls, count: int, sums: list[int]) -> "Scaler":
        """Return the scaler of the exact sums of `moment_terms`: of the values, then of their squares."""
        half = len(sums) // 2
        mean, deviation = [], []
        for total, squares in zip(sums[:half], sums[half:], strict=True):
            # In whole numbers up to the last division: a variance is a small difference of large numbers.
            variance = (squares * count * (1 << 1074) - total * total) / (count * count * (1 << 2148))
            mean.append(to_float(total) / count)
            deviation.append(float(np.sqrt(max(variance, 0.0))) or 1.0)
        return cls(mean, deviation)

    def apply(self, features: Floats) -> Floats:
        """Return the features, standardised."""
        return np.asarray((features - np.array(self.mean)) / np.array(self.deviation))


def moment_terms(features: Floats) -> Floats:
    """Return what is added up for a scaler: the features and their squares."""
    return np.column_stack([features, features * features])


def row_scores(scaled: Floats, beta: Floats) -> Floats:
    """Return the log odds of each row; the intercept is the last of beta."""
    scores = np.full(len(scaled), beta[-1])
    for column, weight in zip(scaled.T, beta[:-1], strict=True):
        scores = scores + column * weight
    return scores


def predict(scores: Floats) -> Floats:
    """Return probabilities of log odds, without overflow."""
    small = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1 / (1 + small), small / (1 + small))


def loss_terms(scaled: Floats, fraud: Floats, beta: Floats) -> Floats:
    """Return, a row for each row, the log loss, its gradient (d + 1), and the upper triangle of its Hessian."""
    scores = row_scores(scaled, beta)
    probability = predict(scores)
    loss = np.logaddexp(0, scores) - fraud * scores
    design = np.column_stack([scaled, np.ones(len(scaled))])
    gradient = design * (probability - fraud)[:, None]
    weighted = design * (probability * (1 - probability))[:, None]
    rows, columns = np.triu_indices(design.shape[1])
    return np.column_stack([loss, gradient, weighted[:, rows] * design[:, columns]])


@dataclass(frozen=True, slots=True)
class Newton:
    """Where the search for the minimum stands.

    Attributes:
        beta: the weights at which the next sums are to be made; the intercept is the last.
        step: how beta came from the one before.
        loss: the loss of the one before; infinite at first.
    """

    beta: Floats
    step: Floats
    loss: float

    @classmethod
    def begin(cls, features: int) -> "Newton":
        """Return the start: all weights 0."""
        return cls(np.zeros(features + 1), np.zeros(features + 1), np.inf)

    def next(self, sums: list[int], inverse_penalty: float) -> "Newton":
        """Return the state after a step, from the exact sums of `loss_terms` at beta.

        A step that has raised the loss is halved instead, so that the loss never rises.
        """
        size = len(self.beta)
        penalty = np.append(np.full(size - 1, 1 / inverse_penalty), 0.0)
        loss = to_float(sums[0]) + float(np.sum(penalty * self.beta**2)) / 2
        if loss > self.loss and float(np.max(np.abs(self.step))) > SMALLEST_STEP_SHARE:
            return Newton(self.beta - self.step / 2, self.step / 2, self.loss)
        gradient = np.array([to_float(each) for each in sums[1 : size + 1]]) + penalty * self.beta
        hessian = np.zeros((size, size))
        hessian[np.triu_indices(size)] = [to_float(each) for each in sums[size + 1 :]]
        hessian = hessian + np.triu(hessian, 1).T + np.diag(penalty)
        step: Floats = -np.linalg.solve(hessian, gradient).astype(np.float64)
        return Newton(self.beta + step, step, loss)
