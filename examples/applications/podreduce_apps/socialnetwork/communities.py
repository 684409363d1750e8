"""Communities: the jobs that find them, by rounds of jobs for a large graph and in one task for a small one.

`louvain` has the algorithm. Of a large graph, each job is a sub-round of the first level. Then the communities are
vertices of a graph that is small enough for one task, `FinishCommunities`. What is not connected is split at the end.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_positive, read_whole
from podreduce_apps.socialnetwork.graph import Ints, dense_ints, group_sums, read_rows, row_numbers, sorted_rows
from podreduce_apps.socialnetwork.lines import check_total
from podreduce_apps.socialnetwork.louvain import (
    Level,
    Moves,
    choose_labels,
    rows_of_codes,
    select_rows,
    solve_levels,
    turn_of,
)
from podreduce_apps.socialnetwork.solving import Degrees, is_small, vertices_of

__all__ = ["ContractCommunities", "FinishCommunities", "MoveVertices", "StartCommunities"]

SOLVED = -1
"""As the next sub-round: there is none."""
SETTLED_SHARE = 0.005
"""The first level ends with a round in which fewer vertices move."""


class StartCommunities:
    """Names → vertex, label, strength, movedIn, next: each vertex alone, or the communities of a small graph."""

    def setup(self, context: JobContext) -> None:
        """Solve a small graph."""
        self.strengths = dense_ints(context.side_table("degrees"), "strength")
        check_total(self.strengths)
        self.labels, self.next = np.arange(len(self.strengths)), 0
        if is_small(context, Degrees(context)):
            level = Level(rows=sorted_rows(context.side_table("graph")), strengths=self.strengths)
            self.labels, self.next = solve_levels(level, read_moves(context.parameters))[0], SOLVED

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the state of a batch's vertices."""
        vertices = vertices_of(batch)
        never = np.full(len(vertices), -1)
        return state_table(vertices, self.labels[vertices], self.strengths[vertices], never, self.next)


class MoveVertices:
    """Rows of the graph → the state after a sub-round. Once the level has settled, nothing moves any more."""

    def setup(self, context: JobContext) -> None:
        """Read the state of the sub-round before."""
        self.context = context
        self.moves = read_moves(context.parameters)
        state = context.side_table("state")
        self.labels, self.strengths = dense_ints(state, "label"), dense_ints(state, "strength")
        self.moved_in, self.number = dense_ints(state, "movedIn"), state["next"][0].as_py()
        self.is_active = is_active(self.moved_in, self.number, self.moves)
        context.count("communities", "active", int(self.is_active))

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Move those of a batch's vertices whose turn it is."""
        rows = read_rows(batch)
        before = self.labels[rows.vertices]
        labels, following = before, self.number
        if self.is_active:
            turn = turn_of(rows.vertices, self.number, self.moves.sub_rounds)
            chosen = choose_labels(select_rows(rows, turn), self.labels, self.strengths, self.moves.resolution)
            labels, following = before.copy(), self.number + 1
            labels[turn] = chosen
        moved = labels != before
        self.context.count("communities", "moved", int(moved.sum()))
        moved_in = np.where(moved, self.number, self.moved_in[rows.vertices])
        return state_table(rows.vertices, labels, self.strengths[rows.vertices], moved_in, following)


class ContractCommunities:
    """Rows of the graph → key: label · n + another label, value: the weight between their vertices."""

    combiner = "sum"

    def setup(self, context: JobContext) -> None:
        """Read the labels."""
        self.labels = dense_ints(context.side_table("state"), "label")

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the weights between the communities of a batch's edges."""
        rows = read_rows(batch)
        here, there = self.labels[rows.vertices][row_numbers(rows)], self.labels[rows.neighbours]
        apart = here != there
        codes, weights = group_sums(here[apart] * len(self.labels) + there[apart], rows.weights[apart])
        return pa.table({"key": pa.array(codes, pa.int64()), "value": pa.array(weights, pa.int64())})


class FinishCommunities:
    """Names → vertex, label: the upper levels, in one task for all of them."""

    def setup(self, context: JobContext) -> None:
        """Solve the graph of communities, unless the first step has solved the graph."""
        state = context.side_table("state")
        self.labels = dense_ints(state, "label")
        if state["next"][0].as_py() != SOLVED:
            strengths = dense_ints(state, "strength")
            found, level = level_above(self.labels, strengths, context.side_table("between"))
            self.labels = found[solve_levels(level, read_moves(context.parameters))[0]][
                np.searchsorted(found, self.labels)
            ]

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the labels of a batch's vertices."""
        vertices = vertices_of(batch)
        return pa.table({"vertex": vertices, "label": self.labels[vertices]})


def level_above(labels: Ints, strengths: Ints, between: Any) -> tuple[Ints, Level]:  # noqa: ANN401 - a Table
    """Return the distinct labels, and the graph in which they are the vertices."""
    found, places = np.unique(labels, return_inverse=True)
    sums = np.zeros(len(found), np.int64)
    np.add.at(sums, places, strengths)
    keys, weights = (between[name].to_numpy().astype(np.int64) for name in ("key", "value"))
    here, there = np.searchsorted(found, keys // len(labels)), np.searchsorted(found, keys % len(labels))
    codes, weights = group_sums(here * len(found) + there, weights)
    return found, Level(rows=rows_of_codes(codes, weights, len(found)), strengths=sums)


def is_active(moved_in: Ints, number: int, moves: Moves) -> bool:
    """Tell whether vertices move in the sub-round with this number."""
    if number == SOLVED or number >= moves.rounds * moves.sub_rounds:
        return False
    return number < moves.sub_rounds or bool(np.mean(moved_in >= number - moves.sub_rounds) >= SETTLED_SHARE)


def read_moves(parameters: Mapping[str, str]) -> Moves:
    """Return how vertices move."""
    return Moves(
        sub_rounds=read_whole(parameters, "subRounds", least=2),
        rounds=read_whole(parameters, "roundsOfLevel", least=1),
        resolution=read_positive(parameters, "resolution"),
    )


def state_table(vertices: Ints, labels: Ints, strengths: Ints, moved_in: Ints, following: int) -> Any:  # noqa: ANN401 - a Table
    """Return the state after a sub-round."""
    return pa.table(
        {
            "vertex": vertices,
            "label": labels,
            "strength": strengths,
            "movedIn": moved_in,
            "next": np.full(len(vertices), following),
        }
    )
