"""Means and intervals from exact sums are numpy's, whatever the batches; the page is made with and without a test."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_apps.recommendation.evaluate import Evaluate
from podreduce_apps.recommendation.exact_sums import SCALE, join_words, split_words
from podreduce_apps.recommendation.findings import Findings, describe
from podreduce_apps.recommendation.leaderboard import (
    activity_groups,
    coverage,
    mean_of_group,
    measures_of,
    models_of,
    novelty,
    read_sums,
    shown_shares,
)
from podreduce_apps.recommendation.names import ItemNames
from podreduce_apps.recommendation.page import render_report, tabulate_cleaned
from podreduce_apps.recommendation.rank import SCHEMA
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

ITEMS = 40


def draw_lists(users: int = 90, seed: int = 2) -> pa.Table:
    """Lists of two models, one of which knows what the user chose."""
    chance = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        known, test = int(chance.integers(0, 12)), chance.permutation(ITEMS)[: chance.integers(0, 6)]
        shuffled = chance.permutation(ITEMS)
        knowing = np.concatenate((test, shuffled[~np.isin(shuffled, test)]))
        for model, items in (("random", shuffled), ("als", knowing)):
            row = {"user": f"u{user}", "model": model, "known": known, "items": items[:20], "test_ids": test}
            rows.append({**row, "scores": np.zeros(20), "reasons": np.full(20, -1)})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def add_up(lists: pa.Table, batches: int) -> Counter[str]:
    """What the step `evaluate` writes of lists that come in so many batches."""
    job, sums = Evaluate(), Counter[str]()
    job.setup(Given(input="rank"))
    for part in np.array_split(np.arange(lists.num_rows), batches):
        for row in job.map_batch(one_batch(lists.take(pa.array(part)))).to_pylist():
            sums[row["key"]] += row["value"]
    return Counter(join_words(sums))


def test_batches_change_no_sum_and_means_and_intervals_are_those_of_numpy() -> None:
    lists = draw_lists()
    whole = add_up(lists, 1)
    assert whole == add_up(lists, 3) == add_up(lists, 8)
    sums = read_sums(whole)
    rows = [row for row in lists.to_pylist() if row["model"] == "random" and row["test_ids"]]
    values = np.array([len({*row["items"][:10]} & {*row["test_ids"]}) / len(row["test_ids"]) for row in rows])
    mean = measures_of(sums, "random")["recall@10"]
    assert mean.users == len(rows)
    assert mean.value == pytest.approx(values.mean(), abs=1e-12)
    assert mean.half_width == pytest.approx(1.959963984540054 * values.std(ddof=1) / np.sqrt(len(rows)), abs=1e-9)
    assert models_of(sums) == ["als", "random"]
    assert measures_of(sums, "als")["ndcg@10"].value == 1


@given(st.lists(st.integers(0, 2**80), min_size=1, max_size=5))
def test_words_of_sums_are_joined_to_the_sums_of_whole_numbers(values: list[int]) -> None:
    words = Counter[str]()
    for value in values:
        words.update(dict(split_words("a|b", value)))
    assert join_words(words) == {"a|b": sum(values)}


def test_sums_over_the_users_of_the_whole_world_fit_into_a_column() -> None:
    """The step `report` reads them as a column of 64 bits."""
    batches = 8_000_000_000 // 90  # as many as there are if each has the users of `draw_lists`
    job = Evaluate()
    job.setup(Given(input="rank"))
    sums = job.map_batch(one_batch(draw_lists()))
    largest = max(sums["value"].to_pylist())
    assert largest * batches < 2**63
    read = join_words({key: value * batches for key, value in zip(*sums.to_pydict().values(), strict=True)})
    assert read["users|random|3"] < read["ndcg@10|als|3"] == read["users|als|3"] * SCALE


def test_groups_by_activity_hold_every_user_once_and_about_as_many_each() -> None:
    sums = read_sums(add_up(draw_lists(600), 1))
    groups = activity_groups(sums, "random", 4)
    sizes = [mean_of_group(sums, "hit@10", "random", group).users for group in groups]
    assert [int(known) for group in groups for known in group] == sorted(
        int(known) for known in sums["users"]["random"]
    )
    assert sum(sizes) == sum(sums["users"]["random"].values())
    assert max(sizes) < 2 * min(sizes)


def test_what_is_shown_is_counted_by_item() -> None:
    sums = read_sums({"shown|m|0": 6, "shown|m|2": 2})
    assert coverage(sums, "m", 4) == 0.5
    assert novelty(sums, "m", [8, 8, 2, 1], 16) == (6 * 1 + 2 * 3) / 8
    assert shown_shares(sums, "m", [8, 9, 2, 1], groups=4) == [0, 0.75, 0.25, 0]


def find(sums: Counter[str], split: str) -> Findings:
    items = pa.table({"item": [f"i{number}" for number in range(ITEMS)], "id": range(ITEMS)})
    facts = {"data|users": 90, "data|users models learn from": 80, "history|3": 90, "clean|events read": 7}
    users = [{"user": "u1", "history": [1, 2], "chosen": [3], "items": [3, 4], "reasons": [1, -1]}]
    return Findings(
        sums=read_sums(Counter(facts) + sums),
        names=ItemNames(items, pa.table({"item": ["i3"], "title": ["<b>Kettle & cup</b>"]})),
        counts=list(range(1, ITEMS + 1)),
        times={0: 1, 86_400: 2},
        cut=86_400 if split == "time" else None,
        users=users,
        parameters=default_parameters(split=split),
    )


def test_a_page_without_a_test_says_so_and_titles_are_text() -> None:
    findings = find(Counter(), "none")
    page = render_report(findings)
    assert "There are no measures" in page
    assert "&lt;b&gt;Kettle &amp; cup&lt;/b&gt;" in page
    assert "because of i1" in page
    assert describe(findings)["models"] == {}


def test_a_page_has_the_protocol_and_what_is_known_of_each_model() -> None:
    findings = find(add_up(draw_lists(), 1), "time")
    page = render_report(findings)
    assert findings.protocol in page
    assert page.count("<svg") + page.count("data:image") >= 6
    assert set(describe(findings)["models"]) == {"random", "als"}


def test_the_table_of_the_data_accounts_for_every_event_that_is_used() -> None:
    facts = {"clean|events used": 100, "data|events to learn from": 60, "data|events to predict": 25}
    rows = dict(tabulate_cleaned(find(Counter(facts), "none")).rows)
    assert rows["left out: events of items with too few users"] == "15"
