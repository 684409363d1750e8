"""When a graph is small enough to be solved by one task before the rounds begin.

A loop's first step solves a graph of up to `oneTaskEdges` edges as far as the round before the last, so the loop has
one round left to do. Of a larger graph it only writes the state before the first round. Both ways give the same bytes.
"""

from typing import Any

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.socialnetwork.graph import Ints, dense_ints

__all__ = ["Degrees", "is_small", "vertices_of"]


class Degrees:
    """How many neighbours each vertex has, from the side input `degrees`."""

    def __init__(self, context: JobContext) -> None:
        table = context.side_table("degrees")
        self.neighbours = dense_ints(table, "degree")
        self.out = dense_ints(table, "outDegree")

    def __len__(self) -> int:
        return len(self.neighbours)


def is_small(context: JobContext, degrees: Degrees) -> bool:
    """Tell whether one task solves the graph."""
    return int(degrees.neighbours.sum()) // 2 <= read_whole(context.parameters, "oneTaskEdges", least=0)


def vertices_of(batch: Any) -> Ints:  # noqa: ANN401 - a RecordBatch with the column vertex
    """Return the vertices whose state a task writes."""
    vertices: Ints = batch["vertex"].to_numpy()
    return vertices
