"""Communities reach the published quality, and what every division must hold."""

from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from podreduce_apps.socialnetwork.communities import ContractCommunities, level_above, state_table
from podreduce_apps.socialnetwork.louvain import Moves, choose_labels, modularity, select_rows, solve_levels, turn_of
from podreduce_apps.socialnetwork.quality import average_f1, conductances, modularity_of_sums
from tests.applications.socialnetwork.graphs import drawn, groups_of, level_of, lfr, table_of

MOVES = Moves(sub_rounds=4, rounds=8, resolution=1.0)


def sets_of(labels: Any) -> list[set[int]]:
    return [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]


@pytest.mark.parametrize("seed", range(24))
def test_communities_are_connected_and_modularity_never_falls(seed: int) -> None:
    graph = drawn(seed)
    labels, reached = solve_levels(level_of(graph), MOVES)
    assert all(nx.is_connected(graph.subgraph(members)) for members in sets_of(labels))
    assert reached == sorted(reached)
    if graph.number_of_edges():
        assert reached[-1] == pytest.approx(nx.community.modularity(graph, sets_of(labels), weight="weight"), abs=1e-12)


@pytest.mark.parametrize("seed", range(24))
def test_modularity_never_falls_from_the_rounds_of_jobs_to_the_levels_above(seed: int) -> None:
    """The level above starts with the communities of the rounds, and with their modularity."""
    graph = drawn(seed)
    level = level_of(graph)
    vertices = labels = np.arange(len(graph))
    for number in range(2 * MOVES.sub_rounds):
        turn, labels = turn_of(vertices, number, MOVES.sub_rounds), labels.copy()
        labels[turn] = choose_labels(select_rows(level.rows, turn), labels, level.strengths, 1.0)
    contract: Any = ContractCommunities()
    contract.setup(
        SimpleNamespace(side_table=lambda _name: state_table(vertices, labels, level.strengths, vertices, 8))
    )
    _, above = level_above(labels, level.strengths, contract.map_batch(pa.table(table_of(graph))))
    assert modularity(above, np.arange(len(above.strengths))) == pytest.approx(modularity(level, labels), abs=1e-12)
    _, reached = solve_levels(above, MOVES)
    assert reached == sorted(reached)


@pytest.mark.parametrize("seed", range(12))
def test_a_vertex_moves_to_the_label_with_the_highest_modularity(seed: int) -> None:
    level = level_of(drawn(seed))
    count = len(level.strengths)
    labels = np.random.default_rng(seed).integers(0, max(count // 4, 1), count)
    chosen = choose_labels(level.rows, labels, level.strengths, 1.0)
    for vertex in range(count):
        near = {*labels[level.rows.neighbours[level.rows.offsets[vertex] : level.rows.offsets[vertex + 1]]].tolist()}

        def quality_with(label: int, vertex: int = vertex) -> float:
            moved = labels.copy()
            moved[vertex] = label
            return modularity(level, moved)

        best = max(map(quality_with, near | {int(labels[vertex])}))
        assert quality_with(int(chosen[vertex])) == pytest.approx(best, abs=1e-12)


def test_karate_reaches_the_bar() -> None:
    _, reached = solve_levels(level_of(nx.Graph(nx.karate_club_graph().edges)), MOVES)
    assert reached[-1] >= 0.4188


@pytest.mark.parametrize(("mixing", "least"), [(0.1, 1.0), (0.3, 0.94), (0.5, 0.45)])
def test_planted_communities_are_found(mixing: float, least: float) -> None:
    graph = lfr(mixing)
    labels, _ = solve_levels(level_of(graph), MOVES)
    assert round(normalized_mutual_info_score(groups_of(graph), labels), 9) >= least


def test_other_names_of_the_vertices_hardly_change_the_quality() -> None:
    graph = nx.Graph(nx.karate_club_graph().edges)
    order = np.random.default_rng(7).permutation(len(graph))
    renamed = nx.relabel_nodes(graph, dict(enumerate(order.tolist())))
    reached = [solve_levels(level_of(each), MOVES)[1][-1] for each in (graph, renamed)]
    assert reached[0] == pytest.approx(reached[1], abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_sums_of_communities_give_modularity_and_conductance_of_networkx(seed: int) -> None:
    graph = drawn(seed)
    labels = np.random.default_rng(seed).integers(0, 3, len(graph))
    parts = sets_of(labels)
    within = np.array([2 * graph.subgraph(part).size("weight") for part in parts], dtype=np.int64)
    volumes = np.array([sum(dict(graph.degree(part, "weight")).values()) for part in parts], dtype=np.int64)
    if graph.number_of_edges():
        expected = nx.community.modularity(graph, parts, weight="weight")
        assert modularity_of_sums(within, volumes) == pytest.approx(expected, abs=1e-12)
    for part, share in zip(parts, conductances(within, volumes), strict=True):
        if nx.cut_size(graph, part, weight="weight"):
            assert share == pytest.approx(nx.conductance(graph, part, weight="weight"))
        else:
            assert share == 0


def test_f1_of_a_worked_example() -> None:
    found, known = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])
    assert average_f1(found, known) == pytest.approx((0.8 + 6 / 7 + 0.8 + 6 / 7) / 4)
    assert average_f1(known, known) == 1
    assert adjusted_rand_score(known, known) == 1
