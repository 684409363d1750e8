"""Connected components by alternating large-star and small-star.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: "Connected Components in MapReduce and Beyond", SoCC 2014. Each
component ends as a star: every vertex is linked to the smallest of its component. Before the first iteration a task
replaces the edges of each batch by stars, which connect the same vertices with fewer edges; a graph that fits into a
batch is solved by that. The same classes find the connected parts inside of communities.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.graph import Ints, Rows, dense_ints, keep_entries, read_rows, row_numbers

__all__ = ["Contract", "ContractWithin", "LargeStar", "SmallStar", "find_roots", "roots_of_stars"]


class Contract:
    """Rows of the graph → vertex, neighbour: a star for each component of a batch."""

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield each vertex of a batch with the smallest that the batch's edges connect it to."""
        return contract_rows(read_rows(batch))


class ContractWithin:
    """As `Contract`, with only those edges that are inside of a community."""

    def setup(self, context: JobContext) -> None:
        """Read the communities."""
        self.labels = dense_ints(context.side_table("labels"), "label")

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield each vertex of a batch with the smallest of its community that the batch's edges connect it to."""
        rows = read_rows(batch)
        here = self.labels[rows.vertices][row_numbers(rows)]
        return contract_rows(keep_entries(rows, here == self.labels[rows.neighbours]))


class Star:
    """What both stars share: neighbours sorted, so that the first of a vertex is its smallest."""

    key_columns = ("vertex", "neighbour")
    counter = ""

    def setup(self, context: JobContext) -> None:
        """Begin before the first vertex."""
        self.context = context
        self.last, self.smallest = -1, -1

    def read_groups(self, batch: Any) -> tuple[Ints, Ints, Ints]:  # noqa: ANN401 - a RecordBatch
        """Return the distinct edges of a batch, and for each edge the smallest of its vertex and its neighbours."""
        vertices, neighbours = batch["vertex"].to_numpy(), batch["neighbour"].to_numpy()
        is_new = np.concatenate([[True], (vertices[1:] != vertices[:-1]) | (neighbours[1:] != neighbours[:-1])])
        vertices, neighbours = vertices[is_new], neighbours[is_new]
        starts = np.flatnonzero(np.concatenate([[True], vertices[1:] != vertices[:-1]]))
        first = np.minimum(vertices[starts], neighbours[starts])
        if vertices[0] == self.last:
            first[0] = self.smallest
        self.last, self.smallest = int(vertices[-1]), int(first[-1])
        return vertices, neighbours, np.repeat(first, np.diff(np.append(starts, len(vertices))))


class LargeStar(Star):
    """Links each larger neighbour of a vertex to the smallest of them all."""

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield each edge from both ends."""
        ends = [batch["vertex"].to_numpy(), batch["neighbour"].to_numpy()]
        return edge_table(np.concatenate(ends), np.concatenate(ends[::-1]))

    def reduce_batch(self, batch: Any) -> Any:  # noqa: ANN401 - likewise
        """Yield the new edges, and count those that are not the old ones."""
        vertices, neighbours, smallest = self.read_groups(batch)
        larger = neighbours > vertices
        self.context.count("components", "changed", int((smallest < vertices)[larger].sum()))
        return edge_table(neighbours[larger], smallest[larger])


class SmallStar(Star):
    """Links a vertex and its smaller neighbours to the smallest of them."""

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield each edge from its larger end."""
        ends = batch["vertex"].to_numpy(), batch["neighbour"].to_numpy()
        return edge_table(np.maximum(*ends), np.minimum(*ends))

    def reduce_batch(self, batch: Any) -> Any:  # noqa: ANN401 - likewise
        """Yield the new edges, and count those that are not the old ones."""
        vertices, neighbours, smallest = self.read_groups(batch)
        others = neighbours != smallest
        self.context.count("components", "changed", int(others.sum()))
        return edge_table(np.where(others, neighbours, vertices), smallest)


def edge_table(vertices: Ints, neighbours: Ints) -> Any:  # noqa: ANN401 - a Table
    """Return edges as a table."""
    return pa.table({"vertex": pa.array(vertices, pa.int64()), "neighbour": pa.array(neighbours, pa.int64())})


def contract_rows(rows: Rows) -> Any:  # noqa: ANN401 - a Table
    """Return a star for each component of the rows' edges."""
    vertices = rows.vertices[row_numbers(rows)]
    once = rows.neighbours < vertices  # the other end has the edge, too
    ends = vertices[once], rows.neighbours[once]
    names, numbers = np.unique(np.concatenate(ends), return_inverse=True)
    half = len(ends[0])
    roots = find_roots(len(names), numbers[:half], numbers[half:])
    is_leaf = roots != np.arange(len(names))
    return edge_table(names[is_leaf], names[roots[is_leaf]])


def find_roots(count: int, sources: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> Ints:
    """Return for each of `count` vertices the smallest vertex that it is connected to.

    Each round hooks the root of the larger end to that of the smaller one, then shortens the paths (Shiloach and
    Vishkin 1982, without its concurrent writes).
    """
    roots = np.arange(count)
    while True:
        ends = roots[sources], roots[targets]
        apart = ends[0] != ends[1]
        if not apart.any():
            return roots
        sources, targets = sources[apart], targets[apart]
        np.minimum.at(roots, np.maximum(*ends)[apart], np.minimum(*ends)[apart])
        while not np.array_equal(shorter := roots[roots], roots):
            roots = shorter


def roots_of_stars(count: int, stars: Any) -> Ints:  # noqa: ANN401 - a Table with the columns vertex and neighbour
    """Return the smallest vertex of each vertex's component, from the stars; a vertex without an edge is its own."""
    roots = np.arange(count)
    if stars.num_rows:
        roots[stars["vertex"].to_numpy()] = stars["neighbour"].to_numpy()
    return roots
