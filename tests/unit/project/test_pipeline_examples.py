"""The programs of the example pipelines give what plain Python and numpy give, and their files are valid.

The programs run here as classes, without an engine: map all, sort by key, reduce. Other tests run the files themselves.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from podreduce_operator.cli.pipelines.pipeline_file import load_pipeline, parse_pipeline_file
from tests.support.pipeline_oracles import (
    draw_links,
    draw_logs,
    draw_points,
    expected_centres,
    expected_labels,
    expected_ranks,
    expected_report,
)
from tests.support.program_context import Pairs, ProgramContext, run_class

EXAMPLES = Path(__file__).parents[3] / "examples"


def load(example: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The classes of an example's program, and its parameters."""
    spec = yaml.safe_load((EXAMPLES / example / "pipeline.yaml").read_text())["spec"]
    names: dict[str, Any] = {}
    exec(spec["program"]["source"], names)  # noqa: S102 - the example's own program
    return names, spec["parameters"]


def read_rows(paths: Iterable[Path]) -> Pairs:
    found: Pairs = []
    for path in sorted(paths):
        with path.open(newline="") as file:
            found += [(0, row) for row in csv.DictReader(file)]
    return found


@pytest.mark.parametrize("example", ["web", "pagerank", "kmeans", "authors", "duplicates"])
def test_the_file_is_valid(example: str) -> None:
    path = EXAMPLES / example / "pipeline.yaml"
    load_pipeline(parse_pipeline_file(path.read_text(), str(path)))


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_web(tmp_path: Path, seed: int | None) -> None:
    logs = EXAMPLES / "web" / "logs" if seed is None else tmp_path
    if seed is not None:
        draw_logs(logs, seed=seed, rows=500 * seed)
    names, parameters = load("web")
    clean = run_class(
        names["Clean"], ProgramContext(parameters), {"input": read_rows(logs.glob("day=2026-05-01/*.csv"))}
    )
    visits = run_class(names["Visits"], ProgramContext(parameters), {"clean": clean})
    faults = run_class(names["Faults"], ProgramContext(parameters), {"clean": clean})
    report = run_class(names["Report"], ProgramContext(parameters), {"visits": visits, "faults": faults})
    assert dict(report) == expected_report(logs)
    assert len(report) > 10


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_pagerank(tmp_path: Path, seed: int | None) -> None:
    directory = EXAMPLES / "pagerank" / "links" if seed is None else tmp_path
    if seed is not None:
        draw_links(directory, seed=seed, pages=60 * seed)
    names, parameters = load("pagerank")
    links = [(0, line) for path in sorted(directory.glob("*.txt")) for line in path.read_text().splitlines()]
    ranks, moved, rounds = run_class(names["Seed"], ProgramContext(parameters), {"input": links}), 10_000, 0
    while moved >= 10_000:
        context = ProgramContext(parameters)
        spread = run_class(names["Spread"], context, {"links": links, "ranks": ranks})
        ranks = run_class(names["Sum"], context, {"spread": spread})
        moved, rounds = context.counters["rank/micro"], rounds + 1
    expected, expected_rounds = expected_ranks(directory)
    assert rounds == expected_rounds
    assert dict(ranks) == pytest.approx(expected, abs=1e-6)
    top = run_class(names["Top"], ProgramContext(parameters), {"sum": ranks})
    assert [rank for _, rank in top] == sorted(dict(ranks).values(), reverse=True)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_kmeans(tmp_path: Path, seed: int | None) -> None:
    directory = EXAMPLES / "kmeans" / "points" if seed is None else tmp_path
    if seed is not None:
        draw_points(directory, seed=seed, points=200 * seed)
    names, parameters = load("kmeans")
    points = {"input": read_rows(directory.glob("*.csv"))}
    centres, moved, rounds = run_class(names["Sample"], ProgramContext(parameters), points), 1, 0
    while moved:
        context = ProgramContext(parameters, side=centres)
        centres = run_class(names["Assign"], context, points)
        moved, rounds = context.counters["kmeans/moved"], rounds + 1
    expected, expected_rounds = expected_centres(directory, int(parameters["k"]))
    assert rounds == expected_rounds
    assert dict(centres) == {number: pytest.approx(centre) for number, centre in expected.items()}
    labels = run_class(names["Label"], ProgramContext(parameters, side=centres), points)
    found = sorted((point, number) for number, point in labels)
    rows = [(float(row["x"]), float(row["y"])) for _, row in points["input"]]
    assert found == sorted(zip(rows, expected_labels(directory, expected), strict=True))
