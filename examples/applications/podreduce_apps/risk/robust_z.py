"""How unusual an amount is for its card: the distance from the card's median in robust standard deviations. Pure.

Median and MAD (median absolute deviation) are those of the card's last transactions before this one. One large amount
does not move them, as it would a mean. A card that always pays the same has a MAD of 0: the scale has a least value.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["robust_z"]

HISTORY = 50
LEAST_HISTORY = 5
TO_DEVIATION = 1.4826
"""A standard deviation of normally distributed values, in MADs."""
LEAST_SCALE_CENTS, LEAST_SCALE_SHARE = 100.0, 0.05

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def robust_z(amounts: Ints, first: Ints, chosen: Ints) -> Floats:
    """Return the score of the chosen rows, and 0 for all others.

    Args:
        amounts: of all rows, sorted by card and time.
        first: for each row the first row of its card that still counts.
        chosen: which rows to score. One with fewer than five before it has no score: 0.
    """
    places = chosen[:, None] - 1 - np.arange(HISTORY)
    is_known = places >= first[chosen][:, None]
    history = np.where(is_known, amounts[np.maximum(places, 0)], np.inf)
    counts = is_known.sum(axis=1)
    medians = median_of_known(history, counts)
    distances = np.abs(history - medians[:, None])
    scale = np.maximum(TO_DEVIATION * median_of_known(distances, counts), LEAST_SCALE_CENTS)
    scale = np.maximum(scale, LEAST_SCALE_SHARE * np.abs(medians))
    scores = np.zeros(len(amounts))
    scores[chosen] = np.where(counts >= LEAST_HISTORY, (amounts[chosen] - medians) / scale, 0.0)
    return scores


def median_of_known(values: Floats, counts: Ints) -> Floats:
    """Return the median of the first `counts` values of each row in order; the others are infinite. 0 if none is."""
    in_order, rows = np.sort(values, axis=1), np.arange(len(values))
    low, high = np.maximum(counts - 1, 0) // 2, counts // 2
    low_values, high_values = in_order[rows, low], in_order[rows, np.minimum(high, values.shape[1] - 1)]
    return np.where(counts > 0, (low_values + high_values) / 2, 0.0)
