"""Matrices to factor, the jobs of the application on them, and the same by dense matrices."""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.recommendation.als import ItemFactors, StartFactors, Target, UserFactors
from podreduce_apps.recommendation.baseline import RATING_UNIT
from podreduce_apps.recommendation.factors import Choices, Floats, Ratings
from podreduce_apps.recommendation.lists import build_lists
from podreduce_apps.recommendation.matrix import ItemRows, UserRows
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

__all__ = ["dense_losses", "dense_round", "item_table", "make_rows", "plant_ratings", "run_rounds", "shop_of"]


def plant_ratings(users: int, items: int, rank: int, *, share: float, noise: float, seed: int) -> np.ndarray:
    """Ratings from planted factors, with noise; NaN where there is none. Some items have far more than others."""
    chance = np.random.default_rng(seed)
    tastes, kinds = chance.normal(size=(users, rank)), chance.normal(size=(items, rank)) / np.sqrt(rank)
    popularity = 1 / (np.arange(items) + items / 10)
    is_rated = chance.random((users, items)) < np.minimum(share * items * popularity / popularity.sum(), 0.9)
    ratings = 3.5 + tastes @ kinds.T + noise * chance.normal(size=(users, items))
    return np.where(is_rated, ratings, np.nan)


def shop_of(ratings: np.ndarray, chosen: np.ndarray) -> pa.Table:
    """What the step `core` has of users who chose items, and rated some of them."""
    sizes = chosen.sum(axis=1)
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return pa.table(
        {
            "user": [f"u{number:05d}" for number in range(len(chosen))],
            "ids": build_lists(offsets, np.nonzero(chosen)[1].astype(np.int32)),
            "values": build_lists(offsets, ratings[chosen]),
            "is_kept": sizes > 0,
        }
    )


def item_table(ratings: np.ndarray, chosen: np.ndarray) -> pa.Table:
    """What the step `items` has."""
    rated = np.where(chosen, ratings, np.nan)
    return pa.table(
        {
            "id": np.arange(chosen.shape[1], dtype=np.int32),
            "count": chosen.sum(axis=0),
            "ratings": np.isfinite(rated).sum(axis=0),
            "rating_sum": np.rint(np.nan_to_num(rated) * RATING_UNIT).astype(np.int64).sum(axis=0),
        }
    )


def batches(table: pa.Table, count: int) -> list[Any]:
    """The table in so many batches."""
    return [one_batch(table.take(pa.array(part))) for part in np.array_split(np.arange(table.num_rows), count)]


def make_rows(ratings: np.ndarray, chosen: np.ndarray, count: int) -> tuple[pa.Table, pa.Table]:
    """What `user-rows` and `item-rows` write, with their inputs in so many batches, which reach them in any order."""
    rows, sides = UserRows(), {"items": item_table(ratings, chosen)}
    rows.setup(Given(sides=sides))
    mapped = [rows.map_batch(part) for part in reversed(batches(shop_of(ratings, chosen), count))]
    users = rows.reduce_batch(one_batch(pa.concat_tables(mapped).sort_by("key")))
    turned, values = ItemRows(), {}
    for part in batches(users, count):
        for item, value in zip(*turned.map_batch(part).to_pydict().values(), strict=True):  # type: ignore[union-attr]
            values.setdefault(item, []).append(value)
    found = [pair for item in sorted(values) for pair in turned.reduce_func(item, values[item])]
    return users, pa.table({"key": [key for key, _ in found], "value": pa.array([row for _, row in found])})


def run_rounds(
    ratings: np.ndarray, chosen: np.ndarray, count: int, rounds: int, **changed: str
) -> tuple[list[pa.Table], list[dict[str, int]]]:
    """The states before and after each round, and the losses that are counted; inputs come in so many batches."""
    parameters = default_parameters(**changed)
    users, raters = make_rows(ratings, chosen, count)
    items = item_table(ratings, chosen)
    start = StartFactors()
    start.setup(Given(parameters, {"items": items, "users": users, "raters": raters}))
    states, losses = [pa.concat_tables([start.map_batch(part) for part in batches(items, count)])], []
    for _ in range(rounds):
        given = Given(parameters, {"factors": states[-1]})
        first = UserFactors()
        first.setup(given)
        given.sides["users"] = pa.concat_tables([first.map_batch(part) for part in batches(users, count)])
        second = ItemFactors()
        second.setup(given)
        states.append(pa.concat_tables([second.map_batch(part) for part in batches(raters, count)]))
        losses.append({name: number for (_, name), number in given.counts.items()})
    return states, losses


def confidence_of(target: Target, values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much each cell of the matrix counts, and what it should be."""
    if isinstance(target.objective, Choices):
        return np.where(chosen, 1 + target.objective.weight, 1.0), chosen.astype(float)
    return np.isfinite(values).astype(float), np.nan_to_num(values)


def dense_side(other: Floats, weights: np.ndarray, wanted: np.ndarray, target: Target) -> Floats:
    """The factors of all rows of a matrix, each by the normal equations of weighted ridge regression."""
    found = np.zeros((len(weights), other.shape[1]))
    for row, (weight, values) in enumerate(zip(weights, wanted, strict=True)):
        scale = weight.sum() if isinstance(target.objective, Ratings) else 1
        if weight.any():
            left = other.T @ np.diag(weight) @ other + target.objective.penalty * scale * np.eye(other.shape[1])
            found[row] = np.linalg.inv(left) @ (other.T @ (weight * values))
    return found


def dense_round(items: Floats, values: np.ndarray, chosen: np.ndarray, target: Target) -> tuple[Floats, Floats]:
    """The factors of users and items after a round."""
    weights, wanted = confidence_of(target, values, chosen)
    users = dense_side(items, weights, wanted, target)
    return users, dense_side(users, weights.T, wanted.T, target)


def dense_losses(users: Floats, items: Floats, values: np.ndarray, chosen: np.ndarray, target: Target) -> float:
    """The loss by its definition."""
    weights, wanted = confidence_of(target, values, chosen)
    sizes = (weights.sum(axis=1), weights.sum(axis=0)) if isinstance(target.objective, Ratings) else (1, 1)
    penalty = (sizes[0] * (users**2).sum(axis=1)).sum() + (sizes[1] * (items**2).sum(axis=1)).sum()
    return float((weights * (wanted - users @ items.T) ** 2).sum() + target.objective.penalty * penalty)
