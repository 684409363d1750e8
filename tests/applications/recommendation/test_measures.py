"""Measures worked out by hand, and as scikit-learn and plain definitions have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from podreduce_apps.recommendation.measures import MEASURES, find_hits, measure

LISTS = st.lists(
    st.tuples(
        st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).permutation(30)[:20].tolist()),
        st.sets(st.integers(-1, 34), min_size=1),
    ),
    min_size=1,
    max_size=5,
)


def measures_of(lists: list[tuple[list[int], list[int]]]) -> dict[str, list[float]]:
    def flat(parts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)
        return np.array([item for part in parts for item in part], np.int64), offsets

    items, item_offsets = flat([items for items, _ in lists])
    tests, test_offsets = flat([test for _, test in lists])
    hits = find_hits(items, item_offsets, tests, test_offsets, 20)
    return {name: values.tolist() for name, values in measure(hits, np.diff(test_offsets)).items()}


def test_five_users_worked_out_by_hand() -> None:
    top = list(range(20))
    users = [
        (top, [0]),  # the first place
        (top, [1, 99]),  # the second place, and one that is nowhere
        (top, [15]),  # behind the tenth
        (top, [-1]),  # an item that no model knows
        (top[:3], [0, 2]),  # a short list
    ]
    found = measures_of(users)
    second = 1 / np.log2(3)
    assert found["precision@10"] == [0.1, 0.1, 0, 0, 0.2]
    assert found["recall@10"] == [1, 0.5, 0, 0, 1]
    assert found["hit@10"] == [1, 1, 0, 0, 1]
    assert found["ndcg@10"] == pytest.approx([1, second / (1 + second), 0, 0, (1 + 0.5) / (1 + second)], abs=1e-15)
    assert found["ap@10"] == pytest.approx([1, 0.25, 0, 0, (1 + 2 / 3) / 2], abs=1e-15)
    assert found["recall@20"] == [1, 0.5, 1, 0, 1]
    assert list(found) == list(MEASURES)


@given(LISTS)
def test_measures_are_those_of_their_definitions(lists: list[tuple[list[int], set[int]]]) -> None:
    found = measures_of([(items, sorted(test)) for items, test in lists])
    for row, (items, test) in enumerate(lists):
        hits = [item in test for item in items]
        assert found["precision@10"][row] == sum(hits[:10]) / 10
        assert found["recall@10"][row] == pytest.approx(sum(hits[:10]) / len(test), abs=1e-12)
        assert found["capped recall@20"][row] == pytest.approx(sum(hits) / min(20, len(test)), abs=1e-12)
        precisions = [sum(hits[: place + 1]) / (place + 1) for place in range(10) if hits[place]]
        assert found["ap@10"][row] == pytest.approx(sum(precisions) / min(10, len(test)), abs=1e-12)
        truth = np.array([[float(item in test) for item in range(-1, 35)]])
        scores = np.zeros_like(truth)
        for place, item in enumerate(items):
            scores[0, item + 1] = 100 - place
        scores -= np.arange(truth.shape[1]) / 1000 * (scores == 0)  # no ties: scikit-learn would average them
        assert found["ndcg@10"][row] == pytest.approx(ndcg_score(truth, scores, k=10), abs=1e-12)
