"""Core numbers: a vertex is in the k-core if k of its neighbours are.

From the degrees on, each vertex takes the h-index of its neighbours' numbers until none changes (Lü, Zhou, Zhang,
Stanley: "The H-index of a network node", Nature Communications 2016, theorem 2).
"""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.graph import Ints, Rows, dense_ints, read_rows, row_numbers, sorted_rows
from podreduce_apps.socialnetwork.solving import Degrees, is_small, vertices_of

__all__ = ["Cores", "StartCores", "h_indices", "solve_cores"]


class StartCores:
    """Names → vertex, core: the degrees, or of a small graph the core numbers."""

    def setup(self, context: JobContext) -> None:
        """Solve a small graph."""
        degrees = Degrees(context)
        self.cores = degrees.neighbours
        if is_small(context, degrees):
            self.cores = solve_cores(sorted_rows(context.side_table("graph")))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the state of a batch's vertices."""
        vertices = vertices_of(batch)
        return pa.table({"vertex": vertices, "core": self.cores[vertices]})


class Cores:
    """Rows of the graph → vertex, core after a round."""

    def setup(self, context: JobContext) -> None:
        """Read the numbers of the round before."""
        self.context = context
        self.cores = dense_ints(context.side_table("cores"), "core")

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the new numbers of a batch's vertices, and count those that changed."""
        rows = read_rows(batch)
        cores = h_indices(rows, self.cores)
        self.context.count("cores", "changed", int((cores != self.cores[rows.vertices]).sum()))
        return pa.table({"vertex": rows.vertices, "core": cores})


def h_indices(rows: Rows, numbers: Ints) -> Ints:
    """Return for each row the largest h such that h of its neighbours have a number of at least h."""
    places, values = row_numbers(rows), numbers[rows.neighbours]
    order = np.lexsort((-values, places))
    position = np.arange(len(values)) - rows.offsets[:-1][places]
    return np.bincount(places[values[order] > position], minlength=len(rows.vertices))


def solve_cores(rows: Rows) -> Ints:
    """Return the core number of each vertex of a whole graph."""
    cores = np.diff(rows.offsets)
    while True:
        following = h_indices(rows, cores)
        if np.array_equal(following, cores):
            return cores
        cores = following
