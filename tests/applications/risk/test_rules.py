"""Rings beside networkx, Benford beside SciPy, drift beside its formula."""

from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from podreduce_apps.risk.benford import BENFORD, EVERYTHING, Benford, first_digits, judge_digits
from podreduce_apps.risk.drift import bin_edges, count_bins, stability_index
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.rings import SharedDevices, find_rings


class FakeContext:
    parameters = {
        "trainFrom": "2018-07-25",
        "trainDays": "7",
        "delayDays": "7",
        "scoreDays": "7",
        "hubCards": "3",
    }

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()

    def count(self, _group: str, name: str, n: int = 1) -> None:
        self.counters[name] += n


DEVICES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2), st.lists(st.integers(0, 12), max_size=4), max_size=8
)


@given(DEVICES)
def test_rings_are_the_components_of_devices_and_cards(devices: dict[str, list[int]]) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(devices)
    graph.add_edges_from((device, card) for device, cards in devices.items() for card in cards)
    expected = [sorted(node for node in found if isinstance(node, str)) for found in nx.connected_components(graph)]

    assert sorted(find_rings(devices)) == sorted(expected)


def test_devices_of_several_cards_are_kept_and_hubs_join_nobody() -> None:
    last = Periods.read(FakeContext.parameters).score_to * DAY_SECONDS
    uses = [("one", 1), ("two", 1), ("two", 2), ("two", 2), *(("hub", card) for card in range(4)), (None, 9)]
    batch = pa.record_batch(
        {
            "device": [device for device, _ in uses] + ["two"],
            "card": [card for _, card in uses] + [7],
            "fraud": pa.array([1] * (len(uses) + 1), pa.int8()),
            "time": [last - 1] * len(uses) + [last - 31 * DAY_SECONDS],
        }
    )
    job, context = SharedDevices(), FakeContext()
    job.setup(context)
    table = job.map_batch(batch)
    values: dict[str, list[Any]] = {}
    for row in table.to_pylist():
        values.setdefault(row["key"], []).append(row["value"])

    found = dict(pair for device, each in values.items() for pair in job.reduce_func(device, iter(each)))

    assert found == {"two": (2, 3, (1, 2)), "hub": (4, 4, ())}
    assert context.counters == {"hubs": 1}


@given(st.lists(st.integers(1, 10**15), min_size=1))
def test_a_first_digit_is_the_first_sign_of_the_number(amounts: list[int]) -> None:
    decades, digits = first_digits(np.array(amounts))

    assert digits.tolist() == [int(str(amount)[0]) for amount in amounts]
    assert decades.tolist() == [len(str(amount)) - 1 for amount in amounts]


def test_chi_square_is_that_of_scipy() -> None:
    counts = np.array([310, 170, 130, 90, 80, 70, 50, 50, 50])

    verdict = judge_digits(counts)

    assert verdict["chiSquare"] == pytest.approx(chisquare(counts, counts.sum() * BENFORD).statistic, abs=1e-9)
    assert verdict["meanAbsoluteDeviation"] == pytest.approx(np.abs(counts / 1000 - BENFORD).mean(), abs=1e-12)


def judge(amounts: np.ndarray, parts: int) -> tuple[dict[str, Any], Counter[str]]:
    """Return the verdicts of a run whose maps get so many parts of the amounts."""
    job, context = Benford(), FakeContext()
    job.setup(context)
    values: dict[str, list[int]] = {}
    for part in np.array_split(amounts, parts):
        texts = {name: pa.array([name[0]] * len(part)) for name in ("country", "channel", "merchant")}
        batch = pa.record_batch({"amount": pa.array(part), **texts})
        for row in job.map_batch(batch).to_pylist():
            values.setdefault(row["key"], []).append(row["value"])
    found = dict(pair for entity, each in values.items() for pair in job.reduce_func(entity, iter(each)))
    return found, context.counters


def test_amounts_by_nature_conform_and_forged_ones_do_not() -> None:
    random = np.random.default_rng(1)
    natural = (10 ** random.uniform(2, 5, 5000)).astype(np.int64)
    forged = random.integers(100, 99_999, 5000)

    assert judge(natural, 1)[0][EVERYTHING]["band"] == "close"
    assert judge(forged, 1)[0][EVERYTHING]["band"] == "nonconforming"
    assert judge(natural, 1) == judge(natural, 7)
    assert set(judge(natural, 1)[0]) == {EVERYTHING, "country c", "channel c", "merchant m"}


def test_too_few_amounts_or_decades_are_not_judged() -> None:
    assert judge(np.full(499, 12_345), 1) == ({}, {"entitiesWithTooFewAmounts": 4})
    assert judge(np.full(1000, 12_345), 1)[0] == {}
    assert judge(np.array([-5] * 600 + [0] * 600 + [10, 100] * 250), 1)[0][EVERYTHING]["amounts"] == 500


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param([1_234] * 999 + [12_345], id="one amount alone is in the second decade"),
        pytest.param([1_234] * 960 + [12_345] * 40, id="so are few"),
        pytest.param([5_000, 7_000, 9_000, 11_000, 14_000] * 200, id="two decades that are touched, not spanned"),
    ],
)
def test_amounts_of_hardly_more_than_one_decade_are_not_judged(amounts: list[int]) -> None:
    found, counters = judge(np.array(amounts), 3)

    assert found == {}
    assert counters == {"entitiesWithTooFewAmounts": 4}


def test_a_tenth_of_outliers_does_not_hide_two_decades() -> None:
    assert EVERYTHING in judge(np.array([1] * 20 + [100, 500, 2_000] * 300 + [10**12] * 20), 3)[0]


def test_drift_is_the_sum_over_the_deciles() -> None:
    random = np.random.default_rng(2)
    then, now = random.normal(size=5000), random.normal(0.5, 1, 3000)
    edges = bin_edges(then)
    before = np.histogram(then, np.concatenate(([-np.inf], edges, [np.inf])))[0] / 5000
    after = np.histogram(now, np.concatenate(([-np.inf], edges, [np.inf])))[0] / 3000

    index = stability_index(count_bins(then, edges), count_bins(now, edges))

    assert index == pytest.approx(np.sum((after - before) * np.log(after / before)), abs=1e-12)
    assert 0.15 < index < 0.4
    assert stability_index(count_bins(then, edges), count_bins(then, edges)) == 0


def test_a_feature_of_two_values_has_two_bins_and_an_empty_bin_is_finite() -> None:
    edges = bin_edges(np.array([0.0] * 60 + [1.0] * 40))

    assert len(count_bins(np.zeros(5), edges)) == len(edges) + 1 <= 3
    assert np.isfinite(stability_index(np.array([10, 0]), np.array([0, 10])))
