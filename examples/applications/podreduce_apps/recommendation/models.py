"""What recommends: each model gives every item a score for a history, and names the item of it that counts most.

An item with a score of 0 or less is not recommended by the model. What is missing of a list is filled up with what is
popular, so a user without a history has a list, too.
"""

from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets, rows_of_values
from podreduce_apps.recommendation.similarity import Floats, nearest

__all__ = ["NO_REASON", "EaseModel", "Model", "NeighbourModel", "Popularity", "RandomModel", "Ranking", "rank_items"]

NO_REASON = -1
HASH_SEED = 1
RANDOM_BITS = 11


class Model(Protocol):
    """Scores items for a user."""

    def score(self, user: str, history: Ints) -> Floats:
        """Return a score for each item."""

    def find_reasons(self, history: Ints, items: Ints) -> Ints:
        """Return, for each of some items, the item of the history to which it owes most; NO_REASON for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A user's list: items by id, the best first, with their scores and reasons."""

    items: Ints
    scores: Floats
    reasons: Ints


def rank_items(model: Model, popularity: "Popularity", user: str, history: Ints, length: int) -> Ranking:
    """Return a user's list: what the model gives, without what the user has, filled up with what is popular."""
    scores = model.score(user, history)
    scores[history] = 0
    best = nearest(scores, length)
    reasons = model.find_reasons(history, best) if len(best) else best
    fill = popularity.best_without(np.concatenate((history, best)), length - len(best))
    return Ranking(
        items=np.concatenate((best, fill)),
        scores=np.concatenate((scores[best], np.zeros(len(fill)))),
        reasons=np.concatenate((reasons, np.full(len(fill), NO_REASON))),
    )


class Popularity:
    """What is popular, recent events counting more; the same list for all, without what each user has."""

    def __init__(self, popularity: Ints, counts: Ints) -> None:
        self.order = np.lexsort((np.arange(len(counts)), -counts, -popularity))

    def best_without(self, left_out: Ints, length: int) -> Ints:
        """Return the most popular items that are not left out."""
        first = self.order[: length + len(left_out)]
        return first[~np.isin(first, left_out)][:length]

    def score(self, _user: str, _history: Ints) -> Floats:
        """Return no scores: all of the list is filled up."""
        return np.zeros(len(self.order))

    def find_reasons(self, _history: Ints, items: Ints) -> Ints:
        """Return none."""
        return np.full(len(items), NO_REASON)


class RandomModel:
    """Chance, seeded by the user's name: what any model has to be better than."""

    def __init__(self, items: int) -> None:
        self.words = np.arange(items, dtype=np.uint64)

    def score(self, user: str, _history: Ints) -> Floats:
        """Return numbers between 0 and 1."""
        hashes = hash_numbers(np.uint64(crc32(user.encode()) << 32) + self.words, HASH_SEED)
        return np.asarray((hashes >> np.uint64(RANDOM_BITS)) * 2.0**-53)

    def find_reasons(self, _history: Ints, items: Ints) -> Ints:
        """Return none."""
        return np.full(len(items), NO_REASON)


class NeighbourModel:
    """Item-kNN: an item's score is the sum of its similarities to those of its nearest items that the user has."""

    def __init__(self, neighbours: pa.Table, items: int) -> None:
        """`neighbours`: as `neighbours.Neighbours` yields them."""
        self.items = items
        owners, ids, scores = read_neighbours(neighbours)
        order = np.lexsort((owners, ids))
        self.edges = np.concatenate(([0], np.cumsum(np.bincount(ids, minlength=items)))).astype(np.int64)
        self.owners, self.scores = owners[order], scores[order]

    def places(self, history: Ints) -> tuple[Ints, Ints]:
        """Return where the entries of the history's items are, and how many each has."""
        starts, sizes = self.edges[history], self.edges[history + 1] - self.edges[history]
        return np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum()), sizes

    def score(self, _user: str, history: Ints) -> Floats:
        """Return the sums of similarities."""
        places, _ = self.places(history)
        return np.bincount(self.owners[places], weights=self.scores[places], minlength=self.items).astype(np.float64)

    def find_reasons(self, history: Ints, items: Ints) -> Ints:
        """Return the most similar item of the history; of equal ones the first."""
        places, sizes = self.places(history)
        slots = np.full(self.items, -1)
        slots[items] = np.arange(len(items))
        found = slots[self.owners[places]]
        inside = found >= 0
        causes, slot, scores = np.repeat(history, sizes)[inside], found[inside], self.scores[places[inside]]
        order = np.lexsort((causes, -scores, slot))
        _, first = np.unique(slot[order], return_index=True)
        return causes[order[first]]


def read_neighbours(table: pa.Table) -> tuple[Ints, Ints, Floats]:
    """Return item, neighbour and similarity of each pair, from a table of the columns key and value."""
    if not table.num_rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    table = table.combine_chunks()
    lists: Any = table["value"].chunk(0)
    ids, scores = lists.field("ids"), lists.field("scores")
    owners = table["key"].to_numpy()[rows_of_values(list_offsets(ids))]
    return owners, flat_values(ids).to_numpy(), flat_values(scores).to_numpy()


class EaseModel:
    """The linear model of `ease`: an item's score is the sum of the weights from the user's items to it."""

    def __init__(self, weights: npt.NDArray[np.float32]) -> None:
        self.weights = weights

    @classmethod
    def from_table(cls, table: pa.Table) -> "EaseModel":
        """Return the model that `ease.Ease` yielded as rows of bytes."""
        rows = table.sort_by("key")["value"].to_pylist()
        return cls(np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), len(rows)))

    def score(self, _user: str, history: Ints) -> Floats:
        """Return the sums of weights."""
        return np.asarray(self.weights[history].sum(axis=0, dtype=np.float64))

    def find_reasons(self, history: Ints, items: Ints) -> Ints:
        """Return the item of the history with the largest weight; of equal ones the first."""
        return np.asarray(history[self.weights[np.ix_(history, items)].argmax(axis=0)])
