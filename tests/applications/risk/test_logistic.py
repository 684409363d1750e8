"""The regression and its sums beside scikit-learn and `math.fsum`."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from podreduce_apps.risk.exact_sums import exact_sums, to_float
from podreduce_apps.risk.logistic import Newton, Scaler, loss_terms, moment_terms, predict, row_scores

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(FINITE, max_size=50), st.randoms())
def test_sums_are_exact_in_any_order_and_in_any_parts(values: list[float], chance: Any) -> None:
    shuffled = chance.sample(values, len(values))
    cut = chance.randint(0, len(values))

    total = exact_sums(np.array(values).reshape(-1, 1))[0]
    parts = [exact_sums(np.array(part).reshape(-1, 1))[0] for part in (shuffled[:cut], shuffled[cut:])]

    assert sum(parts) == total
    assert to_float(total) == math.fsum(values)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        exact_sums(np.array([[1.0], [value]]))


def fit(features: np.ndarray, target: np.ndarray, inverse_penalty: float, parts: int) -> tuple[Scaler, np.ndarray, int]:
    """Return the scaler, the weights and the rounds, from sums over so many parts of the rows."""
    pieces = np.array_split(np.arange(len(target)), parts)
    moments = [exact_sums(moment_terms(features[piece])) for piece in pieces]
    scaler = Scaler.of_sums(len(target), [sum(each) for each in zip(*moments, strict=True)])
    newton = Newton.begin(features.shape[1])
    for rounds in range(1, 60):
        sums = [exact_sums(loss_terms(scaler.apply(features[piece]), target[piece], newton.beta)) for piece in pieces]
        newton = newton.next([sum(each) for each in zip(*sums, strict=True)], inverse_penalty)
        if np.max(np.abs(newton.step)) < 1e-12:
            return scaler, newton.beta, rounds
    raise AssertionError(f"no convergence, the last step is {newton.step}")


@pytest.mark.parametrize("inverse_penalty", [0.01, 1.0, 100.0])
def test_weights_are_those_of_scikit_learn(inverse_penalty: float) -> None:
    features, target = load_breast_cancer(return_X_y=True)
    peer = LogisticRegression(C=inverse_penalty, solver="newton-cholesky", tol=1e-12, max_iter=200)
    scaled = StandardScaler().fit_transform(features)
    peer.fit(scaled, target)

    scaler, beta, rounds = fit(features, target.astype(float), inverse_penalty, 3)

    assert np.allclose(scaler.apply(features), scaled, rtol=0, atol=1e-9)
    assert np.max(np.abs(beta - np.append(peer.coef_[0], peer.intercept_))) < 1e-8
    assert np.allclose(predict(row_scores(scaler.apply(features), beta)), peer.predict_proba(scaled)[:, 1], atol=1e-9)
    assert rounds <= 15


def test_shards_and_the_order_of_rows_do_not_change_a_digit() -> None:
    features, target = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(target))

    _, one, _ = fit(features, target.astype(float), 1.0, 1)
    _, eight, _ = fit(features[order], target[order].astype(float), 1.0, 8)

    assert one.tobytes() == eight.tobytes()


def test_the_loss_never_rises_where_full_steps_would_go_too_far() -> None:
    features = np.array([[0.0], [1.0], [2.0], [1e4]])
    target = np.array([0.0, 1.0, 0.0, 1.0])
    newton, losses = Newton.begin(1), []
    for _ in range(100):
        newton = newton.next(exact_sums(loss_terms(features, target, newton.beta)), 1e6)
        losses.append(newton.loss)

    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(losses))
    assert np.max(np.abs(newton.step)) < 1e-9


def test_a_feature_that_never_changes_is_left_at_zero() -> None:
    features = np.full((5, 1), 0.1)

    scaler = Scaler.of_sums(5, exact_sums(moment_terms(features)))

    assert scaler.deviation[0] > 0
    assert np.allclose(scaler.apply(features), 0, atol=1e-9)
