"""Independent cascades: who hears of something, if everybody who hears of it passes it on with some chance.

The model is that of Kempe, Kleinberg and Tardos (KDD 2003). A coin is a hash of the seed, the cascade's number and the
edge. So a cascade is the same wherever it is computed, and forwards and backwards along the edges.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.socialnetwork.graph import IN, OUT, Floats, Ints, Rows, keep_entries, row_numbers

__all__ = ["Network", "backwards", "forwards", "reach"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where a cascade goes.

    Attributes:
        rows: row i holds where vertex i passes it on to; backwards, who passes it on to vertex i.
        edges: (e,) the number of each entry's edge.
        chances: (e,) the chance that it passes.
        seed: another seed gives other coins.
    """

    rows: Rows
    edges: Ints
    chances: Floats
    seed: int


def forwards(rows: Rows, chance: float | None, seed: int) -> Network:
    """Return the network along the edges. Without a chance, each way to a vertex has 1 by the number of its ways."""
    count = len(rows.vertices)
    ahead = keep_entries(rows, rows.directions & OUT > 0)
    in_degrees = np.bincount(ahead.neighbours, minlength=count)
    edges = row_numbers(ahead) * count + ahead.neighbours
    return Network(rows=ahead, edges=edges, chances=chances_to(in_degrees, ahead.neighbours, chance), seed=seed)


def backwards(rows: Rows, chance: float | None, seed: int) -> Network:
    """Return the network against the direction of the edges, with the same chances."""
    back = keep_entries(rows, rows.directions & IN > 0)
    in_degrees = np.diff(back.offsets)
    edges = back.neighbours * len(rows.vertices) + row_numbers(back)
    return Network(rows=back, edges=edges, chances=chances_to(in_degrees, row_numbers(back), chance), seed=seed)


def chances_to(in_degrees: Ints, targets: Ints, chance: float | None) -> Floats:
    """Return the chance of each entry, by the vertex that it leads to."""
    return 1 / in_degrees[targets] if chance is None else np.full(len(targets), chance)


def reach(network: Network, cascades: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Return the cascades and vertices of all that is reached, in ascending order; cascades may have several starts."""
    count = len(network.rows.vertices)
    seen = frontier = np.unique(cascades * count + starts)
    while len(frontier):
        numbers, entries = entries_of(network.rows, frontier // count, frontier % count)
        passed = toss(network, numbers, entries)
        reached = np.unique(numbers[passed] * count + network.rows.neighbours[entries[passed]])
        frontier = reached[~is_among(reached, seen)]
        seen = np.union1d(seen, frontier)
    return seen // count, seen % count


def entries_of(rows: Rows, cascades: Ints, vertices: Ints) -> tuple[Ints, Ints]:
    """Return all entries of the vertices' rows, each with its vertex's cascade."""
    counts = np.diff(rows.offsets)[vertices]
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    entries = np.repeat(rows.offsets[:-1][vertices] - before, counts) + np.arange(counts.sum())
    return np.repeat(cascades, counts), entries


def toss(network: Network, cascades: Ints, entries: Ints) -> npt.NDArray[np.bool_]:
    """Tell through which entries a cascade passes."""
    edges = hash_numbers(network.edges[entries].astype(np.uint64), network.seed)
    hashed = hash_numbers(edges ^ hash_numbers(cascades.astype(np.uint64), network.seed + 1), network.seed + 2)
    passed: npt.NDArray[np.bool_] = (hashed >> np.uint64(11)) * 2.0**-53 < network.chances[entries]
    return passed


def is_among(values: Ints, ordered: Ints) -> npt.NDArray[np.bool_]:
    """Tell which values are in an ascending array that is not empty."""
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[places] == values
    return found
