"""Ranks, cores, triangles and components are those of networkx."""

from typing import Any

import networkx as nx
import numpy as np
import pytest

from podreduce_apps.socialnetwork.components import LargeStar, SmallStar, contract_rows, edge_table, roots_of_stars
from podreduce_apps.socialnetwork.cores import h_indices, solve_cores
from podreduce_apps.socialnetwork.graph import read_rows
from podreduce_apps.socialnetwork.hits import following_shares, moved, next_sums, solve_scores
from podreduce_apps.socialnetwork.pagerank import incoming, next_ranks, solve_ranks
from podreduce_apps.socialnetwork.triangles import count_triangles, local_clustering
from tests.applications.socialnetwork.graphs import drawn, rows_of, table_of

SEEDS = range(24)


class Counting:
    """A context that keeps the last pass's counter."""

    def __init__(self) -> None:
        self.changed = 0

    def count(self, group: str, name: str, n: int = 1) -> None:
        assert (group, name) == ("components", "changed")
        self.changed += n


def star_pass(job: Any, edges: Any, cut: int) -> tuple[Any, int]:
    """One job over edges, with batches cut after every `cut` rows, as a hub's may be."""
    context = Counting()
    job.setup(context)
    mapped = job.map_batch(edges).sort_by([("vertex", "ascending"), ("neighbour", "ascending")])
    parts = [job.reduce_batch(batch) for batch in mapped.to_batches(max_chunksize=cut) if batch.num_rows]
    ends = (
        [np.concatenate([part[name].to_numpy() for part in parts]) for name in ("vertex", "neighbour")] if parts else []
    )
    return edge_table(*ends) if ends else edges.slice(0, 0), context.changed


def components_by_stars(edges: Any, count: int, cut: int) -> tuple[list[int], int]:
    for iteration in range(1, 30):
        edges, large = star_pass(LargeStar(), edges, cut)
        edges, small = star_pass(SmallStar(), edges, cut)
        if not large and not small:
            return roots_of_stars(count, edges).tolist(), iteration
    raise AssertionError("the stars do not converge")


def smallest_of_components(graph: Any) -> list[int]:
    smallest = {vertex: min(part) for part in nx.connected_components(graph) for vertex in part}
    return [smallest[vertex] for vertex in sorted(graph)]


@pytest.mark.parametrize("cut", [1, 3, 10_000])
@pytest.mark.parametrize("seed", SEEDS)
def test_stars_end_at_the_smallest_vertex_of_each_component(seed: int, cut: int) -> None:
    graph = drawn(seed)
    edges = np.array(graph.edges, dtype=np.int64).reshape(-1, 2)
    stars, _ = components_by_stars(edge_table(edges[:, 0], edges[:, 1]), len(graph), cut)
    assert stars == smallest_of_components(graph)


def test_stars_of_a_long_path_need_few_iterations() -> None:
    order = np.random.default_rng(7).permutation(1000)
    stars, iterations = components_by_stars(edge_table(order[:-1], order[1:]), 1000, 10_000)
    assert set(stars) == {0}
    assert iterations <= 12


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_of_the_whole_graph_is_contracted_to_its_components(seed: int) -> None:
    graph = drawn(seed)
    assert roots_of_stars(len(graph), contract_rows(read_rows(table_of(graph)))).tolist() == smallest_of_components(
        graph
    )


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
@pytest.mark.parametrize("seed", SEEDS)
def test_pagerank_is_that_of_networkx(seed: int, directed: bool) -> None:
    graph = drawn(seed, directed=directed)
    degrees = np.array([graph.out_degree(v) if directed else graph.degree(v) for v in sorted(graph)])
    before, _ = solve_ranks(rows_of(graph), degrees, 0.85, 1e-12)
    ranks = next_ranks(incoming(rows_of(graph)), before, degrees, 0.85)
    expected = nx.pagerank(graph, 0.85, tol=1e-14, max_iter=1000, weight=None)
    assert ranks == pytest.approx([expected[vertex] for vertex in sorted(graph)], abs=1e-9)


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_hubs_and_authorities_are_the_singular_vectors(directed: bool) -> None:
    graph = nx.karate_club_graph()
    graph = nx.gnp_random_graph(50, 0.15, seed=7, directed=True) if directed else nx.Graph(graph.edges)
    scores = following_shares(*solve_scores(rows_of(graph), 1e-12))
    matrix = nx.to_numpy_array(graph, nodelist=sorted(graph), weight=None)
    left, _, right = np.linalg.svd(matrix)
    assert scores.hub == pytest.approx(np.abs(left[:, 0]) / np.abs(left[:, 0]).sum(), abs=1e-9)
    assert scores.authority == pytest.approx(np.abs(right[0]) / np.abs(right[0]).sum(), abs=1e-9)


