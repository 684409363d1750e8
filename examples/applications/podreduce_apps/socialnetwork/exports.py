"""The drawn graph as files for Gephi (GEXF, with positions, sizes and colours) and for other tools (GraphML)."""

import re
from colorsys import hls_to_rgb
from pathlib import Path
from typing import Any

import networkx as nx

from podreduce_apps.socialnetwork.drawing import Picture

__all__ = ["colour_of", "write_gexf", "write_graphml"]

MEASURES = ("community", "pagerank", "hub", "authority", "core", "triangles", "clustering", "degree", "influence")
CANVAS = 1000
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file may have, in whatever form; most are control characters."""


def write_gexf(path: Path, picture: Picture, nodes: list[dict[str, Any]]) -> None:
    """Write the graph as GEXF 1.2; `nodes` are the rows of the vertices, by vertex."""
    graph = attributed(picture, nodes)
    largest = max((nodes[vertex]["pagerank"] for vertex in graph), default=1.0)
    for vertex, (x, y) in picture.positions.items():
        red, green, blue = colour_of(nodes[vertex]["community"])
        graph.nodes[vertex]["viz"] = {
            "position": {"x": x * CANVAS, "y": -y * CANVAS, "z": 0.0},
            "size": round(4 + 16 * (nodes[vertex]["pagerank"] / largest) ** 0.5, 3),
            "color": {"r": red, "g": green, "b": blue, "a": 1.0},
        }
    text = "\n".join(nx.generate_gexf(graph, version="1.2draft"))
    path.write_text(re.sub(r"\s*<meta\b.*?</meta>", "", text, flags=re.DOTALL) + "\n", "utf-8")  # it has today's date


def write_graphml(path: Path, picture: Picture, nodes: list[dict[str, Any]]) -> None:
    """Write the graph as GraphML."""
    graph = attributed(picture, nodes)
    path.write_text("\n".join(nx.generate_graphml(graph)) + "\n", "utf-8")


def attributed(picture: Picture, nodes: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - a networkx.Graph
    """Return the graph with names, groups and measures."""
    graph = picture.graph.copy()
    for vertex in graph:
        row = nodes[vertex]
        texts = {"label": printable(row["name"]), "group": printable(row["group"])}
        named = {**texts, **{name: row[name] for name in MEASURES}}
        graph.nodes[vertex].update(named)
    return graph


def printable(text: str) -> str:
    """Return a text with a mark in place of each character that XML does not allow."""
    return NOT_IN_XML.sub("\ufffd", text)


def colour_of(community: int) -> tuple[int, int, int]:
    """Return a community's colour: hues a golden angle apart, so that those of the largest differ most."""
    red, green, blue = hls_to_rgb(0.58 + 0.381966 * (community - 1) % 1.0, 0.48, 0.58)
    return round(red * 255), round(green * 255), round(blue * 255)
