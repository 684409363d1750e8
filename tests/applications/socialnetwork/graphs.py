"""Graphs of networkx as rows, and drawn ones that have all kinds of vertices."""

from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa

from podreduce_apps.socialnetwork.adjacency import describe_rows, merge_entries
from podreduce_apps.socialnetwork.graph import IN, OUT, Rows, sorted_rows
from podreduce_apps.socialnetwork.lines import WEIGHT_UNIT
from podreduce_apps.socialnetwork.louvain import Level

LFR = {"n": 1000, "tau1": 3, "tau2": 1.5, "average_degree": 15, "max_degree": 50, "min_community": 20}


def table_of(graph: Any) -> Any:
    """The table that the step `adjacency` writes for a graph whose vertices are 0 to n - 1."""
    ways = [
        (a, b, data.get("weight", 1), OUT if graph.is_directed() else OUT | IN) for a, b, data in graph.edges.data()
    ]
    back = [(b, a, weight, IN if graph.is_directed() else OUT | IN) for a, b, weight, _ in ways]
    alone = [(vertex, vertex, 0, 0) for vertex in graph]
    entries = np.array([(a, b, weight * WEIGHT_UNIT, way) for a, b, weight, way in ways + back if a != b] + alone)
    merged = merge_entries(*entries.astype(np.int64).T)
    return describe_rows(merged, merged[0] != merged[1])


def rows_of(graph: Any) -> Rows:
    return sorted_rows(table_of(graph))


def level_of(graph: Any) -> Level:
    table = pa.table(table_of(graph)).sort_by("vertex")
    return Level(rows=sorted_rows(table), strengths=table["strength"].to_numpy())


def lfr(mixing: float) -> Any:
    graph = nx.Graph(nx.LFR_benchmark_graph(**LFR, mu=mixing, max_community=50, seed=7))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


def groups_of(graph: Any) -> list[int]:
    return [min(graph.nodes[vertex]["community"]) for vertex in graph]


def drawn(seed: int, *, directed: bool = False) -> Any:
    """A graph of several components, with vertices without edges, hubs and weights."""
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 40))
    graph: Any = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(count))
    for _ in range(int(generator.integers(0, 4 * count))):
        a, b = int(count * generator.random() ** 2), int(generator.integers(count))
        if a != b:
            graph.add_edge(a, b, weight=int(generator.integers(1, 6)))
    return graph
