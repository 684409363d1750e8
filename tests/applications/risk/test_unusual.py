"""Scores without reports beside SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import ecdf, median_abs_deviation, skew
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from podreduce_apps.risk.background import hash_ids
from podreduce_apps.risk.isolation import Tree, average_path, grow_forest, isolation_scores
from podreduce_apps.risk.robust_z import robust_z
from podreduce_apps.risk.unusual import Usual


def draw_sample(seed: int, outliers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of three features, the last of them far out, and which are."""
    random = np.random.default_rng(seed)
    usual = np.column_stack([random.normal(size=1000), random.exponential(size=1000), random.integers(0, 3, 1000)])
    far = np.column_stack(
        [random.normal(0, 3, outliers), random.exponential(4, outliers), random.integers(0, 3, outliers)]
    )
    return np.vstack([usual, far]), np.append(np.zeros(1000), np.ones(outliers))


def make_usual(sample: np.ndarray) -> Usual:
    return Usual([np.sort(column) for column in sample.T], [])


def oracle_ecod(sample: np.ndarray) -> np.ndarray:
    """Return PyOD's sum of the largest tail of each feature, with one more row counted than there is."""
    total, count = np.zeros(len(sample)), len(sample)
    for column in sample.T:
        left = -np.log((ecdf(column).cdf.evaluate(column) * count + 1) / (count + 1))
        right = -np.log((ecdf(-column).cdf.evaluate(-column) * count + 1) / (count + 1))
        sign = np.sign(skew(column))
        by_skew = left * -np.sign(sign - 1) + right * np.sign(sign + 1)
        total += np.maximum(by_skew, np.maximum(left, right))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_ecod_is_the_sum_of_the_largest_tails(seed: int) -> None:
    sample, _ = draw_sample(seed, 50)

    assert np.allclose(make_usual(sample).ecod(sample), oracle_ecod(sample), rtol=0, atol=1e-9)


def test_hbos_is_the_sum_of_the_logarithms_of_the_bins() -> None:
    sample, _ = draw_sample(1, 50)
    expected = np.zeros(len(sample))
    for column in sample.T:
        heights, edges = np.histogram(column, 10)
        places = np.minimum(((column - edges[0]) / (edges[1] - edges[0])).astype(int), 9)
        expected -= np.log2(heights[places] / heights.max() + 0.1)

    assert np.mean(np.isclose(make_usual(sample).hbos(sample), expected, atol=1e-9)) > 0.99  # edges may round
    beyond = np.full((1, 3), 1e6)
    assert make_usual(sample).hbos(beyond)[0] == pytest.approx(3 * np.log2(10))


def test_the_isolation_forest_ranks_as_that_of_scikit_learn() -> None:
    differences = []
    for seed in range(5):
        sample, is_far = draw_sample(seed, 50)
        ours = isolation_scores(grow_forest(sample, seed), sample, len(sample))
        peer = -IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(sample).score_samples(sample)
        differences.append(roc_auc_score(is_far, ours) - roc_auc_score(is_far, peer))

    assert abs(float(np.mean(differences))) < 0.02
    assert 0 < ours.min() < ours.max() < 1


def test_a_forest_is_the_same_for_one_seed_and_survives_being_written() -> None:
    sample, _ = draw_sample(0, 5)
    forest = grow_forest(sample, 3)
    read = [Tree.from_dict(tree.to_dict()) for tree in grow_forest(sample, 3)]

    assert np.array_equal(isolation_scores(forest, sample, 1005), isolation_scores(read, sample, 1005))
    assert not np.array_equal(
        isolation_scores(forest, sample, 1005), isolation_scores(grow_forest(sample, 4), sample, 1005)
    )


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_forest_of_few_or_equal_rows_still_answers(rows: int) -> None:
    sample = np.ones((rows, 2))

    scores = isolation_scores(grow_forest(sample, 1), sample, rows)

    assert np.isfinite(scores).all()
    assert average_path(1) == 0
    assert average_path(2) == 1


@pytest.mark.parametrize("seed", range(3))
def test_robust_z_is_by_the_median_and_mad_of_what_the_card_did_before(seed: int) -> None:
    random = np.random.default_rng(seed)
    amounts = random.integers(-500, 20_000, 300)
    starts = np.repeat([0, 4, 100, 130], [4, 96, 30, 170])
    chosen = np.flatnonzero(random.uniform(size=300) < 0.7)

    found = robust_z(amounts, starts, chosen)

    expected = np.zeros(300)
    for row in chosen:
        history = amounts[max(starts[row], row - 50) : row]
        if len(history) >= 5:
            scale = 1.4826 * median_abs_deviation(history)
            expected[row] = (amounts[row] - np.median(history)) / max(scale, 100, 0.05 * abs(np.median(history)))
    assert np.allclose(found, expected, rtol=0, atol=1e-9)
    assert np.count_nonzero(found) > 150


def test_a_card_that_always_pays_the_same_has_a_finite_score() -> None:
    amounts = np.array([1000] * 10 + [5000])

    found = robust_z(amounts, np.zeros(11, np.int64), np.arange(11))

    assert found.tolist() == [0.0] * 10 + [40.0]


def test_hashes_of_ids_are_spread_evenly() -> None:
    hashes = hash_ids([str(number) for number in range(10_000)])

    assert len(set(hashes.tolist())) == 10_000
    assert np.all(np.abs(np.histogram(hashes, 10, (0, 1 << 52))[0] - 1000) < 150)
