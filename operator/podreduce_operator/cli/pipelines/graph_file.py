"""Writes the picture of a pipeline into a file."""

from pathlib import Path

from podreduce_operator.cli.pipelines.graph import StepGraph
from podreduce_operator.cli.pipelines.graph_svg import draw_svg

__all__ = ["write_graph"]


def write_graph(path: Path, graph: StepGraph, title: str) -> str:
    """Write the picture. Return why it cannot be written; empty if it is."""
    try:
        path.write_text(draw_svg(graph, title), encoding="utf-8")
    except OSError as error:
        return f"--graph {path}: cannot be written: {error.strerror or error}"
    return ""
