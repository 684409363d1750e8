"""Cascades are the same forwards and backwards, and the chosen vertices reach what an exhaustive count says."""

from itertools import product

import networkx as nx
import numpy as np
import pytest

from podreduce_apps.socialnetwork.cascades import backwards, forwards, reach
from podreduce_apps.socialnetwork.influence import choose_greedily, draw_sets, simulate
from tests.applications.socialnetwork.graphs import drawn, rows_of


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
@pytest.mark.parametrize("chance", [None, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_who_reaches_a_vertex_forwards_is_found_backwards(seed: int, chance: float | None, directed: bool) -> None:
    rows = rows_of(drawn(seed, directed=directed))
    count = len(rows.vertices)
    ahead = {(a, b) for a in range(count) for b in reach(forwards(rows, chance, 7), np.array([5]), np.array([a]))[1]}
    back = {(b, a) for a in range(count) for b in reach(backwards(rows, chance, 7), np.array([5]), np.array([a]))[1]}
    assert ahead == back


def expected_reach(graph: nx.DiGraph, start: int) -> float:
    """The mean over all ways in which the coins may fall, each weighed with its chance."""
    edges = list(graph.edges)
    total = 0.0
    for coins in product([False, True], repeat=len(edges)):
        open_edges = [edge for edge, passes in zip(edges, coins, strict=True) if passes]
        chances = [1 / graph.in_degree(target) for _, target in edges]
        weight = np.prod([p if passes else 1 - p for p, passes in zip(chances, coins, strict=True)])
        world = nx.DiGraph(open_edges)
        world.add_node(start)
        total += weight * (1 + len(nx.descendants(world, start)))
    return total


def test_sets_and_simulation_estimate_what_all_worlds_together_say() -> None:
    graph = nx.DiGraph([(0, 1), (0, 2), (1, 2), (2, 3), (1, 3), (4, 3), (2, 4)])
    rows, sets = rows_of(graph), 20_000
    numbers, members = draw_sets(backwards(rows, None, 7), np.arange(sets))
    counts = np.bincount(members, minlength=5) * 5 / sets
    expected = [expected_reach(graph, vertex) for vertex in range(5)]
    assert counts == pytest.approx(expected, rel=0.03)
    chosen, covered = choose_greedily(numbers, members, sets, 5, 1)
    assert chosen[0] == np.argmax(expected)
    assert covered[0] * 5 / sets == pytest.approx(max(expected), rel=0.03)
    mean, margin = simulate(forwards(rows, None, 9), chosen, 4000)
    assert abs(mean - max(expected)) < 2 * margin


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_a_set_does_not_depend_on_the_sets_beside_it(parts: int) -> None:
    network = backwards(rows_of(drawn(3)), None, 7)
    whole = draw_sets(network, np.arange(100))
    pieces = [draw_sets(network, numbers) for numbers in np.array_split(np.arange(100), parts)]
    assert [np.concatenate(each).tolist() for each in zip(*pieces, strict=True)] == [each.tolist() for each in whole]


def test_the_greedy_choice_counts_what_is_not_covered_yet() -> None:
    members = [{0, 1}, {0, 1}, {0, 1}, {2}, {2}, {1, 3}]
    sets = np.repeat(np.arange(6), [len(each) for each in members])
    chosen, covered = choose_greedily(sets, np.concatenate([sorted(each) for each in members]), 6, 5, 3)
    assert (chosen.tolist(), covered.tolist()) == ([1, 2, 0], [4, 6, 6])
