"""The sums of counters are those over the commits that count, in whatever order commits come and are outdated."""

import asyncio
import random
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.layout import PLAN_KEY, commit_key
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.runs import counter_sums
from podreduce_operator.runs.counter_sums import CounterSums
from podreduce_operator.runs.run_records import RunRecords
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task
from tests.support.searching import tries

COUNTERS = st.dictionaries(
    st.sampled_from(["words", "podreduce", "a"]),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(-5, 5), max_size=3),
    max_size=3,
)
COMMITS = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 3)), COUNTERS, max_size=8)
"""By task and generation, the counters of a commit."""


def add_up(commits: Mapping[tuple[int, int], Mapping[str, Mapping[str, int]]]) -> dict[tuple[str, str], int]:
    """The sums over the newest generation of each task."""
    newest = {task: counters for (task, _), counters in sorted(commits.items())}
    sums: Counter[tuple[str, str]] = Counter()
    for counters in newest.values():
        for group, values in counters.items():
            sums.update({(group, name): value for name, value in values.items()})
    return dict(sums)


async def check_sums(commits: Mapping[tuple[int, int], dict[str, dict[str, int]]], order: random.Random) -> None:
    """Let the commits come in any order, and look after some of them."""
    store = open_store(f"memory://{uuid4().hex}/")
    store.put(PLAN_KEY, encode(make_plan(shards=3)))
    records, there = RunRecords(store), {}
    for (task, generation), counters in order.sample(sorted(commits.items(), key=repr), len(commits)):
        commit = make_commit(
            map_task(task), generation=generation, attempt_id=f"{task}-{generation}", counters=counters
        )
        store.put(commit_key(map_task(task), generation), encode(commit))
        there[task, generation] = counters
        if order.random() < 0.5:
            await records.relist()
            assert records.sums.counters.sums == add_up(there)
    await records.relist()
    assert records.sums.counters.sums == add_up(there)
    assert records.unreadable == {}
    assert all(not commit.counters for commit in records.commits.values())


@settings(max_examples=tries(60), deadline=None)
@given(commits=COMMITS, seed=st.integers(0, 1000))
def test_sums_are_over_the_newest_commits_whatever_the_order(
    commits: dict[tuple[int, int], dict[str, dict[str, int]]], seed: int
) -> None:
    asyncio.run(check_sums(commits, random.Random(seed)))  # noqa: S311 - a seeded case


NAMES = st.dictionaries(st.sampled_from([f"n{number:02}" for number in range(20)]), st.integers(1, 3), max_size=6)


@settings(max_examples=tries(200), deadline=None)
@given(added=st.lists(NAMES, max_size=12), data=st.data())
def test_of_too_many_names_the_first_have_their_whole_sum(added: list[dict[str, int]], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter_sums, "MOST_NAMES", 5)
        sums = CounterSums()
        counting: list[dict[str, int]] = []
        for names in added:
            sums.add({"g": names})
            counting.append(names)
            if data.draw(st.booleans()):
                sums.subtract({"g": counting.pop(data.draw(st.integers(0, len(counting) - 1)))})
            assert len(sums.sums) <= 5
    whole: Counter[tuple[str, str]] = Counter()
    for names in counting:
        whole.update({("g", name): value for name, value in names.items()})
    first = sorted(whole.items())[: len(sums.sums)]
    assert dict(first) == dict(sums.sums)
    every = {name for names in added for name in names}
    assert len(every) > 5 or len(sums.sums) == len(whole)


@pytest.fixture
def store() -> ObjectStore:
    store = open_store(f"memory://{uuid4().hex}/")
    store.put(PLAN_KEY, encode(make_plan(shards=3)))
    return store


def put_commit(store: ObjectStore, generation: int) -> CommitRecord:
    commit = make_commit(map_task(0), generation=generation, attempt_id=f"a-{generation}", counters={"g": {"n": 1}})
    store.put(commit_key(commit.task, generation), encode(commit))
    return commit


@pytest.mark.parametrize("spoil", ["deleted", "overwritten"])
async def test_a_commit_that_cannot_be_read_again_is_named(store: ObjectStore, spoil: str) -> None:
    records, key = RunRecords(store), commit_key(map_task(0), 0)
    put_commit(store, 0)
    await records.relist()
    put_commit(store, 1)
    store.delete(key) if spoil == "deleted" else store.put(key, b"{}")
    for _ in range(2):
        await records.relist()
        assert [error.reason for error in records.unreadable.values()] == ["RecordUnreadable"]
        assert store.uri_of(key) in str(records.unreadable[key])
    put_commit(store, 0)
    await records.relist()
    assert records.unreadable == {}
    assert records.sums.counters.sums == {("g", "n"): 1}


MAPS = 1000


async def test_memory_does_not_grow_with_counters_times_tasks(store: ObjectStore) -> None:
    store.put(PLAN_KEY, encode(make_plan(shards=MAPS)))
    for index in range(MAPS):
        counters = {"group": {f"a counter of the program {number}": index for number in range(200)}}
        store.put(commit_key(map_task(index), 0), encode(make_commit(map_task(index), counters=counters)))
    records = RunRecords(store)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await records.relist()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(records.commits) == MAPS
    assert len(records.sums.counters.sums) == 200
    assert held < MAPS * 3000
