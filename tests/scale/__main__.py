"""`python -m tests.scale`: jobs of thousands of tasks on fake nodes, and what they cost the operator, as a table."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.paths import RESULTS
from tests.bench.results import write_json
from tests.bench.telling import say
from tests.cluster.control_plane import CLIENT_LIMITS
from tests.scale.figures import Figures
from tests.scale.jobs import run_jobs
from tests.scale.peers import run_bare_loop, run_indexed_job
from tests.scale.stage import Stage, open_stage
from tests.scale.status_size import status_bytes

WIDTH = 120
STATUS_TASKS = 100_000
Measurement = Callable[[Stage, str], Awaitable[Figures]]

SMALL, LARGE = 1000, 10_000
MEASUREMENTS: dict[str, Measurement] = {
    "bare loop, 2,000 pods": partial(run_bare_loop, pods=2000, seconds=5.0),
    "1,000 tasks at once": partial(run_jobs, jobs=1, maps=SMALL, parallelism=SMALL, seconds=5.0),
    "1,000 tasks at once, Indexed Job": partial(run_indexed_job, maps=SMALL, parallelism=SMALL, seconds=5.0),
    "2,000 tasks, 200 at a time": partial(run_jobs, jobs=1, maps=2000, parallelism=200, seconds=8.0),
    "2,000 tasks, 200 at a time, Indexed Job": partial(run_indexed_job, maps=2000, parallelism=200, seconds=8.0),
    "10,000 tasks, 3,000 at a time": partial(run_jobs, jobs=1, maps=LARGE, parallelism=3000, seconds=90.0),
    "10,000 tasks, 3,000 at a time, Indexed Job": partial(run_indexed_job, maps=LARGE, parallelism=3000, seconds=90.0),
    "1,000 jobs of 10 tasks": partial(run_jobs, jobs=1000, maps=10, parallelism=10, seconds=5.0),
}


async def main(argv: Sequence[str]) -> int:
    """Take the measurements asked for; told to stop, take everything down first."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS", help="those whose name holds WORDS; repeatable")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIRECTORY", help="where the JSON goes")
    arguments = parser.parse_args(argv)
    size = status_bytes(STATUS_TASKS)
    figures: list[Figures] = []
    async with open_stage() as stage:
        for name, measure in MEASUREMENTS.items():
            if arguments.only and not any(words in name for words in arguments.only):
                continue
            say(f"{name} …")
            figures.append(await measure(stage, name))
            say(f"    {figures[-1].seconds:.1f} s, {figures[-1].per_second:.0f} pods a second")
            document = {
                "client_limits": CLIENT_LIMITS,
                "status_bytes": {STATUS_TASKS: size},
                "figures": [asdict(each) for each in figures],
            }
            write_json(document, arguments.results / "scale.json")
    console = Console(width=WIDTH)
    console.print(render(figures))
    console.print(f"status at {STATUS_TASKS:,} tasks: {size:,} bytes")
    console.print(f"controller manager and scheduler run with {' '.join(CLIENT_LIMITS)}")
    return 0


def render(figures: Sequence[Figures]) -> Table:
    """Return the table."""
    table = Table("what", "pods", "s", "pods/s", "end to successor p50", "p99", "operator ms/pod", "peak MiB")
    for each in figures:
        table.add_row(
            each.name,
            f"{each.pods:,}",
            f"{each.seconds:.1f}",
            f"{each.per_second:.0f}",
            *(show(value, 3) for value in (each.delay_p50, each.delay_p99)),
            show(each.cpu_millis_per_pod, 1),
            show(each.peak_mib, 0),
        )
    return table


def show(value: float | None, digits: int) -> str:
    """Return a figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
