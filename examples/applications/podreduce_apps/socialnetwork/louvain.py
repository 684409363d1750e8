"""Louvain in sub-rounds.

Blondel, Guillaume, Lambiotte, Lefebvre 2008; sub-rounds as in Hamann, Strasser, Wagner, Zeitz: "Distributed graph
clustering using modularity and map equation", Euro-Par 2018. If all vertices move at once, neighbours swap communities
without end. So a hash puts each vertex into one of some sub-rounds, and only those of one sub-round move at a time.
Pure: the rows of a graph in, labels out. Weights are integers, and modularity does not depend on their unit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.socialnetwork.components import find_roots
from podreduce_apps.socialnetwork.graph import Ints, Rows, group_sums, keep_entries, row_numbers

__all__ = [
    "Level",
    "Moves",
    "choose_labels",
    "contract_level",
    "modularity",
    "rows_of_codes",
    "select_rows",
    "solve_level",
    "solve_levels",
    "turn_of",
]

LEAST_GAIN = 1e-7
MOST_PASSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A graph whose vertices may stand for communities: all of its rows, and what lies within each vertex.

    Attributes:
        rows: row i is vertex i, without itself.
        strengths: (n,) the weights of a vertex's edges, and twice those of the edges within it. Their sum is 2m.
    """

    rows: Rows
    strengths: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """How vertices move: `sub_rounds` of them in a round, at most `rounds` in a level, for a `resolution`."""

    sub_rounds: int
    rounds: int
    resolution: float


def turn_of(vertices: Ints, number: int, sub_rounds: int) -> npt.NDArray[np.bool_]:
    """Tell which vertices may move in the sub-round with this number, counted from 0 over all rounds."""
    turns = hash_numbers(vertices.astype(np.uint64), number // sub_rounds + 1) % np.uint64(sub_rounds)
    mine: npt.NDArray[np.bool_] = turns == np.uint64(number % sub_rounds)
    return mine


def choose_labels(rows: Rows, labels: Ints, strengths: Ints, resolution: float) -> Ints:
    """Return for each row the label that raises modularity most: its own if none is better, else the smallest.

    The gain of a label is w·2m - r·k·K: r is the resolution, w the weight between the vertex and the label's
    vertices, k the vertex's strength, K that of the label's vertices without it.
    """
    count, total = len(labels), float(strengths.sum())
    volumes = np.bincount(labels, weights=strengths, minlength=count)
    own = labels[rows.vertices]
    places = row_numbers(rows)
    stays = np.arange(len(own)) * count + own
    codes, weights = group_sums(
        np.concatenate([places * count + labels[rows.neighbours], stays]),
        np.concatenate([rows.weights, np.zeros(len(own), np.int64)]),
    )
    vertices, options = codes // count, codes % count
    strength = strengths[rows.vertices].astype(float)[vertices]
    is_own = options == own[vertices]
    gains = weights * total - resolution * strength * (volumes[options] - np.where(is_own, strength, 0.0))
    starts = np.searchsorted(vertices, np.arange(len(own)))
    best = np.maximum.reduceat(gains, starts) if len(own) else gains
    first = np.flatnonzero(gains == best[vertices])
    chosen = options[first[np.searchsorted(vertices[first], np.arange(len(own)))]]
    return np.where(gains[is_own] >= best, own, chosen)


def modularity(level: Level, labels: Ints, resolution: float = 1.0) -> float:
    """Return Q = Σ_c (internal_c / 2m - r (K_c / 2m)²) (Newman and Girvan 2004)."""
    total = float(level.strengths.sum())
    if not total:
        return 0.0
    inside = labels[level.rows.vertices][row_numbers(level.rows)] == labels[level.rows.neighbours]
    within = level.strengths.sum() - level.rows.weights[~inside].sum()
    volumes = np.bincount(labels, weights=level.strengths) / total
    return float(within / total - resolution * (volumes**2).sum())


def select_rows(rows: Rows, chosen: npt.NDArray[np.bool_]) -> Rows:
    """Return some of the rows."""
    kept = chosen[row_numbers(rows)]
    return Rows(
        vertices=rows.vertices[chosen],
        offsets=np.concatenate([[0], np.cumsum(np.diff(rows.offsets)[chosen])]),
        neighbours=rows.neighbours[kept],
        weights=rows.weights[kept],
        directions=rows.directions[:0],
    )


def solve_level(level: Level, labels: Ints, moves: Moves) -> Ints:
    """Return the labels with the highest modularity that rounds of moves reach from these."""
    best, highest = labels, modularity(level, labels, moves.resolution)
    for number in range(moves.rounds):
        before = labels
        for sub_round in range(moves.sub_rounds):
            turn = turn_of(level.rows.vertices, number * moves.sub_rounds + sub_round, moves.sub_rounds)
            labels = labels.copy()
            rows = select_rows(level.rows, turn)
            labels[turn] = choose_labels(rows, labels, level.strengths, moves.resolution)
        reached = modularity(level, labels, moves.resolution)
        if reached > highest:
            best, highest = labels, reached
        if np.mean(labels != before) < 1 / 1000:
            break
    return best


def split_parts(rows: Rows, labels: Ints) -> Ints:
    """Return labels under which each community is connected, numbered from 0 on (what Leiden guarantees)."""
    inside = keep_entries(rows, labels[row_numbers(rows)] == labels[rows.neighbours])
    roots = find_roots(len(labels), row_numbers(inside), inside.neighbours)
    return np.unique(roots, return_inverse=True)[1]


def contract_level(level: Level, labels: Ints) -> Level:
    """Return the graph in which each community is a vertex; labels are numbered from 0 on."""
    count = int(labels.max()) + 1
    here, there = labels[row_numbers(level.rows)], labels[level.rows.neighbours]
    apart = here != there
    codes, weights = group_sums(here[apart] * count + there[apart], level.rows.weights[apart])
    strengths = np.zeros(count, np.int64)
    np.add.at(strengths, labels, level.strengths)
    return Level(rows=rows_of_codes(codes, weights, count), strengths=strengths)


def rows_of_codes(codes: Ints, weights: Ints, count: int) -> Rows:
    """Return the rows of a graph of `count` vertices, whose entries are vertex · count + neighbour, ascending."""
    offsets = np.searchsorted(codes, np.arange(count + 1) * count)
    nothing = codes[:0]
    return Rows(
        vertices=np.arange(count), offsets=offsets, neighbours=codes % count, weights=weights, directions=nothing
    )


def climb(level: Level, labels: Ints, moves: Moves) -> Ints:
    """Return labels after moving vertices, then their communities, and so on while that makes fewer of them."""
    labels = split_parts(level.rows, solve_level(level, labels, moves))
    if labels.max(initial=0) + 1 == len(labels):
        return labels
    above = contract_level(level, labels)
    return climb(above, np.arange(len(above.strengths)), moves)[labels]


def solve_levels(level: Level, moves: Moves) -> tuple[Ints, list[float]]:
    """Return connected communities, and the modularity after each pass; it never falls.

    A pass moves single vertices from where the pass before has left them, then whole communities.
    """
    labels = np.arange(len(level.strengths))
    reached = [modularity(level, labels, moves.resolution)]
    for _ in range(MOST_PASSES):
        found = climb(level, labels, moves)
        value = modularity(level, found, moves.resolution)
        if value <= reached[-1] + LEAST_GAIN:
            break
        labels = found
        reached.append(value)
    return labels, reached
