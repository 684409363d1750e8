"""Alternating least squares: a matrix of users by items as the product of two thin ones. Pure formulas on columns.

With the factors of one side fixed, each row of the other is a small system of equations of its own. So a round is two
passes without a shuffle, users and then items, and no pass makes the loss larger. What is computed of a row does not
depend on the rows beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.recommendation.lists import Ints, keep_in_lists, rows_of_values

__all__ = ["Choices", "Floats", "Objective", "Ratings", "Rows", "start_factors"]

Floats = npt.NDArray[np.float64]
START_WIDTH = 0.2
HASH_SEED = 2
BATCH_ROWS = 1024
"""How many systems are solved at a time: 8 MiB with 32 factors."""
PART_ENTRIES = 1 << 16
"""How many entries of a row are added up at a time: a popular item needs no more memory than another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of the matrix. Row r has the entries from `offsets[r]` to `offsets[r + 1]`.

    Attributes:
        numbers: (r,) which user, or item, each row is.
        offsets: (r + 1,) where the entries of each row begin, and the end of the last.
        others: (e,) the number of each entry on the other side.
        values: (e,) what is left of the rating without the baseline; NaN: chosen without a rating.
    """

    numbers: Ints
    offsets: Ints
    others: Ints
    values: Floats


class Objective(Protocol):
    """What is minimised."""

    def solve(self, rows: Rows, other: Floats) -> Floats:
        """Return the best factors of the rows, given those of the whole other side, by number."""
        ...

    def losses(self, rows: Rows, own: Floats, other: Floats, count: int) -> Floats:
        """Return each row's part of the loss; `own`: the rows' factors, `count`: how many rows there are in all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Who chose what: a choice is a 1 and all else a 0, in which there is less confidence.

    Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008. The confidence is
    1 + `weight` in a choice, and 1 in all else.
    """

    weight: float
    penalty: float

    def solve(self, rows: Rows, other: Floats) -> Floats:
        """Return the best factors of the rows."""
        ridge = other.T @ other + self.penalty * np.eye(other.shape[1])
        targets = np.full(len(rows.others), 1 + self.weight)
        found = np.zeros((len(rows.numbers), other.shape[1]))
        for batch in batches_of(len(found)):
            left, right = add_rows(rows, batch, other, targets)
            found[batch] = np.linalg.solve(self.weight * left + ridge, right[..., None])[..., 0]
        return found

    def losses(self, rows: Rows, own: Floats, other: Floats, count: int) -> Floats:
        """Return each row's part of the loss, and of the penalty of the other side."""
        gram = other.T @ other
        scores = dot_entries(rows, own, other)
        chosen = sum_entries((1 + self.weight) * (1 - scores) ** 2 - scores**2, rows.offsets)
        everything = np.array([row @ gram @ row for row in own])
        return np.asarray(chosen + everything + self.penalty * ((own**2).sum(axis=1) + (other**2).sum() / count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What people said of what they chose; the penalty of a row grows with its number of ratings.

    Zhou, Wilkinson, Schreiber and Pan, Large-Scale Parallel Collaborative Filtering for the Netflix Prize, AAIM 2008.
    """

    penalty: float

    def solve(self, rows: Rows, other: Floats) -> Floats:
        """Return the best factors of the rows; zeros for a row without a rating."""
        rows = rated_entries(rows)
        sizes = np.diff(rows.offsets)
        ridges = np.where(sizes > 0, self.penalty * sizes, 1)[:, None, None] * np.eye(other.shape[1])
        found = np.zeros((len(rows.numbers), other.shape[1]))
        for batch in batches_of(len(found)):
            left, right = add_rows(rows, batch, other, rows.values)
            found[batch] = np.linalg.solve(left + ridges[batch], right[..., None])[..., 0]
        return found

    def losses(self, rows: Rows, own: Floats, other: Floats, count: int) -> Floats:  # noqa: ARG002 - the protocol's
        """Return each row's part of the loss: of each rating, with the penalty of both its sides."""
        rows = rated_entries(rows)
        errors = rows.values - dot_entries(rows, own, other)
        sides = (own**2).sum(axis=1)[rows_of_values(rows.offsets)] + (other**2).sum(axis=1)[rows.others]
        return sum_entries(errors**2 + self.penalty * sides, rows.offsets)


def start_factors(count: int, width: int) -> Floats:
    """Return factors to begin with: small numbers that depend on the row and the place alone."""
    words = np.arange(count, dtype=np.uint64)[:, None] << np.uint64(16) | np.arange(width, dtype=np.uint64)
    chance = (hash_numbers(words, HASH_SEED) >> np.uint64(11)) * 2.0**-53
    return np.asarray((chance - 0.5) * START_WIDTH)


def rated_entries(rows: Rows) -> Rows:
    """Return the rows with only those entries that have a value."""
    rated = np.isfinite(rows.values)
    if rated.all():
        return rows
    offsets = keep_in_lists(rows.offsets, rated)
    return replace(rows, offsets=offsets, others=rows.others[rated], values=rows.values[rated])


def batches_of(count: int) -> Iterator[slice]:
    """Yield the rows in batches."""
    for start in range(0, count, BATCH_ROWS):
        yield slice(start, min(start + BATCH_ROWS, count))


def parts_of_row(rows: Rows, row: int) -> Iterator[slice]:
    """Yield a row's entries in parts."""
    end = int(rows.offsets[row + 1])
    for start in range(int(rows.offsets[row]), end, PART_ENTRIES):
        yield slice(start, min(start + PART_ENTRIES, end))


def add_rows(rows: Rows, batch: slice, other: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Return, for each row, the sum of y y^T and that of t y: y are the other side's factors, t the targets."""
    width, count = other.shape[1], batch.stop - batch.start
    left, right = np.zeros((count, width, width)), np.zeros((count, width))
    for place in range(count):
        for part in parts_of_row(rows, batch.start + place):
            factors = other[rows.others[part]]
            left[place] += factors.T @ factors
            right[place] += targets[part] @ factors
    return left, right


def dot_entries(rows: Rows, own: Floats, other: Floats) -> Floats:
    """Return the product of both sides' factors for each entry."""
    found, owners = np.zeros(len(rows.others)), rows_of_values(rows.offsets)
    for start in range(0, len(found), PART_ENTRIES):
        part = slice(start, start + PART_ENTRIES)
        found[part] = (own[owners[part]] * other[rows.others[part]]).sum(axis=1)
    return found


def sum_entries(values: Floats, offsets: Ints) -> Floats:
    """Return the sum of each row's values."""
    sums = np.zeros(len(offsets) - 1)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return sums