@pytest.mark.parametrize(
    "graph",
    [nx.star_graph(5), nx.path_graph(7), nx.complete_bipartite_graph(3, 8), nx.cycle_graph(6), nx.grid_2d_graph(3, 5)],
    ids=["star", "path", "buyers and goods", "ring", "grid"],
)
def test_scores_of_a_graph_of_two_sides_settle_too_and_are_its_eigenvector(graph: Any) -> None:
    graph = nx.convert_node_labels_to_integers(graph)
    rows = rows_of(graph)
    sums, before = solve_scores(rows, 1e-12)
    scores = following_shares(sums, before)
    vector = np.abs(np.linalg.eigh(nx.to_numpy_array(graph))[1][:, -1])

    assert not moved(scores, before, 1e-12).any()
    assert scores.hub == pytest.approx(vector / vector.sum(), abs=1e-9)
    assert scores.authority == pytest.approx(scores.hub, abs=1e-12)
    assert not moved(following_shares(next_sums(rows, scores), scores), scores, 1e-11).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_cores_triangles_and_clustering_are_those_of_networkx(seed: int) -> None:
    graph, rows = drawn(seed), rows_of(drawn(seed))
    triangles, degrees = count_triangles(rows), np.diff(rows.offsets)
    assert solve_cores(rows).tolist() == [nx.core_number(graph)[vertex] for vertex in sorted(graph)]
    assert triangles.tolist() == [nx.triangles(graph)[vertex] for vertex in sorted(graph)]
    expected = nx.clustering(graph)
    assert local_clustering(triangles, degrees) == pytest.approx([expected[vertex] for vertex in sorted(graph)])


@pytest.mark.parametrize("rows_at_a_time", [1, 7])
def test_a_round_gives_each_vertex_the_same_bytes_whatever_stands_beside_it(rows_at_a_time: int) -> None:
    graph = drawn(11)
    whole, degrees = rows_of(graph), np.array([graph.degree(vertex) for vertex in sorted(graph)])
    ranks = np.random.default_rng(7).random(len(graph))
    batches = [read_rows(batch) for batch in table_of(graph).to_batches(max_chunksize=rows_at_a_time)]
    pieces = [next_ranks(incoming(rows), ranks, degrees, 0.85) for rows in batches]
    assert np.concatenate(pieces).tobytes() == next_ranks(incoming(whole), ranks, degrees, 0.85).tobytes()
    cores = np.concatenate([h_indices(rows, degrees) for rows in batches])
    assert cores.tolist() == h_indices(whole, degrees).tolist()


def test_karate_has_its_known_figures() -> None:
    graph = nx.Graph(nx.karate_club_graph().edges)
    rows, degrees = rows_of(graph), np.array([graph.degree(vertex) for vertex in sorted(graph)])
    ranks = solve_ranks(rows, degrees, 0.85, 1e-10)[0]
    assert count_triangles(rows).sum() // 3 == 45
    assert solve_cores(rows).max() == 4
    assert [round(ranks[vertex], 5) for vertex in (33, 0, 32)] == [0.10092, 0.09700, 0.07169]
