"""Triangles at each vertex.

NodeIterator++ of Suri and Vassilvitskii, "Counting triangles and the curse of the last reducer", WWW 2011. Each edge
points to the end with more neighbours, so no vertex has more than the square root of 2m edges ahead of it; two edges
ahead of one vertex whose far ends are joined make a triangle, which is found once.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.graph import Ints, Rows, group_sums, keep_entries, row_numbers, sorted_rows

__all__ = ["Triangles", "count_triangles", "local_clustering"]

WEDGES_AT_A_TIME = 4_000_000


class Triangles:
    """Vertices → vertex, triangles; vertices without any are left out. Reads the graph as a side input."""

    combiner = "sum"

    def setup(self, context: JobContext) -> None:
        """Point all edges."""
        self.context = context
        self.ahead = None
        if context.task.startswith("m"):
            self.ahead = point_edges(sorted_rows(context.side_table("graph")))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield how many triangles each vertex has of which the batch has the first vertex."""
        found = [np.zeros(0, np.int64)]
        for corners in find_triangles(self.ahead, batch["vertex"].to_numpy()):
            self.context.count("graph", "triangles", len(corners) // 3)
            self.context.progress()
            found.append(corners)
        corners = np.concatenate(found)
        vertices, counts = group_sums(corners, np.ones(len(corners), np.int64))
        return pa.table({"key": pa.array(vertices, pa.int64()), "value": pa.array(counts, pa.int64())})


def point_edges(rows: Rows) -> Rows:
    """Return each edge once, at the end with fewer neighbours; of equal ones at the smaller."""
    degrees = np.diff(rows.offsets)
    vertices = row_numbers(rows)
    here, there = degrees[vertices], degrees[rows.neighbours]
    return keep_entries(rows, (here < there) | ((here == there) & (vertices < rows.neighbours)))


def find_triangles(ahead: Any, vertices: Ints) -> Iterator[Ints]:  # noqa: ANN401 - Rows
    """Yield the corners of all triangles whose first vertex is one of these, some at a time."""
    count = len(ahead.vertices)
    codes = row_numbers(ahead) * count + ahead.neighbours
    starts, sizes = ahead.offsets[:-1], np.diff(ahead.offsets)
    firsts, seconds = expand(ahead.neighbours, starts, sizes, vertices, vertices)
    ends = np.cumsum(sizes[seconds])
    cuts = np.searchsorted(ends, np.arange(0, ends.max(initial=0), WEDGES_AT_A_TIME))
    for begin, end in pairwise([*cuts.tolist(), len(firsts)]):
        places, thirds = expand(ahead.neighbours, starts, sizes, seconds[begin:end], np.arange(begin, end))
        wanted = firsts[places] * count + thirds
        found = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        closed = codes[found] == wanted
        yield np.concatenate([firsts[places[closed]], seconds[places[closed]], thirds[closed]])


def expand(neighbours: Ints, starts: Ints, sizes: Ints, vertices: Ints, tags: Ints) -> tuple[Ints, Ints]:
    """Return each vertex's tag beside each of its neighbours."""
    counts = sizes[vertices]
    first = np.repeat(starts[vertices] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.repeat(tags, counts), neighbours[first + np.arange(len(first))]


def count_triangles(rows: Rows) -> Ints:
    """Return how many triangles each vertex of a whole graph is in."""
    corners = [np.zeros(0, np.int64), *find_triangles(point_edges(rows), rows.vertices)]
    return np.bincount(np.concatenate(corners), minlength=len(rows.vertices))


def local_clustering(triangles: Ints, degrees: Ints) -> Any:  # noqa: ANN401 - a vector
    """Return which share of each vertex's pairs of neighbours are joined (Watts and Strogatz 1998); 0 without pairs."""
    return 2 * triangles / np.maximum(degrees * (degrees - 1), 1)
