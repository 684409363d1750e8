"""Hubs and authorities (Kleinberg 1999).

A good hub points to good authorities, and a good authority is pointed to by good hubs. In an undirected graph both are
the eigenvector centrality.

A round computes both from those of the round before. Its sums become shares of 1 where the next round reads them, so a
round needs no total of its own; whether the shares have settled is known a round later. A part of the shares before
stays in those that follow: alone, the sums of a graph of two sides, such as buyers and goods, swing for ever.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_fraction
from podreduce_apps.socialnetwork.graph import (
    IN,
    OUT,
    Floats,
    Ints,
    Rows,
    dense_floats,
    keep_entries,
    read_rows,
    row_sums,
    sorted_rows,
)
from podreduce_apps.socialnetwork.solving import Degrees, is_small, vertices_of

__all__ = ["Hits", "Scores", "StartHits", "following_shares", "moved", "next_sums", "read_scores", "solve_scores"]

MOST_ROUNDS = 1000
PART_BEFORE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Hub and authority of vertices, as sums or as shares of 1."""

    hub: Floats
    authority: Floats


class StartHits:
    """Names → the state before the first round, or of a small graph before the last."""

    def setup(self, context: JobContext) -> None:
        """Solve a small graph."""
        degrees = Degrees(context)
        even = np.full(len(degrees), 1.0)
        self.sums, self.before = Scores(hub=even, authority=even), Scores(hub=even * 0, authority=even * 0)
        if is_small(context, degrees):
            rows = sorted_rows(context.side_table("graph"))
            self.sums, self.before = solve_scores(rows, read_fraction(context.parameters, "tolerance"))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the state of a batch's vertices."""
        vertices = vertices_of(batch)
        settled = np.zeros(len(vertices), bool)
        return score_table(vertices, pick(self.sums, vertices), pick(self.before, vertices), settled)


class Hits:
    """Rows of the graph → vertex, hub, authority (sums), hubBefore, authorityBefore (shares), settled (before)."""

    def setup(self, context: JobContext) -> None:
        """Read the sums of the round before, as shares."""
        self.context = context
        state = context.side_table("scores")
        self.shares = read_scores(state)
        self.moved = moved(self.shares, shares_before(state), read_fraction(context.parameters, "tolerance"))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the new sums of a batch's vertices, and count those that were not settled before."""
        rows = read_rows(batch)
        settled = ~self.moved[rows.vertices]
        self.context.count("hits", "unsettled", int((~settled).sum()))
        return score_table(rows.vertices, next_sums(rows, self.shares), pick(self.shares, rows.vertices), settled)


def next_sums(rows: Rows, shares: Scores) -> Scores:
    """Return the sums of the rows' vertices: hubs from the authorities they point to, authorities from hubs."""
    ahead = keep_entries(rows, rows.directions & OUT > 0)
    back = keep_entries(rows, rows.directions & IN > 0)
    return Scores(
        hub=row_sums(shares.authority[ahead.neighbours], ahead.offsets),
        authority=row_sums(shares.hub[back.neighbours], back.offsets),
    )


def shares_of(values: Floats) -> Floats:
    """Return values as shares of their sum; even shares if all are 0, as in a graph without edges."""
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), 1 / len(values))


def following_shares(sums: Scores, before: Scores) -> Scores:
    """Return the shares after a round, from its sums and the shares before it; at first those before are all 0."""
    return Scores(hub=blend(sums.hub, before.hub), authority=blend(sums.authority, before.authority))


def blend(sums: Floats, before: Floats) -> Floats:
    """Return sums as shares of 1, with a part of the shares before."""
    return shares_of((1 - PART_BEFORE) * shares_of(sums) + PART_BEFORE * before)


def read_scores(state: Any) -> Scores:  # noqa: ANN401 - a Table
    """Return all vertices' scores as shares of 1."""
    sums = Scores(hub=dense_floats(state, "hub"), authority=dense_floats(state, "authority"))
    return following_shares(sums, shares_before(state))


def shares_before(state: Any) -> Scores:  # noqa: ANN401 - likewise
    """Return all vertices' shares before the last round."""
    return Scores(hub=dense_floats(state, "hubBefore"), authority=dense_floats(state, "authorityBefore"))


def pick(scores: Scores, vertices: Ints) -> Scores:
    """Return the scores of some vertices."""
    return Scores(hub=scores.hub[vertices], authority=scores.authority[vertices])


def moved(shares: Scores, before: Scores, tolerance: float) -> Any:  # noqa: ANN401 - a mask
    """Tell of each vertex whether one of its scores has changed by more than `tolerance`/n."""
    limit = tolerance / len(shares.hub)
    return (np.abs(shares.hub - before.hub) > limit) | (np.abs(shares.authority - before.authority) > limit)


def score_table(vertices: Ints, sums: Scores, before: Scores, settled: Any) -> Any:  # noqa: ANN401 - a mask, a Table
    """Return the state after a round."""
    return pa.table(
        {
            "vertex": vertices,
            "hub": sums.hub,
            "authority": sums.authority,
            "hubBefore": before.hub,
            "authorityBefore": before.authority,
            "settled": settled,
        }
    )


def solve_scores(rows: Rows, tolerance: float) -> tuple[Scores, Scores]:
    """Return the sums for which the next round finds nothing that moved, and the shares before them."""
    count = len(rows.vertices)
    sums = Scores(hub=np.full(count, 1.0), authority=np.full(count, 1.0))
    before = Scores(hub=np.zeros(count), authority=np.zeros(count))
    for _ in range(MOST_ROUNDS):
        shares = following_shares(sums, before)
        if not moved(shares, before, tolerance).any():
            break
        sums, before = next_sums(rows, shares), shares
    return sums, before
