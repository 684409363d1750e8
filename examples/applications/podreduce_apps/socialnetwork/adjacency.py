"""Adjacency: from lines to the rows of the graph.

A vertex's neighbours travel as one list for each batch of lines, not as a record for each edge: fewer records to sort,
and a vertex with a million neighbours still reaches the reduce in one batch.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_switch
from podreduce_apps.socialnetwork.graph import IN, OUT, Ints
from podreduce_apps.socialnetwork.lines import Edges, check_total, has_nodes, parse_edges, parse_nodes

__all__ = ["Adjacency", "list_rows", "merge_entries"]

BOTH = OUT | IN


class Adjacency:
    """Lines → vertex, neighbours, weights, directions, degree, outDegree, strength; a row for each vertex."""

    def setup(self, context: JobContext) -> None:
        """Read the numbers of the names, and whether edges have a direction."""
        self.context = context
        self.is_directed = read_switch(context.parameters, "directed")
        self.last = -1
        if context.task.startswith("m"):
            names = context.side_table("names")
            if not names.num_rows:
                raise ValueError("the input has no vertices: it needs a line such as `source target`, see bad records")
            self.names, self.numbers = names["name"].combine_chunks(), names["vertex"].to_numpy()

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the neighbours of each vertex of a batch."""
        if has_nodes(self.context.uri):
            return keyed(empty_rows(self.find(parse_nodes(batch)[0])))
        edges = parse_edges(batch)
        sources, targets = self.find(edges.sources), self.find(edges.targets)
        loops = sources == targets
        self.context.count("graph", "lines", len(sources))
        self.context.count("graph", "selfLoops", int(loops.sum()))
        return self.both_ways(sources, targets, edges, ~loops)

    def both_ways(self, sources: Ints, targets: Ints, edges: Edges, kept: Any) -> Any:  # noqa: ANN401 - likewise
        """Yield each edge at both of its ends; a vertex of self loops only gets an empty row."""
        ahead, back = (OUT, IN) if self.is_directed else (BOTH, BOTH)
        table = list_rows(
            np.concatenate([sources[kept], targets[kept]]),
            np.concatenate([targets[kept], sources[kept]]),
            np.concatenate([edges.weights[kept]] * 2),
            np.concatenate([np.full(kept.sum(), ahead), np.full(kept.sum(), back)]),
        )
        return keyed(pa.concat_tables([table, empty_rows(sources[~kept])]))

    def find(self, names: Any) -> Ints:  # noqa: ANN401 - an array of texts
        """Return the numbers of names."""
        numbers: Ints = self.numbers[pc.index_in(names, value_set=self.names).to_numpy()]
        return numbers

    def reduce_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Merge what batches of lines say about the same vertices."""
        if batch["key"][0].as_py() == self.last:
            raise ValueError(
                f"vertex {self.last} has more neighbours than fit into 16 MiB, about a million: leave it out of the "
                "edges; `names` says which it is"
            )
        self.last = batch["key"][batch.num_rows - 1].as_py()
        counts = pc.list_value_length(batch["neighbours"]).to_numpy()
        vertices = np.repeat(batch["key"].to_numpy(), counts)
        columns = [pc.list_flatten(batch[name]).to_numpy() for name in ("neighbours", "weights", "directions")]
        check_total(columns[1])
        merged = merge_entries(vertices, columns[0].astype(np.int64), columns[1], columns[2].astype(np.int64))
        is_edge = merged[0] != merged[1]
        self.context.count("graph", "entries", int(is_edge.sum()))
        return describe_rows(merged, is_edge)


def keyed(table: Any) -> Any:  # noqa: ANN401 - Tables
    """Return rows with the vertex as the key of the shuffle."""
    return table.rename_columns(["key", *table.schema.names[1:]])


def empty_rows(vertices: Ints) -> Any:  # noqa: ANN401 - a Table
    """Return rows without neighbours: a self loop stands for none."""
    nothing = np.zeros(len(vertices), np.int64)
    return list_rows(vertices, vertices, nothing, nothing)


def list_rows(vertices: Ints, neighbours: Ints, weights: Ints, directions: Ints) -> Any:  # noqa: ANN401 - a Table
    """Return a row of lists for each distinct vertex, in ascending order; its entries keep their order."""
    order = np.argsort(vertices, kind="stable")
    ordered = vertices[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else ordered
    offsets = pa.array(np.concatenate([starts, [len(ordered)]]).astype(np.int32))

    def listed(values: Ints, kind: Any) -> Any:  # noqa: ANN401 - an Arrow type, an array
        return pa.ListArray.from_arrays(offsets, pa.array(values[order], kind))

    return pa.table(
        {
            "vertex": pa.array(ordered[starts], pa.int64()),
            "neighbours": listed(neighbours, pa.int32()),
            "weights": listed(weights, pa.int64()),
            "directions": listed(directions, pa.int8()),
        }
    )


def merge_entries(vertices: Ints, neighbours: Ints, weights: Ints, directions: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the distinct pairs in ascending order; of several the weights are added, and the directions joined."""
    if not len(vertices):
        return vertices, neighbours, weights, directions
    order = np.lexsort((neighbours, vertices))
    ordered, others = vertices[order], neighbours[order]
    is_new = (ordered[1:] != ordered[:-1]) | (others[1:] != others[:-1])
    starts = np.flatnonzero(np.concatenate([[True], is_new]))
    return (
        ordered[starts],
        others[starts],
        np.add.reduceat(weights[order], starts),
        np.bitwise_or.reduceat(directions[order], starts),
    )


def describe_rows(merged: tuple[Ints, Ints, Ints, Ints], is_edge: Any) -> Any:  # noqa: ANN401 - a mask, a Table
    """Return the rows of merged entries, without the self loops that stand for vertices without edges."""
    vertices = np.unique(merged[0])
    rows = np.searchsorted(vertices, merged[0][is_edge])
    degrees = np.bincount(rows, minlength=len(vertices))
    offsets = pa.array(np.concatenate([[0], np.cumsum(degrees)]).astype(np.int32))
    neighbours, weights, directions = (column[is_edge] for column in merged[1:])
    strengths = np.zeros(len(vertices), np.int64)
    np.add.at(strengths, rows, weights)
    out_degrees = np.bincount(rows[directions & OUT > 0], minlength=len(vertices))
    return pa.table(
        {
            "vertex": pa.array(vertices, pa.int64()),
            "neighbours": pa.ListArray.from_arrays(offsets, pa.array(neighbours, pa.int32())),
            "weights": pa.ListArray.from_arrays(offsets, pa.array(weights, pa.int64())),
            "directions": pa.ListArray.from_arrays(offsets, pa.array(directions, pa.int8())),
            "degree": pa.array(degrees, pa.int64()),
            "outDegree": pa.array(out_degrees, pa.int64()),
            "strength": pa.array(strengths, pa.int64()),
        }
    )
