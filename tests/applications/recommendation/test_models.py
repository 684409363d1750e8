"""Neighbour lists and recommendations as dense numpy makes them, ties by id; EASE by its definition."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce_apps.recommendation.basket_counts import BasketCounts
from podreduce_apps.recommendation.ease import solve_ease
from podreduce_apps.recommendation.lists import Ints, build_lists
from podreduce_apps.recommendation.models import (
    NO_REASON,
    EaseModel,
    Model,
    NeighbourModel,
    Popularity,
    RandomModel,
    rank_items,
)
from podreduce_apps.recommendation.neighbours import Neighbours
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

ITEMS = 25


def draw_matrix(seed: int, users: int = 60) -> np.ndarray:
    """Which user has which item: 0 or 1, by users and items."""
    chance = np.random.default_rng(seed)
    return (chance.random((users, ITEMS)) < chance.uniform(0.05, 0.5, ITEMS)).astype(np.int64)


def as_core(matrix: np.ndarray) -> pa.Table:
    offsets = np.concatenate(([0], np.cumsum(matrix.sum(axis=1)))).astype(np.int64)
    lists = build_lists(offsets, np.nonzero(matrix)[1].astype(np.int32))
    users = [f"u{number}" for number in range(len(matrix))]
    return pa.table({"user": users, "ids": lists, "is_kept": matrix.sum(axis=1) > 0})


def run_neighbours(core: pa.Table, batches: int, **changed: str) -> dict[int, dict[str, list[float]]]:
    """What the job yields, with its input in so many batches."""
    job = Neighbours()
    counts = BasketCounts()
    counts.setup(Given(default_parameters(**changed)))
    parts = [one_batch(core.take(pa.array(part))) for part in np.array_split(np.arange(core.num_rows), batches)]
    counted = pa.concat_tables([counts.map_batch(part) for part in parts]).group_by("key").aggregate([("value", "sum")])
    sides = {
        "items": pa.table({"id": np.arange(ITEMS, dtype=np.int32)}),
        "counts": counted.rename_columns(["key", "value"]),
    }
    job.setup(Given(default_parameters(**changed), sides))
    values: dict[int, list[bytes]] = {}
    for mapped in (table for part in parts for table in job.map_batch(part)):
        for block, value in zip(*mapped.to_pydict().values(), strict=True):
            values.setdefault(block, []).append(value)
    return {item: found for block in sorted(values) for item, found in job.reduce_func(block, values[block])}


def dense_lists(matrix: np.ndarray, most: int) -> Iterator[tuple[int, list[int], list[float]]]:
    counts = matrix.T @ matrix
    with np.errstate(invalid="ignore"):
        cosines = np.nan_to_num(counts / np.sqrt(np.outer(np.diag(counts), np.diag(counts))))
    np.fill_diagonal(cosines, 0)
    for item, row in enumerate(cosines):
        order = [place for place in np.lexsort((np.arange(ITEMS), -row)) if row[place] > 0][:most]
        yield item, [int(place) for place in order], row[order].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_those_of_a_dense_matrix_however_the_input_is_cut(seed: int) -> None:
    matrix = draw_matrix(seed)
    core = as_core(matrix)
    whole = run_neighbours(core, 1, neighbours="6")
    for item, ids, scores in dense_lists(matrix, 6):
        found = whole.get(item, {"ids": [], "scores": []})
        assert found["ids"] == ids
        assert found["scores"] == pytest.approx(scores, abs=1e-12)
    for batches in (3, 8):
        assert run_neighbours(core, batches, neighbours="6") == whole
        sampled = run_neighbours(core, batches, neighbours="6", itemsPerBasket="3")
        assert sampled == run_neighbours(core, 1, neighbours="6", itemsPerBasket="3")


@cache
def neighbours_of(seed: int) -> pa.Table:
    """What the step `similar` gives for eight users."""
    return neighbour_table(draw_matrix(seed, users=8))


def neighbour_table(matrix: np.ndarray) -> pa.Table:
    found = run_neighbours(as_core(matrix), 1, neighbours="6")
    kind = pa.struct([("ids", pa.list_(pa.int64())), ("scores", pa.list_(pa.float64()))])
    return pa.table({"key": list(found), "value": pa.array(list(found.values()), kind)})


@pytest.mark.parametrize("seed", range(3))
def test_a_list_holds_the_best_sums_of_similarities_and_names_the_most_similar_item(seed: int) -> None:
    matrix = draw_matrix(seed)
    weights = np.zeros((ITEMS, ITEMS))  # from an item of the history to an item that has it among its nearest
    for item, ids, scores in dense_lists(matrix, 6):
        weights[ids, item] = scores
    model = NeighbourModel(neighbour_table(matrix), ITEMS)
    popularity = Popularity(matrix.sum(axis=0), matrix.sum(axis=0))
    for row in matrix[:20]:
        history = np.flatnonzero(row)
        sums = weights[history].sum(axis=0)
        sums[history] = 0
        expected = [item for item in np.lexsort((np.arange(ITEMS), -np.round(sums, 12))) if sums[item] > 0][:5]
        ranking = rank_items(model, popularity, "u", history, 5)
        assert ranking.scores[: len(expected)] == pytest.approx(sums[expected], abs=1e-12)
        assert np.round(sums[ranking.items[: len(expected)]], 9).tolist() == np.round(sums[expected], 9).tolist()
        for item, reason in zip(ranking.items, ranking.reasons, strict=True):
            if sums[item] > 0:
                assert weights[reason, item] == weights[history, item].max()
                assert reason in history


@settings(max_examples=30)
@given(st.integers(0, 5), st.sets(st.integers(0, ITEMS - 1)), st.integers(1, ITEMS), st.sampled_from("knrpe"))
def test_a_list_is_full_has_no_item_twice_and_none_that_the_user_has(
    seed: int, had: set[int], length: int, kind: str
) -> None:
    matrix = draw_matrix(seed, users=8)
    counts = matrix.sum(axis=0)
    popularity = Popularity(counts, counts)
    gram = (matrix.T @ matrix).astype(np.int32)
    models: dict[str, Model] = {
        "k": NeighbourModel(neighbours_of(seed), ITEMS),
        "n": NeighbourModel(pa.table({"key": [], "value": []}), ITEMS),
        "r": RandomModel(ITEMS),
        "p": popularity,
        "e": EaseModel(solve_ease(gram, 5.0).astype(np.float32)),
    }
    history: Ints = np.array(sorted(had), np.int64)
    ranking = rank_items(models[kind], popularity, "somebody", history, length)
    assert len(ranking.items) == len(set(ranking.items.tolist())) == min(length, ITEMS - len(had))
    assert not set(ranking.items.tolist()) & had
    assert len(ranking.scores) == len(ranking.reasons) == len(ranking.items)
    assert set(ranking.reasons.tolist()) <= had | {NO_REASON}
    assert ranking.scores.tolist() == sorted(ranking.scores.tolist(), reverse=True)


def test_ease_minimises_its_own_objective() -> None:
    """Each column of B is a ridge regression on the other items, which is how EASE is defined."""
    matrix = draw_matrix(11).astype(float)
    weights = solve_ease((matrix.T @ matrix).astype(np.int32), 7.0)
    for item in range(ITEMS):
        others = [other for other in range(ITEMS) if other != item]
        x = matrix[:, others]
        ridge = np.linalg.solve(x.T @ x + 7.0 * np.eye(ITEMS - 1), x.T @ matrix[:, item])
        assert weights[others, item] == pytest.approx(ridge, abs=1e-9)
        assert weights[item, item] == 0
