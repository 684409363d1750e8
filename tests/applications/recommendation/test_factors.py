"""Alternating least squares as dense matrices make it, whatever the batches; what is planted is found."""

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.recommendation.als import read_choices_model, read_factors, read_targets
from podreduce_apps.recommendation.baseline import Baseline
from podreduce_apps.recommendation.factors import PART_ENTRIES, Choices, Ratings, Rows, start_factors
from podreduce_apps.recommendation.matrix import read_rows
from podreduce_apps.recommendation.rank import Rank
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch
from tests.applications.recommendation.factor_data import (
    dense_losses,
    dense_round,
    item_table,
    make_rows,
    plant_ratings,
    run_rounds,
    shop_of,
)
from tests.applications.recommendation.planted import planted_error

IN_ROUNDS = {"alsOneTaskEvents": "0", "alsFactors": "4", "ratingFactors": "3"}


@pytest.fixture(scope="module")
def ratings() -> np.ndarray:
    """Ratings of 60 users. One user has none, one item has a single one."""
    planted = plant_ratings(60, 25, 3, share=0.4, noise=0.3, seed=1)
    planted[7] = np.nan
    planted[:, 11] = np.nan
    planted[20, 11] = 4
    return planted


@pytest.fixture(scope="module")
def chosen(ratings: np.ndarray) -> np.ndarray:
    """What has been chosen: all that is rated, and some more."""
    return np.isfinite(ratings) | (np.random.default_rng(2).random(ratings.shape) < 0.1)


