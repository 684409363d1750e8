"""What is drawn: the vertices with the highest PageRank and the edges between them, and the communities as one graph.

Positions are those of ForceAtlas2 (Jacomy, Venturini, Heymann, Bastian 2014), first of the communities, then of the
vertices from their communities' places on. Its cost grows with the square of what is drawn, so that is limited.
"""

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from podreduce_apps.socialnetwork.graph import Ints, Rows, group_sums, keep_entries, row_numbers
from podreduce_apps.socialnetwork.lines import WEIGHT_UNIT

__all__ = ["Picture", "draw_communities", "draw_vertices", "most_ranked"]

LAYOUT_STEPS = 50
MOST_COMMUNITIES = 60
SPREAD = 30.0
"""How far apart the communities' places are, before their vertices find their own."""
BORDER = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph with positions from about 0 to 1, and how many of its vertices and edges were left out."""

    graph: Any
    positions: dict[int, tuple[float, float]]
    omitted_vertices: int = 0
    omitted_edges: int = 0


def most_ranked(ranks: Any, count: int) -> Ints:  # noqa: ANN401 - a vector of PageRank by vertex
    """Return the vertices with the highest ranks, in ascending order."""
    return np.sort(np.argsort(-ranks, kind="stable")[:count])


def draw_communities(rows: Rows, numbers: Ints) -> Picture:
    """Return the largest communities, and the weights between them; `numbers` are theirs by vertex, from 1 on."""
    count = int(numbers.max())
    here, there = numbers[rows.vertices][row_numbers(rows)], numbers[rows.neighbours]
    drawn = (here < there) & (there <= MOST_COMMUNITIES)
    codes, weights = group_sums(here[drawn] * (count + 1) + there[drawn], rows.weights[drawn])
    graph = nx.Graph()
    graph.add_nodes_from(range(1, min(count, MOST_COMMUNITIES) + 1))
    for code, weight in zip(codes.tolist(), weights.tolist(), strict=True):
        graph.add_edge(code // (count + 1), code % (count + 1), weight=weight / WEIGHT_UNIT)
    return Picture(graph=graph, positions=lay_out(graph, None), omitted_vertices=count - len(graph))


def draw_vertices(rows: Rows, numbers: Ints, drawn: Ints, communities: Picture) -> Picture:
    """Return these vertices with the edges between them."""
    chosen = np.zeros(len(numbers), bool)
    chosen[drawn] = True
    vertices = row_numbers(rows)
    kept = chosen[vertices] & chosen[rows.neighbours] & (vertices < rows.neighbours)
    edges = keep_entries(rows, kept)
    graph = nx.Graph()
    graph.add_nodes_from(drawn.tolist())
    ends = zip(row_numbers(edges).tolist(), edges.neighbours.tolist(), edges.weights.tolist(), strict=True)
    graph.add_edges_from((here, there, {"weight": weight / WEIGHT_UNIT}) for here, there, weight in ends)
    around = {vertex: place_near(communities, int(numbers[vertex]), vertex) for vertex in graph}
    omitted = len(rows.neighbours) // 2 - graph.number_of_edges()
    return Picture(
        graph=graph,
        positions=lay_out(graph, around),
        omitted_vertices=len(numbers) - len(graph),
        omitted_edges=omitted,
    )


def place_near(communities: Picture, number: int, vertex: int) -> Any:  # noqa: ANN401 - a vector of two
    """Return a place beside a community's, which depends on the vertex alone."""
    angle = 2.399963 * vertex  # the golden angle: neighbours in number are far from each other
    middle = np.array(communities.positions.get(number, (0.5, 0.5))) - 0.5
    return SPREAD * middle + np.array([np.cos(angle), np.sin(angle)]) * (1 + vertex % 7 / 7)


def lay_out(graph: Any, around: Any) -> dict[int, tuple[float, float]]:  # noqa: ANN401 - a networkx.Graph, places or None
    """Return each vertex's position, from 0 to 1."""
    start = around or {vertex: place_on_circle(index, len(graph)) for index, vertex in enumerate(graph)}
    if graph.number_of_edges() == 0:
        return scale(start, set(graph))
    with np.errstate(divide="ignore", invalid="ignore"):  # networkx divides by the distance from a vertex to itself
        places = nx.forceatlas2_layout(graph, pos=start, max_iter=LAYOUT_STEPS, scaling_ratio=2.0, linlog=True, seed=1)
    return scale(places, max(nx.connected_components(graph), key=len))


def place_on_circle(index: int, count: int) -> Any:  # noqa: ANN401 - a vector of two
    """Return the place of one of some points on a circle."""
    angle = 2 * np.pi * index / count
    return np.array([np.cos(angle), np.sin(angle)])


def scale(places: dict[int, Any], most: set[int]) -> dict[int, tuple[float, float]]:
    """Return places moved so that `most` of them fill the unit square; what floats far off is put at its border."""
    within = np.array([places[vertex] for vertex in places if vertex in most])
    low, high = within.min(0), within.max(0)
    size = max(float((high - low).max()), 1e-9)
    moved = np.clip((np.array(list(places.values())) - (low + high) / 2) / size + 0.5, -BORDER, 1 + BORDER)
    return {vertex: (round(float(x), 5), round(float(y), 5)) for vertex, (x, y) in zip(places, moved, strict=True)}
