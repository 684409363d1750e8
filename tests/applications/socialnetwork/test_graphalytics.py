"""Ranks, clustering and components of the reference graphs of LDBC Graphalytics are those of its reference outputs.

`graphalytics/NOTICE.md` says where the files are from.
"""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from podreduce_apps.socialnetwork.components import contract_rows, roots_of_stars
from podreduce_apps.socialnetwork.graph import read_rows
from podreduce_apps.socialnetwork.pagerank import incoming, next_ranks, solve_ranks
from podreduce_apps.socialnetwork.triangles import count_triangles, local_clustering
from tests.applications.socialnetwork.graphs import rows_of, table_of

FILES = Path(__file__).parent / "graphalytics"
DAMPING = 0.85
PRECISION = 1e-9
"""Some of the reference values have so many digits."""


def read_graph(name: str, *, directed: bool) -> tuple[Any, list[int]]:
    """Return a graph whose vertices are 0 to n - 1, and what each is called in the files."""
    lines = [[int(each) for each in line.split()] for line in (FILES / name).read_text().splitlines()]
    names = sorted(line[0] for line in lines)
    number = {each: place for place, each in enumerate(names)}
    graph: Any = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(len(names)))
    graph.add_edges_from((number[line[0]], number[each]) for line in lines for each in line[1:])
    return graph, names


def read_values(name: str, names: list[int]) -> list[float]:
    """Return a reference value for each vertex."""
    pairs = (line.split() for line in (FILES / name).read_text().splitlines())
    values = {int(vertex): float(value) for vertex, value in pairs}
    assert values.keys() == set(names)
    return [values[each] for each in names]


def ranked(graph: Any) -> tuple[Any, Any]:
    """Return a graph's rows, and how many edges leave each vertex."""
    degrees = [graph.out_degree(v) if graph.is_directed() else graph.degree(v) for v in sorted(graph)]
    return rows_of(graph), np.array(degrees)


@pytest.mark.parametrize(
    ("graph", "output", "directed", "rounds"),
    [
        ("example-directed-input", "example-directed-PR", True, 2),
        ("example-undirected-input", "example-undirected-PR", False, 2),
        ("pr-undir-input", "pr-undir-output", False, 26),
    ],
)
def test_ranks_after_so_many_rounds(graph: str, output: str, directed: bool, rounds: int) -> None:
    found, names = read_graph(graph, directed=directed)
    rows, degrees = ranked(found)
    ranks = np.full(len(names), 1 / len(names))

    for _ in range(rounds):
        ranks = next_ranks(incoming(rows), ranks, degrees, DAMPING)

    assert ranks == pytest.approx(read_values(output, names), abs=PRECISION)


def test_settled_ranks() -> None:
    """The reference asks for 14 rounds, to 1e-4; its values are those to which rounds without end lead."""
    graph, names = read_graph("pr-dir-input", directed=True)

    ranks, _ = solve_ranks(*ranked(graph), DAMPING, 1e-14)

    assert ranks == pytest.approx(read_values("pr-dir-output", names), abs=1e-13)


@pytest.mark.parametrize(
    ("graph", "output"),
    [("example-undirected-input", "example-undirected-LCC"), ("lcc-undir-input", "lcc-undir-output")],
)
def test_local_clustering(graph: str, output: str) -> None:
    found, names = read_graph(graph, directed=False)
    rows = rows_of(found)

    clustering = local_clustering(count_triangles(rows), np.diff(rows.offsets))

    assert clustering == pytest.approx(read_values(output, names), abs=PRECISION)


@pytest.mark.parametrize(
    ("graph", "output", "directed"),
    [
        ("example-directed-input", "example-directed-WCC", True),
        ("example-undirected-input", "example-undirected-WCC", False),
        ("wcc-dir-input", "wcc-dir-output", True),
        ("wcc-undir-input", "wcc-undir-output", False),
    ],
)
def test_components_are_named_by_their_smallest_vertex(graph: str, output: str, directed: bool) -> None:
    found, names = read_graph(graph, directed=directed)

    roots = roots_of_stars(len(names), contract_rows(read_rows(table_of(found))))

    assert [names[root] for root in roots] == read_values(output, names)
