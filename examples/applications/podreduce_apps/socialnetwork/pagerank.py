"""PageRank (Page, Brin, Motwani, Winograd 1999), where each vertex adds up what its in-neighbours give.

A round is one job without a shuffle: a task reads its rows of the graph, and the ranks of all vertices as a side input.
Rank of vertices without out-edges is spread over all. A vertex is settled when its rank changes by at most
`tolerance`/n, so the ranks together change by at most `tolerance`.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_fraction
from podreduce_apps.socialnetwork.graph import (
    IN,
    Floats,
    Ints,
    Rows,
    dense_floats,
    dense_ints,
    keep_entries,
    read_rows,
    row_sums,
    sorted_rows,
)
from podreduce_apps.socialnetwork.solving import Degrees, is_small, vertices_of

__all__ = ["PageRank", "StartPageRank", "next_ranks", "solve_ranks"]

MOST_ROUNDS = 1000


class StartPageRank:
    """Names → vertex, rank, outDegree, round, settled: even ranks, or of a small graph those before the last round."""

    def setup(self, context: JobContext) -> None:
        """Solve a small graph."""
        degrees = Degrees(context)
        self.out_degrees = degrees.out
        self.ranks, self.rounds = np.full(len(degrees), 1 / len(degrees)), 0
        if is_small(context, degrees):
            rows = sorted_rows(context.side_table("graph"))
            damping = read_fraction(context.parameters, "damping")
            tolerance = read_fraction(context.parameters, "tolerance")
            self.ranks, self.rounds = solve_ranks(rows, degrees.out, damping, tolerance)

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the state of a batch's vertices."""
        vertices = vertices_of(batch)
        settled = np.zeros(len(vertices), bool)
        return rank_table(vertices, self.ranks[vertices], self.out_degrees[vertices], self.rounds, settled)


class PageRank:
    """Rows of the graph → the state after a round."""

    def setup(self, context: JobContext) -> None:
        """Read the ranks of the round before."""
        self.context = context
        before = context.side_table("ranks")
        self.ranks, self.out_degrees = dense_floats(before, "rank"), dense_ints(before, "outDegree")
        self.round = before["round"][0].as_py() + 1
        self.damping = read_fraction(context.parameters, "damping")
        self.limit = read_fraction(context.parameters, "tolerance") / len(self.ranks)

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the new ranks of a batch's vertices, and count those that are not settled."""
        rows = incoming(read_rows(batch))
        ranks = next_ranks(rows, self.ranks, self.out_degrees, self.damping)
        moved = np.abs(ranks - self.ranks[rows.vertices]) > self.limit
        self.context.count("pagerank", "unsettled", int(moved.sum()))
        return rank_table(rows.vertices, ranks, self.out_degrees[rows.vertices], self.round, ~moved)


def rank_table(vertices: Ints, ranks: Floats, out_degrees: Ints, number: int, settled: Any) -> Any:  # noqa: ANN401 - a mask, a Table
    """Return the state after a round."""
    state = {"vertex": vertices, "rank": ranks, "outDegree": out_degrees}
    return pa.table({**state, "round": np.full(len(vertices), number), "settled": settled})


def incoming(rows: Rows) -> Rows:
    """Return rows with only the in-neighbours."""
    return keep_entries(rows, rows.directions & IN > 0)


def next_ranks(rows: Rows, ranks: Floats, out_degrees: Ints, damping: float) -> Floats:
    """Return the ranks of the rows' vertices, from those of all vertices; the rows hold in-neighbours only."""
    count = len(ranks)
    shares = ranks / np.maximum(out_degrees, 1)
    dangling = ranks[out_degrees == 0].sum()
    received = row_sums(shares[rows.neighbours], rows.offsets)
    following: Floats = (1 - damping) / count + damping * (received + dangling / count)
    return following


def solve_ranks(rows: Rows, out_degrees: Ints, damping: float, tolerance: float) -> tuple[Floats, int]:
    """Return the ranks before the round in which all settle, and how many rounds that took."""
    rows = incoming(rows)
    count = len(out_degrees)
    ranks = np.full(count, 1 / count)
    for number in range(MOST_ROUNDS):
        following = next_ranks(rows, ranks, out_degrees, damping)
        if (np.abs(following - ranks) <= tolerance / count).all():
            return ranks, number
        ranks = following
    return ranks, MOST_ROUNDS
