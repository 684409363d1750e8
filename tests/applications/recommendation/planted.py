"""Ratings whose factors are planted, and how far those that are found miss the ratings that are held back."""

import numpy as np
import pyarrow as pa

from podreduce_apps.recommendation.als import read_targets, solve_rounds
from podreduce_apps.recommendation.factors import start_factors
from podreduce_apps.recommendation.leaderboard import read_sums
from podreduce_apps.recommendation.lists import build_lists
from podreduce_apps.recommendation.matrix import sorted_rows
from podreduce_apps.recommendation.rate import Rate
from podreduce_apps.recommendation.rating_errors import rating_errors
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch
from tests.applications.recommendation.factor_data import item_table, make_rows, plant_ratings, shop_of

__all__ = ["planted_error"]

RANK = 5
NOISE = 0.5
ROUNDS = 10


def planted_error(*, users: int, items: int, share: float) -> tuple[float, float]:
    """The root mean square error of the factors after ten rounds, and that of the planted ones, which are the best."""
    ratings, truth = (plant_ratings(users, items, RANK, share=share, noise=noise, seed=8) for noise in (NOISE, 0))
    is_rated = np.isfinite(ratings)
    is_train = is_rated & (np.random.default_rng(9).random(ratings.shape) < 0.8)
    is_test = is_rated & ~is_train
    sides = {"items": item_table(ratings, is_train), "factors": find_factors(ratings, is_train)}
    job = Rate()
    job.setup(Given(planted_parameters(), sides))
    sums = job.map_batch(one_batch(with_tests(shop_of(ratings, is_train), ratings, is_test)))
    assert sums is not None
    found = rating_errors(read_sums(dict(zip(*sums.to_pydict().values(), strict=True))))["als"]
    assert found.ratings == is_test.sum()
    return found.root_mean_square, float(np.sqrt(np.mean((ratings - truth)[is_test] ** 2)))


def planted_parameters() -> dict[str, str]:
    """As many factors as are planted, and all rounds."""
    return default_parameters(ratingFactors=str(RANK), ratingPenalty="0.02", alsRounds=str(ROUNDS))


def find_factors(ratings: np.ndarray, is_train: np.ndarray) -> pa.Table:
    """What the loop ends with, of the model of ratings alone."""
    target = {"ratings": read_targets(planted_parameters(), has_ratings=True)["ratings"]}
    users, raters = (sorted_rows(table) for table in make_rows(ratings, is_train, 1))
    start = {"ratings": start_factors(is_train.shape[1], RANK)}
    factors = solve_rounds(target, users, raters, start, ROUNDS)[-1][0]["ratings"]
    lists = build_lists(np.arange(len(factors) + 1) * RANK, factors.ravel())
    return pa.table({"id": np.arange(len(factors)), "choices": lists, "ratings": lists})


def with_tests(core: pa.Table, ratings: np.ndarray, is_test: np.ndarray) -> pa.Table:
    """The table with the ratings to predict."""
    offsets = np.concatenate(([0], np.cumsum(is_test.sum(axis=1)))).astype(np.int64)
    tests = {"test_ids": np.nonzero(is_test)[1].astype(np.int32), "test_values": ratings[is_test]}
    for name, values in tests.items():
        core = core.append_column(name, build_lists(offsets, values))
    return core
