"""How alike two items are, from how many users have one, the other, and both. Pure formulas on columns."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from podreduce_apps.recommendation.lists import Ints

__all__ = ["SIMILARITIES", "cosine", "jaccard", "log_likelihood", "nearest"]

Floats = npt.NDArray[np.float64]
Similarity = Callable[[Ints, int, Ints, int], Floats]


def cosine(both: Ints, one: int, other: Ints, _users: int) -> Floats:
    """Return the cosine of the items' users, as 0/1 vectors (Sarwar et al., WWW 2001)."""
    return np.asarray(both / np.sqrt(one * other.astype(np.float64)))


def jaccard(both: Ints, one: int, other: Ints, _users: int) -> Floats:
    """Return the users that have both, as a share of those that have one or the other."""
    return np.asarray(both / (one + other - both))


def log_likelihood(both: Ints, one: int, other: Ints, users: int) -> Floats:
    """Return 1 - 1 / (1 + G2), Dunning's log-likelihood ratio made a number below 1, as Mahout has it.

    Dunning, Accurate Methods for the Statistics of Surprise and Coincidence, Computational Linguistics 1993. A pair
    that is together less often than by chance is not alike: 0.
    """
    table = np.stack([both, one - both, other - both, users - one - other + both]).astype(np.float64)
    rows = entropy(table[0] + table[1], table[2] + table[3])
    columns = entropy(table[0] + table[2], table[1] + table[3])
    ratio = np.maximum(2 * (rows + columns - entropy(*table)), 0)
    expected = one * (other / users)
    return np.where(both > expected, 1 - 1 / (1 + ratio), 0)


def entropy(*counts: Floats) -> Floats:
    """Return N ln N - sum n ln n of counts n with the sum N, the entropy times N."""
    total = sum(counts, np.zeros(1))
    return np.asarray(x_log_x(total) - sum((x_log_x(count) for count in counts), np.zeros(1)))


def x_log_x(x: Floats) -> Floats:
    """Return x ln x, which is 0 at 0."""
    return np.asarray(x * np.log(np.where(x > 0, x, 1)))


SIMILARITIES: dict[str, Similarity] = {"cosine": cosine, "jaccard": jaccard, "llr": log_likelihood}


def nearest(scores: Floats, most: int) -> npt.NDArray[np.int64]:
    """Return the places of the highest scores above 0, the highest first, of equal ones the first."""
    places = np.flatnonzero(scores > 0)
    if len(places) > most:
        found = scores[places]
        places = places[found >= np.partition(found, -most)[-most]]
    return places[np.lexsort((places, -scores[places]))][:most]
