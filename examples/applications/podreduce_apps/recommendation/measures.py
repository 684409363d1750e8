"""How good lists are: the measures of each list, from which of its places hold an item that the user then chose.

Full ranking, binary gain. `hits`: lists by places, the best place first. `sizes`: how many items each user then chose.
"""

import numpy as np
import numpy.typing as npt

from podreduce_apps.recommendation.lists import Ints, rows_of_values

__all__ = ["LONGEST", "MEASURES", "find_hits", "measure"]

Floats = npt.NDArray[np.float64]
Hits = npt.NDArray[np.bool_]
LONGEST = 20
"""How many places the measures look at."""
MEASURES = {
    "precision@10": "of 10 recommended items, the share that was then chosen",
    "recall@10": "of the items then chosen, the share among 10 recommended",
    "ndcg@10": "hits among 10, early ones counting more; 1 is the best list there could be",
    "ap@10": "the mean precision at each hit among 10, over min(10, number then chosen)",
    "hit@10": "the share of users with a hit among 10",
    "recall@20": "of the items then chosen, the share among 20 recommended",
    "capped recall@20": "the same over min(20, number then chosen)",
}
"""The measures, and what each says."""


def find_hits(items: Ints, item_offsets: Ints, tests: Ints, test_offsets: Ints, length: int) -> Hits:
    """Return which places of each list hold a test item; shape: lists by length."""
    rows = rows_of_values(item_offsets)
    width = int(max(items.max(initial=0), tests.max(initial=0))) + 2
    chosen = rows_of_values(test_offsets) * width + tests + 1
    found = np.isin(rows * width + items + 1, chosen)
    hits = np.zeros((len(item_offsets) - 1, length), np.bool_)
    places = np.arange(len(rows)) - item_offsets[rows]
    inside = places < length
    hits[rows[inside], places[inside]] = found[inside]
    return hits


def measure(hits: Hits, sizes: Ints) -> dict[str, Floats]:
    """Return each list's measures."""
    ten, twenty = hits[:, :10], hits[:, :20]
    return {
        "precision@10": ten.sum(axis=1) / 10,
        "recall@10": ten.sum(axis=1) / sizes,
        "ndcg@10": ndcg(ten, sizes),
        "ap@10": average_precision(ten, sizes),
        "hit@10": ten.any(axis=1).astype(np.float64),
        "recall@20": twenty.sum(axis=1) / sizes,
        "capped recall@20": twenty.sum(axis=1) / np.minimum(sizes, 20),
    }


def ndcg(hits: Hits, sizes: Ints) -> Floats:
    """Return the discounted gain, over that of the best list (Jarvelin and Kekalainen, TOIS 2002)."""
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    best = np.cumsum(discounts)[np.minimum(sizes, hits.shape[1]) - 1]
    return np.asarray((hits * discounts).sum(axis=1) / best)


def average_precision(hits: Hits, sizes: Ints) -> Floats:
    """Return the sum of the precisions at the hits, over the most hits there could be."""
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precisions * hits).sum(axis=1) / np.minimum(sizes, hits.shape[1]))
