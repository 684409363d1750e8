"""The measures of the library `ir-measures` (Apache-2.0), which asks trec_eval, on lists that are drawn.

Its average precision is over all items then chosen, ours over at most ten of them: ours is converted to compare.
"""

import importlib

import numpy as np

from podreduce_apps.recommendation.measures import find_hits, measure
from tests.applications.recommendation.oracles import use_oracle

__all__ = ["worst_difference"]

USERS, ITEMS, LENGTH = 500, 60, 20
NAMES = {
    "P@10": "precision@10",
    "R@10": "recall@10",
    "nDCG@10": "ndcg@10",
    "AP@10": "ap@10",
    "Success@10": "hit@10",
    "R@20": "recall@20",
}


def worst_difference(seed: int) -> tuple[float, int]:
    """Return by how much a measure of a list differs at most, and how many were compared."""
    use_oracle("ir_measures")
    library = importlib.import_module("ir_measures")
    chance = np.random.default_rng(seed)
    lists = [chance.permutation(ITEMS)[:LENGTH] for _ in range(USERS)]
    tests = [np.sort(chance.permutation(ITEMS)[: chance.integers(1, 31)]) for _ in range(USERS)]
    judged = {str(user): {str(item): 1 for item in test} for user, test in enumerate(tests)}
    ranked = {
        str(user): {str(item): float(LENGTH - place) for place, item in enumerate(items)}
        for user, items in enumerate(lists)
    }
    ours = measures_of(lists, tests)
    measures = [library.parse_measure(name) for name in NAMES]
    differences = [
        abs(each.value - ours[NAMES[str(each.measure)]][int(each.query_id)])
        for each in library.iter_calc(measures, judged, ranked)
    ]
    return max(differences), len(differences)


def measures_of(lists: list[np.ndarray], tests: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Ours of each list, as the library defines them."""
    (items, item_offsets), (chosen, test_offsets) = flat(lists), flat(tests)
    sizes = np.diff(test_offsets)
    found = measure(find_hits(items, item_offsets, chosen, test_offsets, LENGTH), sizes)
    return {**found, "ap@10": found["ap@10"] * np.minimum(sizes, 10) / sizes}


def flat(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return lists one after the other, and where each begins."""
    return np.concatenate(parts).astype(np.int64), np.concatenate(([0], np.cumsum([len(part) for part in parts])))