def residuals(ratings: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Ratings without the baseline, as Koren defines it."""
    mean = np.nanmean(ratings)
    items = np.nansum(ratings - mean, axis=0) / (np.isfinite(ratings).sum(axis=0) + 10)
    users = np.nansum(ratings - mean - items, axis=1) / (np.isfinite(ratings).sum(axis=1) + 15)
    assert Baseline(item_table(ratings, chosen)).of_items(np.arange(25)) == pytest.approx(mean + items, abs=1e-5)
    return ratings - mean - items - users[:, None]


def test_rows_hold_what_is_left_of_each_rating_and_both_sides_have_the_same(
    ratings: np.ndarray, chosen: np.ndarray
) -> None:
    users, items = (read_rows(table) for table in make_rows(ratings, chosen, 3))
    by_user = np.full(chosen.shape, np.inf)
    by_user[np.repeat(users.numbers, np.diff(users.offsets)), users.others] = users.values
    by_item = np.full(chosen.shape, np.inf)
    by_item[items.others, np.repeat(items.numbers, np.diff(items.offsets))] = items.values
    np.testing.assert_array_equal(by_user, by_item)
    np.testing.assert_array_equal(by_user != np.inf, chosen[chosen.any(axis=1)])
    expected = residuals(ratings, chosen)[chosen.any(axis=1)]
    np.testing.assert_allclose(by_user[by_user != np.inf], expected[by_user != np.inf], atol=1e-5)


@pytest.mark.parametrize("name", ["choices", "ratings"])
def test_three_rounds_of_jobs_give_the_factors_and_losses_of_dense_matrices(
    ratings: np.ndarray, chosen: np.ndarray, name: str
) -> None:
    states, losses = run_rounds(ratings, chosen, 2, 3, **IN_ROUNDS)
    target = read_targets(default_parameters(**IN_ROUNDS), has_ratings=True)[name]
    rows = read_rows(make_rows(ratings, chosen, 1)[0])
    values = np.full(chosen.shape, np.nan)
    values[np.repeat(rows.numbers, np.diff(rows.offsets)), rows.others] = rows.values
    items = start_factors(25, target.width)
    for state, counted in zip(states[1:], losses, strict=True):
        users, items = dense_round(items, values, chosen, target)
        np.testing.assert_allclose(read_factors(state)[name], items, atol=1e-9)
        assert counted[name] / 2**20 == pytest.approx(dense_losses(users, items, values, chosen, target), rel=1e-6)


def test_no_round_makes_a_loss_larger(ratings: np.ndarray, chosen: np.ndarray) -> None:
    _, losses = run_rounds(ratings, chosen, 1, 12, **IN_ROUNDS, alsRounds="12")
    for name in ("choices", "ratings"):
        counted = [each[name] for each in losses]
        assert counted == sorted(counted, reverse=True)
        assert counted[-1] < counted[0]


@pytest.mark.parametrize("count", [3, 8])
def test_batches_change_no_bit_of_the_factors(ratings: np.ndarray, chosen: np.ndarray, count: int) -> None:
    whole, losses = run_rounds(ratings, chosen, 1, 2, **IN_ROUNDS)
    cut, cut_losses = run_rounds(ratings, chosen, count, 2, **IN_ROUNDS)
    assert cut_losses == losses
    assert [each.sort_by("id") for each in cut] == [each.sort_by("id") for each in whole]


def test_one_task_gives_the_state_from_which_two_rounds_of_jobs_end_as_all_of_them(
    ratings: np.ndarray, chosen: np.ndarray
) -> None:
    def end_of(states: list[pa.Table], losses: list[dict[str, int]]) -> int:
        """After which round the loop of the pipeline ends."""
        for number in range(1, len(losses)):
            before, after = losses[number - 1], losses[number]
            if all(abs(after[name] - before[name]) < 1e-3 * before[name] for name in before):
                return states[number + 1]["round"][0].as_py()
        raise AssertionError("the loop does not end")

    slow = {**IN_ROUNDS, "alsRounds": "30"}
    states, losses = run_rounds(ratings, chosen, 2, 30, **slow)
    end = end_of(states, losses)
    small, small_losses = run_rounds(ratings, chosen, 2, 2, **{**slow, "alsOneTaskEvents": "100000"})
    assert small[0]["round"][0].as_py() == end - 2
    assert end_of(small, small_losses) == end
    assert small[-1].sort_by("id") == states[end].sort_by("id")


def test_after_the_last_round_nothing_changes(ratings: np.ndarray, chosen: np.ndarray) -> None:
    states, losses = run_rounds(ratings, chosen, 2, 4, **IN_ROUNDS, alsRounds="2")
    assert losses[1] == losses[2] == losses[3] != losses[0]
    assert [state.drop_columns(["round"]) for state in states[3:]] == [states[2].drop_columns(["round"])] * 2


def test_without_ratings_there_is_no_model_of_them_and_its_loss_does_not_change(chosen: np.ndarray) -> None:
    states, losses = run_rounds(np.full(chosen.shape, np.nan), chosen, 2, 2, **IN_ROUNDS)
    assert set(states[-1].column_names) == {"id", "choices", "choices_loss", "round"}
    assert [each["ratings"] for each in losses] == [0, 0]


def test_a_popular_item_is_added_up_in_parts_to_the_same() -> None:
    chance = np.random.default_rng(6)
    size = 2 * PART_ENTRIES + 5
    other, values = chance.normal(size=(size, 2)), chance.normal(size=size)
    rows = Rows(numbers=np.array([0]), offsets=np.array([0, size]), others=np.arange(size), values=values)
    left = other.T @ other
    expected = np.linalg.solve(left + 0.3 * size * np.eye(2), other.T @ values)
    assert Ratings(penalty=0.3).solve(rows, other)[0] == pytest.approx(expected, abs=1e-9)
    chosen = np.linalg.solve(left + 4 * left + 7 * np.eye(2), 5 * other.sum(axis=0))
    assert Choices(weight=4, penalty=7).solve(rows, other)[0] == pytest.approx(chosen, abs=1e-9)


def test_what_each_item_of_the_history_adds_makes_up_the_score(ratings: np.ndarray, chosen: np.ndarray) -> None:
    states, _ = run_rounds(ratings, chosen, 1, 3, **IN_ROUNDS)
    model = read_choices_model(states[-1], default_parameters())
    factors = read_factors(states[-1])["choices"]
    for history in (np.flatnonzero(row) for row in chosen[:10] if row.any()):
        known = factors[history]
        inverse = np.linalg.inv(factors.T @ factors + 4 * known.T @ known + 20 * np.eye(4))
        added = 5 * factors @ inverse @ known.T
        assert model.score("u", history) == pytest.approx(added.sum(axis=1), abs=1e-9)
        items = np.flatnonzero(~np.isin(np.arange(25), history))
        assert model.find_reasons(history, items).tolist() == history[added[items].argmax(axis=1)].tolist()
    assert model.score("u", np.zeros(0, np.int64)).tolist() == [0.0] * 25


def test_lists_are_served_from_the_factors(ratings: np.ndarray, chosen: np.ndarray) -> None:
    states, _ = run_rounds(ratings, chosen, 1, 3, **IN_ROUNDS)
    items, nothing = item_table(ratings, chosen), pa.table({"key": [], "value": []})
    items = items.append_column("popularity", items["count"])
    sides = {"items": items, "neighbours": nothing, "ease": nothing, "factors": states[-1]}
    job = Rank()
    job.setup(Given(default_parameters(serve="als"), sides))
    core = shop_of(ratings, chosen)
    core = core.append_column("test_ids", pa.array([[]] * core.num_rows, pa.list_(pa.int32())))
    lists = job.map_batch(one_batch(core)).to_pylist()
    scores = read_factors(states[-1])["choices"]
    for row, known in zip(lists, chosen, strict=True):
        history, order = np.flatnonzero(known), np.array(row["scores"])
        assert row["model"] == "als"
        assert set(row["items"]).isdisjoint(history.tolist())
        assert (np.diff(order) <= 0).all()
        assert {reason for reason, score in zip(row["reasons"], order, strict=True) if score} <= set(history.tolist())
        left = scores.T @ scores + 4 * scores[history].T @ scores[history] + 20 * np.eye(4)
        best = scores @ np.linalg.solve(left, 5 * scores[history].sum(axis=0))
        assert order[0] == pytest.approx(max(np.delete(best, history).max(), 0), abs=1e-9)


def test_planted_factors_are_found() -> None:
    """A small one of those of `make applications`."""
    ours, best = planted_error(users=500, items=250, share=0.3)
    assert best < ours <= best + 0.06
