"""`python -m tests.bench overhead`: how long a task takes that has nothing to do, from exec on.

One process a time, as an engine starts it: an empty map over one tiny object of a directory store.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from podreduce.contract.layout import commit_key
from podreduce.contract.task import TaskRef
from tests.bench.results import write_json
from tests.support.task_runs import TaskRun

__all__ = ["measure_overhead"]

FIRST_RECORD: Final = "first-record"
PROGRAM: Final = """
import os
import time

class Empty:
    def map_func(self, key, value):
        with open(os.environ["PODREDUCE_BENCH_MARK"], "w") as mark:
            mark.write(repr(time.time()))
        return iter(())

    def reduce_func(self, key, values):
        yield key, list(values)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Seconds from exec to each moment of one task."""

    first_record: float
    commit: float
    exit: float
    bare_python: float


def measure_overhead(repeats: int, results: Path) -> None:
    """Run the task so many times, show the table and keep the times."""
    moments = list(run_tasks(repeats))
    table = Table("from exec to", "median ms", "least", "most", title=f"an empty map over one tiny object, {repeats}x")
    for name in ("bare_python", "first_record", "commit", "exit"):
        times = [getattr(moment, name) * 1000 for moment in moments]
        label = "exit of a bare python -c pass" if name == "bare_python" else name.replace("_", " ")
        table.add_row(label, *(f"{value:.0f}" for value in (median(times), min(times), max(times))))
    Console(width=100).print(table)
    write_json({"seconds": [asdict(moment) for moment in moments]}, results)


def run_tasks(repeats: int) -> Iterator[Moments]:
    """Yield the moments of one task after the other."""
    with tempfile.TemporaryDirectory(prefix="podreduce-overhead-") as directory:
        for repeat in range(repeats):
            root = Path(directory) / str(repeat)
            root.mkdir()
            yield run_task(root)


def run_task(root: Path) -> Moments:
    """Run the task in a store of its own below `root`."""
    run = TaskRun(source=PROGRAM, objects={"tiny.txt": b"one line\n"}, root=f"file://{root}/")
    task = TaskRef.parse("m-0")
    environment = run.environment(task, scratch_directory=str(root), termination_log=str(root / "termination-log"))
    mark = root / FIRST_RECORD
    environ = {**os.environ, **environment.to_environ(), "PODREDUCE_BENCH_MARK": str(mark)}
    started = time.time()
    subprocess.run([sys.executable, "-m", "podreduce"], env=environ, capture_output=True, check=True)
    ended = time.time()
    committed = root / "work" / commit_key(task, 0)
    return Moments(
        first_record=float(mark.read_text()) - started,
        commit=committed.stat().st_mtime - started,
        exit=ended - started,
        bare_python=time_bare_python(),
    )


def time_bare_python() -> float:
    """Return how long the interpreter itself takes to come and go."""
    started = time.time()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.time() - started
