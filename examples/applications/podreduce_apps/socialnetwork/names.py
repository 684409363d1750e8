"""Names: numbers the vertices in the order of their names, and keeps their groups."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.lines import has_nodes, parse_edges, parse_nodes

__all__ = ["Names"]

MOST_VERTICES = 2**31 - 1


class Names:
    """Lines → vertex, name, group. In one reduce task, because the numbers follow each other."""

    def setup(self, context: JobContext) -> None:
        """Begin with vertex 0."""
        self.context = context
        self.next = 0

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield each name of a batch once, with its group."""
        if has_nodes(self.context.uri):
            names, groups = parse_nodes(batch)
            return pa.table({"key": names, "group": groups})
        edges = parse_edges(batch)
        names = pc.unique(pa.concat_arrays([edges.sources, edges.targets]))
        return pa.table({"key": names, "group": pa.repeat("", len(names))})

    def reduce_batch(self, batch: Any) -> Any:  # noqa: ANN401 - likewise
        """Number the names; of several groups of one name the last in the order of texts counts."""
        groups = pa.table(batch).group_by("key", use_threads=False)
        # Arrow promises no order of groups, and the order is what numbers the vertices.
        found = groups.aggregate([("group", "max")]).sort_by("key")
        first, self.next = self.next, self.next + found.num_rows
        if self.next > MOST_VERTICES:
            raise ValueError(f"there are more than {MOST_VERTICES} vertices: split the graph")
        self.context.count("graph", "vertices", found.num_rows)
        numbers = pa.array(np.arange(first, self.next, dtype=np.int64))
        return pa.table({"vertex": numbers, "name": found["key"], "group": found["group_max"]})
