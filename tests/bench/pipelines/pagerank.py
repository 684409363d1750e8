"""Ten rounds of PageRank over an R-MAT graph: podreduce's rows and batches, PySpark's RDDs, and numpy by hand.

The class of rows is written twice: as a join of links and ranks in a reduce, which is what the RDD program does, with
and without carried map output; and with the ranks as a side input of one job an iteration.

Rule: all ranks are compared with numpy's, and may differ by the order in which floats were added only.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench.paths import JOBS, PEER_PYTHON, PEERS
from tests.bench.peers_installed import has_package
from tests.bench.pipelines.graph import prepare_graph
from tests.bench.pipelines.rows import Row
from tests.bench.pipelines.runs import median_seconds, run_pipeline
from tests.bench.telling import say

__all__ = ["measure_pagerank"]

ROUNDS: Final = 10
TOLERANCE: Final = 1e-9
NUMPY: Final = "numpy by hand, one process"
SPARK: Final = "PySpark RDD"
SIDE: Final = "podreduce, rows, ranks as a side input"
JOIN: Final = "podreduce, rows, links and ranks joined"
JOIN_AGAIN: Final = "podreduce, the same, links mapped in each round"
BATCHES: Final = "podreduce, map_batch"

Runner = Callable[[Path, Path], float]


def measure_pagerank(edges: int, repeats: int) -> list[Row]:
    """Run everybody in turn, so many times, and compare the ranks."""
    graph = prepare_graph(edges)
    runners = find_runners(graph)
    times: dict[str, list[float]] = {name: [] for name in runners}
    worst = dict.fromkeys(runners, 0.0)
    for repeat in range(repeats):
        expected: dict[int, float] = {}
        for name, run in runners.items():
            with tempfile.TemporaryDirectory(prefix="podreduce-pagerank-") as scratch:
                times[name].append(run(graph, Path(scratch) / "output"))
                found = read_ranks(Path(scratch) / "output")
            expected = expected or found
            worst[name] = max(worst[name], difference(found, expected))
            say(f"PageRank, {name}, run {repeat + 1}: {times[name][-1]:.1f} s")
    return [make_row(name, edges, times, worst) for name in runners]


def find_runners(graph: Path) -> Mapping[str, Runner]:
    """Return who can run here. numpy is first: the others are compared with it."""
    runners: dict[str, Runner] = {
        NUMPY: run_numpy,
        BATCHES: run_batches,
        SIDE: run_side,
        JOIN: run_join,
        JOIN_AGAIN: run_join_again,
    }
    if has_package("pyspark") and shutil.which("java"):
        runners[SPARK] = run_spark
    else:
        say(f"{SPARK} is left out: pyspark or Java is not installed ({graph.name})")
    return runners


def make_row(name: str, edges: int, times: Mapping[str, list[float]], worst: Mapping[str, float]) -> Row:
    """Return the line about one of them."""
    what = f"PageRank, {edges / 1e6:g} million edges, {ROUNDS} rounds: {name}"
    problem = "" if worst[name] <= TOLERANCE else f"a rank differs from numpy's by {worst[name]:.1e} of it"
    goal, figure = "", median_seconds(times[name])
    if name == BATCHES:
        goal = f"3 times numpy's at most: it is {median(times[name]) / median(times[NUMPY]):.1f}"
    if name == JOIN_AGAIN:
        goal = f"carrying the links takes {median(times[JOIN]) / median(times[name]):.2f} of it"
    if name in (SIDE, JOIN) and SPARK in times:
        goal = f"a third of the RDDs' at most: it is {median(times[name]) / median(times[SPARK]):.2f}"
    return Row(what=what, figure=figure, goal=goal, problem=problem)


def run_side(graph: Path, output: Path) -> float:
    """Run the class whose ranks are a side input."""
    return run_pipeline(JOBS / "pagerank-side.yaml", parameters=row_parameters(graph, output))


def run_join(graph: Path, output: Path) -> float:
    """Run the classes that join links and ranks."""
    return run_pipeline(JOBS / "pagerank.yaml", parameters=row_parameters(graph, output))


def run_join_again(graph: Path, output: Path) -> float:
    """Run the same, and map the links in each round."""
    return run_pipeline(JOBS / "pagerank.yaml", "--set", "spec.reuse=Never", parameters=row_parameters(graph, output))


def row_parameters(graph: Path, output: Path) -> list[str]:
    """Return the parameters of the pipelines of rows."""
    return [f"links={graph / 'links'}/", f"output={output}/"]


def run_batches(graph: Path, output: Path) -> float:
    """Run the columnar program."""
    parameters = [f"rows={graph / 'rows'}/", f"output={output}/", f"vertices={count_vertices(graph)}"]
    return run_pipeline(JOBS / "pagerank-batch.yaml", parameters=parameters)


def run_spark(graph: Path, output: Path) -> float:
    """Run the RDD program."""
    return run_peer("spark_pagerank.py", graph / "links", output)


def run_numpy(graph: Path, output: Path) -> float:
    """Run the numpy program."""
    return run_peer("numpy_pagerank.py", graph / "rows", output)


def run_peer(program: str, source: Path, output: Path) -> float:
    """Run a peer's program, and return its seconds."""
    command = [str(PEER_PYTHON), str(PEERS / program), str(source), str(output), str(ROUNDS)]
    environ = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(PEER_PYTHON)}
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=environ)
    return time.monotonic() - started


def count_vertices(graph: Path) -> int:
    """Return one more than the largest vertex."""
    tables = [pq.read_table(path) for path in sorted((graph / "rows").iterdir())]
    sources = max(pc.max(table["vertex"]).as_py() for table in tables)
    targets = max(pc.max(table["neighbours"].combine_chunks().flatten()).as_py() for table in tables)
    return int(max(sources, targets)) + 1


def read_ranks(output: Path) -> dict[int, float]:
    """Return the ranks in an output of lines `page TAB rank`."""
    lines = (line for path in sorted(output.glob("part-*")) for line in path.read_text().splitlines())
    return {int(page): float(rank) for page, rank in (line.split("\t") for line in lines)}


def difference(found: Mapping[int, float], expected: Mapping[int, float]) -> float:
    """Return by how much a rank differs at most, as a part of it. A page that only one has must have the least rank."""
    least = 0.15
    pages = found.keys() | expected.keys()
    return max(abs(found.get(page, least) - (rank := expected.get(page, least))) / rank for page in pages)
