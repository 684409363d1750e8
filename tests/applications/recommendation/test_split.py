"""What is predicted: the last events by time, each user's last, or what the data say."""

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce_apps.recommendation.clean import Clean
from podreduce_apps.recommendation.items import Items
from podreduce_apps.recommendation.split import Split, last_of_each
from podreduce_apps.recommendation.times import Times, find_cut
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

Events = list[tuple[str, str, str, str]]
EVENTS = st.lists(
    st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefghij"), st.integers(1, 40)), min_size=2, max_size=60
)


def histories_of(events: Events) -> tuple[pa.Table, pa.Table]:
    """What the steps clean and times give."""
    job = Clean()
    job.setup(Given())
    names = ("user", "item", "time", "set")
    mapped = job.map_batch(one_batch(pa.table({name: [e[place] for e in events] for place, name in enumerate(names)})))
    cleaned = job.reduce_batch(one_batch(mapped.sort_by([("user", "ascending"), ("item", "ascending")])))
    counts = Times().map_batch(one_batch(cleaned))
    return cleaned, counts


def split(cleaned: pa.Table, counts: pa.Table, **changed: str) -> pa.Table:
    job = Split()
    job.setup(Given(default_parameters(**changed), {"times": counts}))
    return job.map_batch(one_batch(cleaned))


def events_of(table: pa.Table, prefix: str) -> list[tuple[str, str, int]]:
    return [
        (row["user"], item, time)
        for row in table.to_pylist()
        for item, time in zip(row[f"{prefix}items"], row[f"{prefix}times"], strict=True)
    ]


@settings(max_examples=25)
@given(EVENTS, st.sampled_from([0.1, 0.2, 0.5]))
def test_everything_that_is_predicted_is_later_than_everything_that_is_known(
    drawn: list[tuple[str, str, int]], fraction: float
) -> None:
    cleaned, counts = histories_of([(user, item, str(time), "") for user, item, time in drawn])
    parts = split(cleaned, counts, split="time", testFraction=str(fraction))
    train, test = events_of(parts, ""), events_of(parts, "test_")
    first: dict[tuple[str, str], int] = {}
    for user, item, time in drawn:
        first[user, item] = min(first.get((user, item), time), time)
    assert sorted(train + test) == sorted((*pair, time) for pair, time in first.items())
    if train and test:
        assert max(time for *_, time in train) < min(time for *_, time in test)
    times = sorted(first.values())
    assert find_cut(counts, fraction) == times[min(int((1 - fraction) * len(times) + 1e-9), len(times) - 1)]


@given(st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=6), st.sampled_from([0.1, 0.2, 0.25, 0.5]))
def test_of_each_user_the_earlier_events_stay_and_equal_times_keep_their_order(
    times: list[list[int]], fraction: float
) -> None:
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in times]))).astype(np.int64)
    found = last_of_each(np.array(list(chain.from_iterable(times)), np.int64), offsets, fraction)
    for each, start in zip(times, offsets, strict=False):
        order = sorted(range(len(each)), key=lambda place: (each[place], place))
        stay = -(-len(each) * round(100 * (1 - fraction)) // 100)
        assert [place for place in order if found[start + place]] == order[stay:]


def test_a_given_split_and_none_are_taken_as_they_are() -> None:
    cleaned, counts = histories_of([("u", "a", "1", "test"), ("u", "b", "2", "train"), ("v", "a", "3", "")])
    given_parts = split(cleaned, counts, split="given")
    assert events_of(given_parts, "test_") == [("u", "a", 1)]
    assert events_of(given_parts, "") == [("u", "b", 2), ("v", "a", 3)]
    assert events_of(split(cleaned, counts, split="none"), "test_") == []


@pytest.mark.parametrize(("name", "value"), [("split", "random"), ("testFraction", "0"), ("testFraction", "1")])
def test_a_wrong_split_is_refused_with_its_name(name: str, value: str) -> None:
    cleaned, counts = histories_of([("u", "a", "1", "")])
    with pytest.raises(ValueError, match=f"parameter {name} is '{value}'"):
        split(cleaned, counts, **{name: value})


def test_what_the_models_learn_from_does_not_change_when_the_test_part_is_shuffled() -> None:
    chance = np.random.default_rng(5)
    drawn = [(f"u{u}", f"i{i}", t) for t, (u, i) in enumerate(zip(*chance.integers(15, size=(2, 300)), strict=True))]
    last = dict.fromkeys((user, item) for user, item, _ in drawn)
    first = [(user, item, time) for user, item, time in drawn if last.pop((user, item), 0) is None]
    cut = int(0.8 * len(first))
    items = [item for _, item, _ in first[cut:]]
    models = []
    for order in (range(len(items)), chance.permutation(len(items))):
        tail = [(f"t{n}", items[place], first[cut + n][2]) for n, place in enumerate(order)]
        cleaned, counts = histories_of([(user, item, str(time), "") for user, item, time in first[:cut] + tail])
        parts = split(cleaned, counts)
        job = Items()
        job.setup(Given(default_parameters(), {"times": counts}))
        counted = job.reduce_batch(one_batch(job.map_batch(one_batch(parts)).sort_by("key")))
        models.append((sorted(events_of(parts, "")), counted.to_pydict()))
    assert models[0] == models[1]
