"""How good a ranking is: AUC, average precision, Brier score, calibration, and card precision at k a day. Pure.

AUC and average precision treat rows with the same score as one step, as scikit-learn does; AUC is counted in integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from podreduce_apps.counted_nouns import count_of

__all__ = ["Curve", "calibration_bins", "card_precision", "expected_calibration_error", "ranking_curve"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curve:
    """The steps of a ranking from the highest score down.

    Attributes:
        thresholds: the score of each step.
        true: frauds at or above it.
        false: others at or above it.
    """

    thresholds: Floats
    true: Ints
    false: Ints

    def precision(self) -> Floats:
        """Return the share of frauds at or above each step."""
        return np.asarray(self.true / (self.true + self.false))

    def recall(self) -> Floats:
        """Return which share of all frauds is at or above each step."""
        return np.asarray(self.true / self.true[-1])

    def average_precision(self) -> float:
        """Return the mean of the precision over the frauds: the area below precision over recall, without curves."""
        gained = np.diff(self.true, prepend=0)
        return float(np.sum(self.precision() * gained) / self.true[-1])

    def auc(self) -> float:
        """Return the probability that a fraud has a higher score than another row; half for equal scores."""
        gained, others = np.diff(self.true, prepend=0), np.diff(self.false, prepend=0)
        below = self.false[-1] - self.false
        with_frauds = gained > 0
        steps = (each[with_frauds].tolist() for each in (gained, below, others))
        pairs: int = sum(a * (2 * b + c) for a, b, c in zip(*steps, strict=True))
        return pairs / (2 * int(self.true[-1]) * int(self.false[-1]))


def ranking_curve(scores: Floats, fraud: npt.NDArray[np.int8]) -> Curve:
    """Return the curve of scores.

    Raises:
        ValueError: there are no frauds, or nothing else, so that nothing can be ranked.
    """
    if not 0 < np.count_nonzero(fraud) < len(fraud):
        rows, frauds = count_of(len(fraud), "row"), count_of(int(np.count_nonzero(fraud)), "fraud")
        raise ValueError(f"{rows} with {frauds}: a ranking needs both kinds")
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], fraud[order].astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, values=True))
    true = np.cumsum(hits)[last]
    false = last + 1 - true
    return Curve(sorted_scores[last], true, false)


def card_precision(
    days: Ints, cards: Ints, scores: Floats, fraud: npt.NDArray[np.int8], k: int, *, found_leave: bool
) -> tuple[float, list[float]]:
    """Return the mean over the days of the share of misused cards among the k with the highest scores, and each day's.

    With `found_leave` a misused card that was among the k of a day is no longer listed on later days.
    The share is of k, also on days with fewer cards.
    """
    found: set[int] = set()
    shares = []
    for day in np.unique(days):
        chosen = days == day
        ranked = rank_cards(cards[chosen], scores[chosen], fraud[chosen])
        listed = [(card, is_misused) for card, is_misused in ranked if card not in found][:k]
        hits = {card for card, is_misused in listed if is_misused}
        found |= hits if found_leave else set()
        shares.append(len(hits) / k)
    return float(np.mean(shares)), shares


def rank_cards(cards: Ints, scores: Floats, fraud: npt.NDArray[np.int8]) -> Sequence[tuple[int, bool]]:
    """Return the cards of a day by their highest scores (by token, if equal), and whether any transaction is fraud."""
    names, codes = np.unique(cards, return_inverse=True)
    highest, is_misused = np.full(len(names), -np.inf), np.zeros(len(names), np.int8)
    np.maximum.at(highest, codes, scores)
    np.maximum.at(is_misused, codes, fraud)
    order = np.lexsort((names, -highest))
    return [(int(names[i]), bool(is_misused[i])) for i in order]


def calibration_bins(probability: Floats, fraud: npt.NDArray[np.int8], bins: int) -> list[tuple[int, float, float]]:
    """Return rows, mean probability and share of frauds of bins with equally many rows, by probability.

    Of equal probabilities at the end of a bin frauds go to the next one, in whatever order the rows are.
    """
    order = np.lexsort((fraud, probability))
    return [
        (len(part), float(np.mean(probability[part])), float(np.mean(fraud[part])))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def expected_calibration_error(bins: Sequence[tuple[int, float, float]]) -> float:
    """Return how far the shares of fraud are from the probabilities, in the mean over the rows."""
    rows = sum(count for count, _, _ in bins)
    return sum(count * abs(share - mean) for count, mean, share in bins) / rows
