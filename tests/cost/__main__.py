"""`python -m tests.cost`: what finished jobs cost an operator, as a table; a figure above its limit is an error."""

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import structlog
from rich.console import Console
from rich.table import Table

from tests.bench.telling import say
from tests.cost.counting import CountingApi
from tests.cost.finished_jobs import add_job, operating

MOST_MIB = 300
STEADY_HOURS = 10


async def main(argv: Sequence[str]) -> int:
    """Measure and print; return 1 if something costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("--finished", type=int, default=1000, metavar="N", help="jobs whose requests are counted")
    parser.add_argument("--jobs", type=int, default=60, metavar="N", help="jobs whose memory is measured")
    parser.add_argument("--tasks", type=int, default=10_000, metavar="N", help="tasks of each of these")
    arguments = parser.parse_args(argv)
    rows = [*await count_requests(arguments.finished), *measure_memory(arguments.jobs, arguments.tasks)]
    table = Table("what", "measured", "limit")
    for what, measured, limit, unit in rows:
        table.add_row(what, f"{measured:g} {unit}".strip(), "" if limit is None else f"{limit} {unit}".strip())
    Console(width=110).print(table)
    return int(any(limit is not None and measured > limit for _, measured, limit, _ in rows))


Row = tuple[str, float, float | None, str]
"""What was measured, the figure, its limit and its unit."""


async def count_requests(jobs: int) -> list[Row]:
    """Count what jobs ask of the store and of the API server when they end, and then in each minute."""
    place, api = f"memory://{uuid4().hex}/", CountingApi()
    keys = [add_job(api, place, number, tasks=3) for number in range(jobs)]
    say(f"{jobs:,} jobs end …")
    rows: list[Row] = []
    with TemporaryDirectory() as directory:
        async with operating(api, place, Path(directory)) as operator:
            await operator.pass_hours(1, keys)
            ended = sum(operator.requests.values())
            rows.append((f"requests of {jobs:,} jobs that end, each", ended / jobs, None, ""))
            say(f"… and {STEADY_HOURS} hours pass …")
            await operator.pass_hours(STEADY_HOURS, keys)
            rate = (sum(operator.requests.values()) - ended) / (STEADY_HOURS * 60)
            rows.append((f"requests a minute of {jobs:,} finished jobs", rate, 0, ""))
            now = operator.clock.now
        before = sum(api.requests.values())
        say("… and the operator restarts …")
        async with operating(api, place, Path(directory), now) as operator:
            await operator.pass_hours(STEADY_HOURS, keys)
            asked = sum(operator.requests.values()) - before
            rows.append((f"requests of {jobs:,} finished jobs after a restart", asked, 0, ""))
    return rows


def measure_memory(jobs: int, tasks: int) -> list[Row]:
    """Measure the memory of an operator that has seen these jobs end, and of one that takes them over."""
    rows: list[Row] = []
    with TemporaryDirectory(prefix="podreduce-cost-") as directory:
        for name, flags in (("that have ended", ()), ("after a restart", ("--restarted",))):
            say(f"{jobs} jobs of {tasks:,} tasks {name} …")
            found = run_process(directory, "--jobs", str(jobs), "--tasks", str(tasks), *flags)
            what = f"memory with {jobs} jobs of {tasks:,} tasks {name}"
            rows.append((what, found["resident"], MOST_MIB, "MiB"))
            rows.append(("… at most", found["peak"], MOST_MIB, "MiB"))
    return rows


def run_process(*arguments: str) -> dict[str, Any]:
    """Run an operator, show what it prints, and return its last line."""
    started, line = time.monotonic(), ""
    command = [sys.executable, "-m", "tests.cost.process", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            say(f"    {line.rstrip()}")
    assert process.returncode == 0, f"the operator ended with {process.returncode}"
    say(f"    {time.monotonic() - started:.0f} s")
    found: dict[str, Any] = json.loads(line)
    return found


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.exit(asyncio.run(main(sys.argv[1:])))
