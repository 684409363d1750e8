"""Predicted ratings and their errors, as plain numpy has them."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.recommendation.clean import read_ratings
from podreduce_apps.recommendation.leaderboard import read_sums
from podreduce_apps.recommendation.lists import build_lists
from podreduce_apps.recommendation.rate import Rate
from podreduce_apps.recommendation.rating_errors import RatingError, rating_errors
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch
from tests.applications.recommendation.factor_data import item_table, plant_ratings, shop_of

USERS, ITEMS, RANK = 40, 20, 2
UNKNOWN = -1


def shop() -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray, list[list[int]]]:
    """The step core with tests, the ratings, which are known, the items' factors, and what is to be predicted."""
    ratings = plant_ratings(USERS, ITEMS, RANK, share=0.5, noise=0.5, seed=3)
    known = np.isfinite(ratings) & (np.random.default_rng(4).random(ratings.shape) < 0.7)
    tests = [
        [*np.flatnonzero(np.isfinite(row) & ~own).tolist(), UNKNOWN] for row, own in zip(ratings, known, strict=True)
    ]
    tests[5] = []
    truth = [[4.5 if item == UNKNOWN else row[item] for item in test] for row, test in zip(ratings, tests, strict=True)]
    offsets = np.concatenate(([0], np.cumsum([len(test) for test in tests]))).astype(np.int64)
    core = shop_of(ratings, known)
    for name, parts in (("test_ids", tests), ("test_values", truth)):
        core = core.append_column(name, build_lists(offsets, np.concatenate([np.array(part) for part in parts])))
    return core, ratings, known, np.random.default_rng(5).normal(size=(ITEMS, RANK)), tests


def run_rate(core: pa.Table, items: pa.Table, factors: np.ndarray, batches: int) -> dict[str, RatingError]:
    lists = build_lists(np.arange(ITEMS + 1) * RANK, factors.ravel())
    sides = {"items": items, "factors": pa.table({"id": np.arange(ITEMS), "choices": lists, "ratings": lists})}
    job, sums = Rate(), Counter[str]()
    job.setup(Given(default_parameters(ratingPenalty="0.3"), sides))
    for part in np.array_split(np.arange(core.num_rows), batches):
        table = job.map_batch(one_batch(core.take(pa.array(part))))
        sums.update(dict(zip(*table.to_pydict().values(), strict=True)))  # type: ignore[union-attr]
    return rating_errors(read_sums(sums))


def test_errors_and_intervals_are_those_of_plain_numpy_whatever_the_batches() -> None:
    core, ratings, known, factors, tests = shop()
    items = item_table(ratings, known)
    found = run_rate(core, items, factors, 1)
    assert found == run_rate(core, items, factors, 3) == run_rate(core, items, factors, 8)
    train = np.where(known, ratings, np.nan)
    mean = items["rating_sum"].to_numpy().sum() / 2**20 / known.sum()
    of_items = (items["rating_sum"].to_numpy() / 2**20 - known.sum(axis=0) * mean) / (known.sum(axis=0) + 10)
    errors: dict[str, list[np.ndarray]] = {"als": [], "baseline": []}
    for row, test, truth in zip(train, tests, core["test_values"].to_pylist(), strict=True):
        own = np.flatnonzero(np.isfinite(row))
        level = (row[own] - mean - of_items[own]).sum() / (len(own) + 15)
        left = row[own] - mean - of_items[own] - level
        taste = np.linalg.inv(factors[own].T @ factors[own] + 0.3 * len(own) * np.eye(RANK)) @ factors[own].T @ left
        base = np.array([mean + level + (of_items[item] if item != UNKNOWN else 0) for item in test])
        gain = np.array([factors[item] @ taste if item != UNKNOWN else 0 for item in test])
        if test:
            errors["baseline"].append(truth - base)
            errors["als"].append(truth - base - gain)
    for model, parts in errors.items():
        flat, sizes = np.concatenate(parts), np.array([len(part) for part in parts])
        root = np.sqrt(np.mean(flat**2))
        assert found[model].root_mean_square == pytest.approx(root, abs=1e-9)
        assert found[model].mean_absolute == pytest.approx(np.abs(flat).mean(), abs=1e-9)
        deviations = np.array([(part**2).sum() for part in parts]) - root**2 * sizes
        half = 1.959963984540054 * np.sqrt((deviations**2).sum() * len(parts) / (len(parts) - 1)) / len(flat) / root / 2
        assert found[model].half_width == pytest.approx(half, abs=1e-9)
    assert list(found) == sorted(found, key=lambda model: found[model].root_mean_square)


def test_errors_of_the_largest_ratings_do_not_overflow() -> None:
    core, ratings, known, factors, _ = shop()
    far = [[-1000.0] * len(test) for test in core["test_values"].to_pylist()]
    core = core.set_column(core.schema.get_field_index("test_values"), "test_values", pa.array(far))
    assert 990 < run_rate(core, item_table(ratings, known), factors, 1)["als"].root_mean_square < 1010


@pytest.mark.parametrize(
    ("text", "rating"),
    [("4", 4), ("3.5", 3.5), ("-2", -2), ("1000", 1000), ("1000.5", None), ("99999", None), ("", None), ("good", None)],
)
def test_a_rating_is_a_number_of_a_usual_size(text: str, rating: float | None) -> None:
    found = read_ratings(pa.array([text])).to_pylist()[0]
    assert found == rating if rating is not None else np.isnan(found)
