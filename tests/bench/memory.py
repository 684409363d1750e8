"""`python -m tests.bench memory`: whether tasks stay below their limit, whatever goes through them.

Each task's peak is what the kernel says of its process (VmHWM), read every 20 ms until it is gone.
"""

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.data import MEGABYTE
from tests.bench.memory_cases import MEMORY_CASES, MemoryCase
from tests.bench.paths import PODREDUCE
from tests.bench.process_tree import list_descendants
from tests.bench.results import write_json

__all__ = ["measure_memory"]

SAMPLE_SECONDS: Final = 0.02
TASKS: Final = frozenset({"m-0", "r-0"})
MAP_COUNTERS: Final = ("mapBytesOut", "mapSpills")
REDUCE_COUNTERS: Final = ("reduceBytesIn", "reduceSpills")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case: each task's peak, how long it took, its counters, and what was wrong."""

    case: str
    limit_bytes: int
    peaks: dict[str, int]
    wall_seconds: float
    counters: dict[str, int] = field(default_factory=dict)
    problem: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the output is right and no task, all of which were watched, exceeded its limit."""
        return (
            self.problem is None
            and self.peaks.keys() == TASKS
            and all(peak <= self.limit_bytes for peak in self.peaks.values())
        )


def measure_memory(*, scale: float, named: str, results: Path, tell: Callable[[str], None]) -> bool:
    """Run the cases whose names hold `named`, `scale` of their size; tell whether all kept to their limits.

    Their table is shown and kept.
    """
    outcomes = []
    for case in MEMORY_CASES:
        sized = replace(case, lines=max(1, int(case.lines * scale)))
        for limit in case.limits if named in case.name else ():
            tell(f"{sized.name}: {sized.lines:,} lines within {limit} MiB")
            outcomes.append(run_case(sized, limit * 2**20))
    Console(width=100).print(render_outcomes(outcomes))
    for outcome in outcomes:
        if outcome.problem:
            tell(f"{outcome.case}: {outcome.problem}")
    write_json({"cases": [asdict(outcome) for outcome in outcomes]}, results)
    return all(outcome.is_good for outcome in outcomes)


def run_case(case: MemoryCase, limit_bytes: int) -> Outcome:
    """Run the case with the local engine, watch its tasks, and check its output."""
    with tempfile.TemporaryDirectory(prefix="podreduce-memory-") as name:
        directory = Path(name)
        (directory / "input").mkdir()
        (directory / "input" / "lines.txt").write_text(case.input())
        (directory / "job.json").write_text(json.dumps(case.manifest()))
        command = [str(PODREDUCE), "run", "job.json", "--memory", str(limit_bytes), "--work-dir", "work", "--json"]
        started = time.monotonic()
        with subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            watcher = TaskWatcher(process.pid)
            watcher.start()
            output, errors = process.communicate()
            watcher.ended.set()
        wall_seconds = time.monotonic() - started
        if process.returncode:
            problem = f"exit code {process.returncode}: {errors[-1000:]}"
            return Outcome(
                case=case.name,
                limit_bytes=limit_bytes,
                peaks=watcher.peaks,
                wall_seconds=wall_seconds,
                problem=problem,
            )
        problem = None if watcher.peaks.keys() == TASKS else f"only {sorted(watcher.peaks)} were watched"
        if dict(read_answer(directory / "output")) != case.answer(case.lines):
            problem = "the output is wrong"
        return Outcome(
            case=case.name,
            limit_bytes=limit_bytes,
            peaks=watcher.peaks,
            wall_seconds=wall_seconds,
            counters=json.loads(output)["counters"]["podreduce"],
            problem=problem,
        )


class TaskWatcher(threading.Thread):
    """Reads the peak memory of every task process below an engine for as long as it runs."""

    def __init__(self, engine: int) -> None:
        super().__init__(daemon=True)
        self.engine = engine
        self.peaks: dict[str, int] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        names: dict[int, str] = {}
        while not self.ended.wait(SAMPLE_SECONDS):
            for process in list_descendants(self.engine):
                name = names.get(process) or read_task(process)
                if name:
                    names[process] = name
                    self.peaks[name] = max(self.peaks.get(name, 0), read_peak_bytes(process))


def read_task(process: int) -> str:
    """Return which task a process is, as it has named itself; empty if none, or not yet."""
    with suppress(OSError):
        kind, _, task = Path(f"/proc/{process}/comm").read_text().strip().partition(" ")
        return task if kind == "task" else ""
    return ""


def read_peak_bytes(process: int) -> int:
    """Return the highest resident memory that the process has had; 0 once it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def read_answer(directory: Path) -> Iterator[tuple[str, tuple[int, int | str]]]:
    """Yield the output's records: key, number of values, fold."""
    for path in sorted(directory.glob("part-*")):
        for line in path.read_text().splitlines():
            key, _, value = line.partition("\t")
            count, fold = json.loads(value)
            yield key, (count, fold)


def render_outcomes(outcomes: list[Outcome]) -> Table:
    """Return the table: a row for each task, with what it shuffled and how often it spilled."""
    table = Table("case", "task", "peak MiB", "limit MiB", "shuffled MB", "spills", "case's s", "verdict")
    for outcome in outcomes:
        for task, peak in sorted(outcome.peaks.items()):
            shuffled, spills = MAP_COUNTERS if task.startswith("m") else REDUCE_COUNTERS
            table.add_row(
                outcome.case,
                task,
                f"{peak / 2**20:.0f}",
                f"{outcome.limit_bytes / 2**20:.0f}",
                f"{outcome.counters.get(shuffled, 0) / MEGABYTE:,.0f}",
                str(outcome.counters.get(spills, 0)),
                f"{outcome.wall_seconds:.1f}",
                "WRONG" if outcome.problem else "kept" if peak <= outcome.limit_bytes else "EXCEEDED",
            )
    return table
