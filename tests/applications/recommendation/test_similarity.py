"""Similarities by their definitions, and the order of the nearest."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_apps.recommendation.similarity import SIMILARITIES, nearest


def mahout_ratio(both: int, one: int, other: int, users: int) -> float:
    """2 (H(rows) + H(columns) - H(matrix)) as Mahout's LogLikelihood writes it, with H of unnormalised counts."""

    def x_log_x(x: float) -> float:
        return 0.0 if x == 0 else x * log(x)

    def entropy(*counts: int) -> float:
        return x_log_x(sum(counts)) - sum(map(x_log_x, counts))

    k11, k12, k21, k22 = both, one - both, other - both, users - one - other + both
    rows, columns = entropy(k11 + k12, k21 + k22), entropy(k11 + k21, k12 + k22)
    return max(2 * (rows + columns - entropy(k11, k12, k21, k22)), 0)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int, int]:
    users = draw(st.integers(1, 500))
    one, other = draw(st.integers(1, users)), draw(st.integers(1, users))
    return draw(st.integers(max(1, one + other - users), min(one, other))), one, other, users


@given(pairs())
def test_similarities_are_those_of_two_sets_of_users(pair: tuple[int, int, int, int]) -> None:
    both, one, other, users = pair
    first = set(range(one))
    second = set(range(one - both, one - both + other))
    found = {name: float(f(np.array([both]), one, np.array([other]), users)[0]) for name, f in SIMILARITIES.items()}
    assert found["cosine"] == pytest.approx(len(first & second) / (one * other) ** 0.5, abs=1e-12)
    assert found["jaccard"] == pytest.approx(len(first & second) / len(first | second), abs=1e-12)
    together_more_often = both * users > one * other
    expected = 1 - 1 / (1 + mahout_ratio(*pair)) if together_more_often else 0
    assert found["llr"] == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.sampled_from([0.0, -1.0, 0.25, 0.5, 0.75]), max_size=30), st.integers(1, 12))
def test_the_nearest_are_the_highest_and_of_equal_ones_the_first(scores: list[float], most: int) -> None:
    expected = [
        place for place in sorted(range(len(scores)), key=lambda place: (-scores[place], place)) if scores[place] > 0
    ]
    assert nearest(np.array(scores), most).tolist() == expected[:most]
