"""`python -m tests.cost.process`: an operator in a process of its own, which says how much memory it holds.

The first takes jobs as they end, one after the other, and writes down how the API server has them then. The second is
a restart: it knows nothing, and takes over all of them.
"""

import argparse
import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from podreduce_operator.process import entry
from tests.bench.telling import say
from tests.cost.counting import CountingApi
from tests.cost.finished_jobs import HOUR, add_job, operating

__all__ = ["main"]


async def main(argv: Sequence[str]) -> int:
    """Print a line for each job, and the memory at the end as JSON."""
    assert entry, "everything that an operator imports"
    parser = argparse.ArgumentParser(prog="python -m tests.cost.process", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--restarted", action="store_true", help="take over what the first has left")
    arguments = parser.parse_args(argv)
    place, state = f"file://{arguments.directory}/", arguments.directory / "jobs.json"
    api = CountingApi()
    if arguments.restarted:
        found = json.loads(state.read_text())
        api.jobs = found["jobs"]
        async with operating(api, place, arguments.directory, found["now"]) as operator:
            await operator.pass_hours(1, list(operator.cluster.jobs.known()))
            tell(operator.requests)
        return 0
    started = time.monotonic()
    async with operating(api, place, arguments.directory) as operator:
        for number in range(arguments.jobs):
            key = add_job(api, place, number, arguments.tasks)
            for manifest in list(api.jobs.values())[-1:]:
                operator.cluster.jobs.observe(manifest)
            await operator.pass_hours(1, [key])
            say(f"job {number + 1}: {resident()[0]} MiB, {time.monotonic() - started:.0f} s")
        tell(operator.requests)
        state.write_text(json.dumps({"jobs": api.jobs, "now": operator.clock.now + HOUR}))
    return 0


def tell(requests: dict[str, int]) -> None:
    """Print what the process holds now, what it held at most, and what it has asked."""
    gc.collect()
    now, peak = resident()
    say(json.dumps({"resident": now, "peak": peak, "requests": sum(requests.values())}))


def resident() -> tuple[int, int]:
    """Return the resident memory of this process in MiB, and the most that it was."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) // 1024, int(lines["VmHWM"].split()[0]) // 1024


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.exit(asyncio.run(main(sys.argv[1:])))
