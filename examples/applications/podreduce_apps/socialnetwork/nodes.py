"""One row for each vertex, with all that was found out about it."""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.components import roots_of_stars
from podreduce_apps.socialnetwork.graph import Ints, dense_flags, dense_floats, dense_ints
from podreduce_apps.socialnetwork.hits import read_scores
from podreduce_apps.socialnetwork.solving import vertices_of
from podreduce_apps.socialnetwork.triangles import local_clustering

__all__ = ["DescribeVertices", "number_by_size"]


class DescribeVertices:
    """Names → vertex, name, group and all measures."""

    def setup(self, context: JobContext) -> None:
        """Read all measures."""
        degrees = context.side_table("degrees")
        count = degrees.num_rows
        degree = dense_ints(degrees, "degree")
        triangles = sparse(context.side_table("triangles"), "key", "value", count)
        ranks, sums = context.side_table("ranks"), context.side_table("scores")
        scores = read_scores(sums)
        self.measures = {
            "degree": degree,
            "outDegree": dense_ints(degrees, "outDegree"),
            "component": number_by_size(roots_of_stars(count, context.side_table("components"))),
            "community": number_by_size(roots_of_stars(count, context.side_table("within"))),
            "pagerank": dense_floats(ranks, "rank"),
            "pagerankSettled": dense_flags(ranks, "settled"),
            "hub": scores.hub,
            "authority": scores.authority,
            "hitsSettled": dense_flags(sums, "settled"),
            "core": dense_ints(context.side_table("cores"), "core"),
            "triangles": triangles,
            "clustering": local_clustering(triangles, degree),
            "influence": sparse(context.side_table("influence"), "vertex", "place", count),
        }

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the rows of a batch's vertices."""
        vertices = vertices_of(batch)
        measures = {name: pa.array(values[vertices]) for name, values in self.measures.items()}
        return pa.table({"vertex": batch["vertex"], "name": batch["name"], "group": batch["group"], **measures})


def sparse(table: Any, key: str, value: str, count: int) -> Ints:  # noqa: ANN401 - a Table with rows for some vertices
    """Return a column as a vector by vertex, with 0 for those that have no row."""
    vector = np.zeros(count, np.int64)
    if table.num_rows:
        vector[table[key].to_numpy()] = table[value].to_numpy()
    return vector


def number_by_size(roots: Ints) -> Ints:
    """Return for each vertex the number of its part: 1 for the largest, of equal ones for that of the smaller root."""
    found, places, sizes = np.unique(roots, return_inverse=True, return_counts=True)
    numbers = np.zeros(len(found), np.int64)
    numbers[np.lexsort((found, -sizes))] = np.arange(1, len(found) + 1)
    return numbers[places]
