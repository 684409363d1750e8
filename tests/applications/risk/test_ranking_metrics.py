"""The figures beside scikit-learn, with many equal scores; card precision beside a case worked by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from podreduce_apps.risk.evaluation import cost_curve
from podreduce_apps.risk.ranking_metrics import (
    calibration_bins,
    card_precision,
    expected_calibration_error,
    ranking_curve,
)


@pytest.mark.parametrize("levels", [2, 5, 1000, 10**9])
@pytest.mark.parametrize("seed", range(4))
def test_auc_and_average_precision_are_those_of_scikit_learn(seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    fraud = (random.uniform(size=500) < 0.1).astype(np.int8)
    scores = random.integers(0, levels, 500) / levels + fraud * random.uniform(size=500).round(1) / 2

    curve = ranking_curve(scores, fraud)

    assert curve.auc() == pytest.approx(roc_auc_score(fraud, scores), abs=1e-12)
    assert curve.average_precision() == pytest.approx(average_precision_score(fraud, scores), abs=1e-12)


@pytest.mark.parametrize("fraud", [[0, 0], [1, 1], []])
def test_a_ranking_of_one_kind_only_is_refused(fraud: list[int]) -> None:
    with pytest.raises(ValueError, match="needs both kinds"):
        ranking_curve(np.linspace(0, 1, len(fraud)), np.array(fraud, np.int8))


DAYS = np.array([1, 1, 1, 1, 2, 2, 2])
CARDS = np.array([7, 8, 9, 7, 7, 8, 9])
SCORES = np.array([0.9, 0.8, 0.1, 0.2, 0.9, 0.3, 0.5])
FRAUD = np.array([0, 0, 1, 1, 1, 0, 1], np.int8)


@pytest.mark.parametrize(
    ("found_leave", "expected"),
    [
        pytest.param(False, [1 / 2, 2 / 2], id="day 1: 7 and 8, 7 is misused; day 2: 7 and 9, both are"),
        pytest.param(True, [1 / 2, 1 / 2], id="day 2: 7 was found on day 1, so 9 and 8"),
    ],
)
def test_card_precision_of_a_case_by_hand(*, found_leave: bool, expected: list[float]) -> None:
    mean, by_day = card_precision(DAYS, CARDS, SCORES, FRAUD, 2, found_leave=found_leave)

    assert by_day == expected
    assert mean == sum(expected) / 2


def test_calibration_of_a_model_that_is_right_has_no_error() -> None:
    probability = np.repeat([0.0, 0.5], 10)
    fraud = np.array([0] * 10 + [0, 1] * 5, np.int8)

    bins = calibration_bins(probability, fraud, 2)

    assert bins == [(10, 0.0, 0.0), (10, 0.5, 0.5)]
    assert expected_calibration_error(bins) == 0


def test_the_lowest_cost_is_where_alerts_cost_more_than_they_save() -> None:
    cost = cost_curve(
        np.array([0.9, 0.8, 0.7]), np.array([1, 1, 0], np.int8), np.array([10_000, 5_000, 2_000]), alert_cost=10
    )

    assert (cost["withoutAlerts"], cost["lowest"], cost["alertsAtLowest"]) == (150.0, 20.0, 2)
