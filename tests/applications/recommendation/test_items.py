"""Items are numbered by their names and counted exactly, however the input is cut; the core loop ends at the core."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.recommendation.core import Core
from podreduce_apps.recommendation.items import POPULARITY_UNIT, Items, decayed
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

NO_TIMES = pa.table({"key": pa.array([], pa.int64()), "value": pa.array([], pa.int64())})


def draw_histories(seed: int, users: int = 200, items: int = 600) -> list[list[str]]:
    chance = np.random.default_rng(seed)
    return [
        sorted({f"i{number}" for number in (items * chance.random(chance.integers(1, 30)) ** 2).astype(int).tolist()})
        for _ in range(users)
    ]


def as_table(histories: list[list[str]]) -> pa.Table:
    kind = pa.list_(pa.string())
    return pa.table(
        {
            "user": [f"u{number}" for number in range(len(histories))],
            "items": pa.array(histories, kind),
            "times": pa.array([[7] * len(each) for each in histories], pa.list_(pa.int64())),
            "values": pa.array([[float("nan")] * len(each) for each in histories], pa.list_(pa.float64())),
            "test_items": pa.array([[] for _ in histories], kind),
            "is_kept": [True] * len(histories),
        }
    )


def number_items(table: pa.Table, batches: int, **changed: str) -> pa.Table:
    """What the step `items` writes, with its input in so many batches."""
    job = Items()
    job.setup(Given(default_parameters(halfLifeDays="0", **changed), {"times": NO_TIMES}))
    parts = np.array_split(np.arange(table.num_rows), batches)
    mapped = [job.map_batch(one_batch(table.take(pa.array(part)))) for part in parts]
    return job.reduce_batch(one_batch(pa.concat_tables(mapped).sort_by("key")))


@pytest.mark.parametrize("batches", [1, 3, 8])
def test_ids_follow_the_names_and_counts_are_exact_however_the_input_is_cut(batches: int) -> None:
    for seed in range(5):
        histories = draw_histories(seed)
        found = number_items(as_table(histories), batches, minUsersPerItem="2")
        counts = Counter(item for history in histories for item in history)
        names = sorted(item for item, count in counts.items() if count >= 2)
        assert found["item"].to_pylist() == names
        assert found["id"].to_pylist() == list(range(len(names)))
        assert found["count"].to_pylist() == [counts[name] for name in names]
        assert found["popularity"].to_pylist() == [counts[name] * POPULARITY_UNIT for name in names]


def run_core(histories: list[list[str]], users_per_item: int, items_per_user: int) -> tuple[pa.Table, pa.Table]:
    """The loop of `items` and `core`, until nothing is left out."""
    table = as_table(histories)
    for _ in range(50):
        limits = {"minUsersPerItem": str(users_per_item), "minItemsPerUser": str(items_per_user)}
        items = number_items(table, 2, **limits)
        job, context = Core(), Given(default_parameters(**limits), {"items": items})
        job.setup(context)
        table = job.map_batch(one_batch(table))
        if not context.counts["core", "dropped"]:
            return items, table
    raise AssertionError("the loop does not end")


def plain_core(histories: list[list[str]], users_per_item: int, items_per_user: int) -> tuple[set[str], set[int]]:
    """The items and users of the core, one removal at a time."""
    kept = {user: set(items) for user, items in enumerate(histories)}
    while True:
        counts = Counter(item for items in kept.values() for item in items)
        rare = {item for item, count in counts.items() if count < users_per_item}
        smaller = {user: items - rare for user, items in kept.items() if len(items - rare) >= items_per_user}
        if smaller == kept:
            return set(counts), set(kept)
        kept = smaller


@pytest.mark.parametrize(("users_per_item", "items_per_user"), [(1, 1), (2, 3), (5, 5), (7, 3)])
def test_the_loop_ends_with_the_core_and_exact_counts(users_per_item: int, items_per_user: int) -> None:
    histories = draw_histories(9)
    items, users = run_core(histories, users_per_item, items_per_user)
    names, kept = plain_core(histories, users_per_item, items_per_user)
    assert set(items["item"].to_pylist()) == names
    assert {user for user, is_kept in enumerate(users["is_kept"].to_pylist()) if is_kept} == kept
    counts = Counter(item for user in kept for item in histories[user] if item in names)
    assert dict(zip(items["item"].to_pylist(), items["count"].to_pylist(), strict=True)) == dict(counts)
    assert users.num_rows == len(histories)  # all are recommended something
    for row, history in zip(users.to_pylist(), histories, strict=True):
        assert row["items"] == [item for item in history if item in names]
        assert row["ids"] == [items["item"].to_pylist().index(item) for item in row["items"]]


def test_where_no_item_is_left_the_error_names_the_parameters() -> None:
    job, empty = Core(), pa.table({"key": pa.nulls(0), "value": pa.nulls(0)})
    with pytest.raises(ValueError, match=r"minUsersPerItem=3.*minItemsPerUser=2.*split=time"):
        job.setup(Given(sides={"items": empty}))


def test_an_event_counts_half_after_the_half_life_and_whole_without_one() -> None:
    times = np.array([100, 90, 80, 130])
    assert decayed(times, 100, 10.0).tolist() == [
        POPULARITY_UNIT,
        POPULARITY_UNIT // 2,
        POPULARITY_UNIT // 4,
        POPULARITY_UNIT,
    ]
    assert decayed(times, 100, 0.0).tolist() == [POPULARITY_UNIT] * 4
