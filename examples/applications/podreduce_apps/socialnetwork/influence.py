"""Influence: the few vertices from which most others are reached.

Borgs, Brautbar, Chayes, Lucier, SODA 2014; Tang, Shi, Xiao, SIGMOD 2015. A reverse-reachable set is everybody from
whom a randomly chosen vertex would hear. Who is in most of these sets reaches most; a greedy cover chooses several.
Forward cascades check the result, and compare it with the best connected.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.parameters import read_fraction, read_whole
from podreduce_apps.socialnetwork.cascades import Network, backwards, forwards, reach
from podreduce_apps.socialnetwork.graph import Floats, Ints, sorted_rows
from podreduce_apps.socialnetwork.solving import vertices_of

__all__ = ["ChooseInfluencers", "DrawSets", "choose_greedily", "draw_sets", "simulate"]

SETS_AT_A_TIME = 8192
CASCADES_AT_A_TIME = 256
CHECK_SEED = 0x5EED
"""Added to the seed for the check, so that it tosses other coins than the sets."""


class DrawSets:
    """Names → set, vertex: set i belongs to the task that has vertex i mod n. Reads the graph as a side input."""

    def setup(self, context: JobContext) -> None:
        """Read the graph, and how many sets to draw."""
        self.context = context
        self.sets = read_whole(context.parameters, "influenceSets", least=1)
        seed = read_whole(context.parameters, "seed", least=0)
        rows = sorted_rows(context.side_table("graph"))
        self.network = backwards(rows, read_chance(context.parameters), seed)

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the members of the sets of a batch's vertices."""
        vertices, count = vertices_of(batch), len(self.network.rows.vertices)
        numbers = (np.arange(0, self.sets, count)[:, None] + vertices[None, :]).ravel()
        numbers = np.sort(numbers[numbers < self.sets])
        for start in range(0, len(numbers), SETS_AT_A_TIME):
            self.context.progress()
            sets, members = draw_sets(self.network, numbers[start : start + SETS_AT_A_TIME])
            yield pa.table({"set": sets, "vertex": members})


class ChooseInfluencers:
    """Names → the chosen vertices, with their places and what they reach. Reads the sets as a side input.

    `reach` is of a vertex and those before it, `checked` and `margin` are of all together by simulation, `connected`
    and `connectedMargin` of as many with the most neighbours.
    """

    def setup(self, context: JobContext) -> None:
        """Choose, and check the choice."""
        parameters = context.parameters
        sets = read_whole(parameters, "influenceSets", least=1)
        rows = sorted_rows(context.side_table("graph"))
        seats = min(read_whole(parameters, "influencers", least=1), len(rows.vertices))
        drawn = context.side_table("sets")
        self.chosen, covered = choose_greedily(
            drawn["set"].to_numpy(), drawn["vertex"].to_numpy(), sets, len(rows.vertices), seats
        )
        self.reach = covered * len(rows.vertices) / sets
        seed = read_whole(parameters, "seed", least=0) + CHECK_SEED
        network = forwards(rows, read_chance(parameters), seed)
        runs = read_whole(parameters, "influenceRuns", least=2)
        connected = np.argsort(-np.diff(rows.offsets), kind="stable")[:seats]
        self.checked, self.connected = simulate(network, self.chosen, runs), simulate(network, connected, runs)

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield those of the chosen that are in a batch."""
        places = np.flatnonzero(np.isin(self.chosen, vertices_of(batch)))
        return pa.table(
            {
                "vertex": self.chosen[places],
                "place": places + 1,
                "reach": self.reach[places],
                "checked": np.full(len(places), self.checked[0]),
                "margin": np.full(len(places), self.checked[1]),
                "connected": np.full(len(places), self.connected[0]),
                "connectedMargin": np.full(len(places), self.connected[1]),
            }
        )


def read_chance(parameters: Mapping[str, str]) -> float | None:
    """Return the parameter `influenceChance`; None for `shared`: 1 by the number of ways that lead to the vertex."""
    return None if parameters["influenceChance"] == "shared" else read_fraction(parameters, "influenceChance")


def draw_sets(network: Network, numbers: Ints) -> tuple[Ints, Ints]:
    """Return the members of the sets with these numbers; a hash of the number chooses whose set it is."""
    count = np.uint64(len(network.rows.vertices))
    targets = (hash_numbers(numbers.astype(np.uint64), network.seed + 3) % count).astype(np.int64)
    return reach(network, numbers, targets)


def choose_greedily(sets: Ints, members: Ints, total: int, count: int, seats: int) -> tuple[Ints, Floats]:
    """Return the vertices that together are in most of the sets, one after the other, and in how many they are."""
    by_member = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[by_member], np.arange(count + 1))
    by_set = np.argsort(sets, kind="stable")
    firsts = np.searchsorted(sets[by_set], np.arange(total + 1))
    left = np.diff(starts)
    is_open = np.ones(total, bool)
    chosen, covered = np.zeros(seats, np.int64), np.zeros(seats)
    for place in range(seats):
        chosen[place] = best = int(np.argmax(left))
        closing = sets[by_member[starts[best] : starts[best + 1]]]
        closing = closing[is_open[closing]]
        is_open[closing] = False
        left[best] = -1
        for number in closing:
            left[members[by_set[firsts[number] : firsts[number + 1]]]] -= 1
        covered[place] = total - is_open.sum()
    return chosen, covered


def simulate(network: Network, starts: Ints, runs: int) -> tuple[float, float]:
    """Return how many vertices cascades from these reach on average, and the half width of its 95 % interval."""
    sizes = []
    for first in range(0, runs, CASCADES_AT_A_TIME):
        numbers = np.arange(first, min(first + CASCADES_AT_A_TIME, runs))
        cascades, _ = reach(network, np.repeat(numbers, len(starts)), np.tile(starts, len(numbers)))
        sizes.append(np.bincount(cascades - first, minlength=len(numbers)))
    reached = np.concatenate(sizes)
    return float(reached.mean()), float(1.96 * reached.std(ddof=1) / np.sqrt(runs))
