"""How long a graph of five million edges takes: `make bench-applications APPLICATIONS=socialnetwork`.

The graph is an R-MAT one (Chakrabarti, Zhan, Faloutsos, SDM 2004; a = .57, b = c = .19) of 2^18 vertices, in rounds of
jobs all the way: `oneTaskEdges` is 0 until the graph of communities. Times are of the whole command, with its start.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from podreduce_apps.catalog import find_pipeline
from tests.applications.socialnetwork.whole_runs import run_command, say
from tests.support.podreduce_command import COMMAND

SCALE = 18
EDGES = 5_000_000
GOALS = {"components": 30, "pagerank": 60, "communities": 120}
STEPS = {
    "components": ["contracted", "large-star", "small-star"],
    "pagerank": ["start-pagerank", "pagerank"],
    "communities": [
        "start-communities",
        "move",
        "between",
        "labels",
        "contracted-within",
        "large-star-within",
        "small-star-within",
    ],
}
ROUNDS = 50


def draw_edges(edges: int, scale: int) -> Any:
    """Return the ends of R-MAT edges, as two arrays."""
    generator = np.random.default_rng(7)
    sources, targets = np.zeros(edges, np.int64), np.zeros(edges, np.int64)
    for _ in range(scale):
        corner = generator.choice(4, edges, p=[0.57, 0.19, 0.19, 0.05])
        sources, targets = 2 * sources + corner // 2, 2 * targets + corner % 2
    return sources, targets


def write_graph(directory: Path, edges: int, scale: int) -> None:
    """Write the edges as lines."""
    directory.mkdir(parents=True)
    np.savetxt(directory / "edges.txt", np.column_stack(draw_edges(edges, scale)), fmt="%d")


def part_of(topic: str, output: Path) -> dict[str, Any]:
    """Return the pipeline with only the steps of a topic, which reads what an earlier run has written."""
    pipeline = yaml.safe_load(find_pipeline("socialnetwork").read_text())
    spec = pipeline["spec"]
    spec["steps"] = [step for step in spec["steps"] if step["name"] in STEPS[topic]]
    spec["loops"] = [loop for loop in spec["loops"] if loop["steps"][0] in STEPS[topic]]
    for step in spec["steps"]:
        for each in [*step["inputs"], *step.get("sideInputs", [])]:
            if each.get("from") in {"names", "adjacency"}:
                source = each.pop("from")
                each.update(name=each.get("name", source), uris=[f"{output}/{source}/"], format="Parquet")
    if topic == "pagerank":
        spec["loops"][0].update(maxIterations=ROUNDS, minIterations=ROUNDS)
    return pipeline


def measure(directory: Path, name: str, pipeline: dict[str, Any], *options: str) -> float:
    """Run a pipeline, and return how many seconds that took."""
    file = directory / f"{name}.json"
    file.write_text(json.dumps(pipeline))
    start = time.monotonic()
    printed = run_command([*COMMAND, "run", str(file), *options, "--log-format", "lines"])
    seconds = time.monotonic() - start
    say(*(line for line in printed.splitlines() if line.startswith("loop ")))
    return seconds


def main() -> int:
    """Print how long each topic took, and its goal; return 1 if one took longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=EDGES)
    parser.add_argument("--scale", type=int, default=SCALE)
    parser.add_argument("--only", choices=[*STEPS], action="append")
    arguments = parser.parse_args()
    is_reached = True
    with tempfile.TemporaryDirectory(prefix="socialnetwork-") as name:
        directory = Path(name)
        write_graph(directory / "data", arguments.edges, arguments.scale)
        values = ("-p", f"input={directory}/data/", "-p", f"output={directory}/out", "-p", "oneTaskEdges=0")
        whole = yaml.safe_load(find_pipeline("socialnetwork").read_text())
        seconds = measure(directory, "graph", whole, *values, "--to", "adjacency")
        say(f"graph        {seconds:7.1f} s  from {arguments.edges:,} lines to its rows")
        for topic in arguments.only or STEPS:
            seconds = measure(directory, topic, part_of(topic, directory / "out"), *values)
            is_reached &= seconds <= GOALS[topic]
            say(f"{topic:12} {seconds:7.1f} s  goal {GOALS[topic]} s")
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
