"""Measures pipelines one part after the other, and shows all rows in one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.pipelines.iterations import measure_iterations
from tests.bench.pipelines.makespan import measure_makespans
from tests.bench.pipelines.on_cluster import measure_on_cluster
from tests.bench.pipelines.pagerank import measure_pagerank
from tests.bench.pipelines.passes import measure_passes
from tests.bench.pipelines.reuse import measure_reuse
from tests.bench.pipelines.rows import Row
from tests.bench.results import write_json
from tests.bench.telling import say

__all__ = ["PARTS", "measure_pipelines"]

PARTS = ("iterations", "pagerank", "reuse", "makespan", "passes", "cluster")


def measure_pipelines(parts: Sequence[str], *, edges: int, repeats: int, results: Path) -> bool:
    """Measure some parts, show and keep the rows. Return whether every output was right."""
    measures: Mapping[str, Callable[[], list[Row]]] = {
        "iterations": lambda: measure_iterations(repeats),
        "pagerank": lambda: measure_pagerank(edges, repeats),
        "reuse": lambda: measure_reuse(repeats),
        "makespan": measure_makespans,
        "passes": measure_passes,
        "cluster": lambda: measure_on_cluster(repeats),
    }
    rows: list[Row] = []
    for part in parts:
        say(f"measuring {part}")
        found = measures[part]()
        for row in found:
            say(f"{row.what}: {row.figure}")
        rows += found
    show(rows)
    write_json({"rows": [asdict(row) for row in rows]}, results)
    return not any(row.problem for row in rows)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table("what", "figure", "goal", title="pipelines: medians [least-most]")
    for row in rows:
        table.add_row(row.what, f"{row.figure} WRONG: {row.problem}" if row.problem else row.figure, row.goal)
    Console(width=150).print(table)
