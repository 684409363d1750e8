"""Quality of communities: what lies within each, how sharp its border is, and whether known groups agree."""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.components import roots_of_stars
from podreduce_apps.socialnetwork.graph import Floats, Ints, read_rows, row_numbers

__all__ = ["Quality", "average_f1", "conductances", "modularity_of_sums"]

COLUMNS = ("members", "entriesWithin", "weightWithin", "volume")


class Quality:
    """Rows of the graph → community, members, entriesWithin, weightWithin (both twice each edge), volume."""

    def setup(self, context: JobContext) -> None:
        """Read the communities."""
        self.labels = np.zeros(0, np.int64)
        if context.task.startswith("m"):
            self.labels = roots_of_stars(context.side_table("names").num_rows, context.side_table("within"))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the sums of a batch's rows, by community."""
        rows, labels = read_rows(batch), self.labels
        here = labels[rows.vertices]
        inside = here[row_numbers(rows)] == labels[rows.neighbours]
        return sum_rows_of(
            np.concatenate([here, here[row_numbers(rows)]]),
            np.repeat([1, 0], [len(here), len(inside)]),
            np.concatenate([np.zeros(len(here), np.int64), inside.astype(np.int64)]),
            np.concatenate([np.zeros(len(here), np.int64), rows.weights * inside]),
            np.concatenate([np.zeros(len(here), np.int64), rows.weights]),
        )

    def reduce_batch(self, batch: Any) -> Any:  # noqa: ANN401 - likewise
        """Add up the sums of each community."""
        sums = sum_rows_of(batch["key"].to_numpy(), *(batch[name].to_numpy() for name in COLUMNS))
        return sums.rename_columns(["community", *COLUMNS])


def sum_rows_of(keys: Ints, *columns: Ints) -> Any:  # noqa: ANN401 - a Table
    """Return the sums of the columns for each distinct key."""
    found, places = np.unique(keys, return_inverse=True)
    sums = {}
    for name, column in zip(COLUMNS, columns, strict=True):
        total = np.zeros(len(found), np.int64)
        np.add.at(total, places, column)
        sums[name] = pa.array(total, pa.int64())
    return pa.table({"key": pa.array(found, pa.int64()), **sums})


def modularity_of_sums(weights_within: Ints, volumes: Ints) -> float:
    """Return Q = Σ_c (w_c / 2m - (K_c / 2m)²) (Newman and Girvan 2004); 0 for a graph without edges."""
    total = int(volumes.sum())
    if not total:
        return 0.0
    return float(int(weights_within.sum()) / total - ((volumes / total) ** 2).sum())


def conductances(weights_within: Ints, volumes: Ints) -> Floats:
    """Return for each community which share of the edges at its smaller side leaves it; 0 for one without edges."""
    cuts = volumes - weights_within
    sides = np.minimum(volumes, volumes.sum() - volumes)
    shares: Floats = np.where(cuts > 0, cuts / np.maximum(sides, 1), 0.0)
    return shares


def average_f1(found: Ints, known: Ints) -> float:
    """Return how well communities and known groups match, from 0 to 1 (Yang and Leskovec, WSDM 2013).

    It is the mean of the best F1 of each community with a group, and that of each group with a community.
    """
    table = np.zeros((found.max() + 1, known.max() + 1))
    np.add.at(table, (found, known), 1)
    scores = 2 * table / (table.sum(1)[:, None] + table.sum(0)[None, :])
    return float((scores.max(1).mean() + scores.max(0).mean()) / 2)
