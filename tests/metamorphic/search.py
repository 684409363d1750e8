"""Runs many jobs, in as many processes as there are cores, and says what they were and which gave something else."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context

from tests.metamorphic.job import Job, draw_job
from tests.metamorphic.judge import Difference, find_difference

__all__ = ["Summary", "render_summary", "search"]

BATCH = 25
MAX_PROCESSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A job that was run."""

    kinds: tuple[str, ...]
    difference: Difference | None


@dataclass(slots=True)
class Summary:
    """What was run: how many jobs of each kind, and what they showed."""

    jobs: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, searched: Searched) -> None:
        """Count a job in."""
        self.jobs += 1
        self.kinds.update(searched.kinds)
        if searched.difference:
            self.differences.append(searched.difference)


def search(*, jobs: int | None = None, seconds: float | None = None, first_seed: int = 0, most: int = 5) -> Summary:
    """Run jobs from a seed on: so many, or for so long; stops early at `most` differences."""
    summary, started = Summary(), time.monotonic()
    processes = min(os.cpu_count() or 1, MAX_PROCESSES)

    def batches() -> Iterator[int]:
        for number in count():
            late = seconds is not None and time.monotonic() - started > seconds
            if late or (jobs is not None and number * BATCH >= jobs) or len(summary.differences) >= most:
                return
            yield first_seed + number * BATCH

    with get_context("spawn").Pool(processes) as pool:
        for results in pool.imap_unordered(run_batch, batches()):
            for each in results:
                summary.add(each)
            if len(summary.differences) >= most or (seconds is not None and time.monotonic() - started > seconds):
                break
        pool.terminate()
    summary.seconds = time.monotonic() - started
    return summary


def run_batch(first_seed: int) -> list[Searched]:
    """Run the jobs of `BATCH` seeds."""
    drawn = map(draw_job, range(first_seed, first_seed + BATCH))
    return [Searched(kinds=kinds_of(job), difference=find_difference(job)) for job in drawn]


def kinds_of(job: Job) -> tuple[str, ...]:
    """Return what a job is one of."""
    return (
        f"{job.shape.format} by {job.program.map}",
        f"reduce {job.program.reduce}",
        f"output {job.output}",
        f"order {job.order}",
        f"partitioning {job.partitioning}",
        f"badRecords {job.bad_records}",
        f"sample {job.sample is not None}",
    )


def render_summary(summary: Summary) -> str:
    """Return the table of what was run, and the differences."""
    rate = summary.jobs / max(summary.seconds, 0.001)
    lines = [
        f"{summary.jobs} jobs in {summary.seconds:.0f} s: {rate:.0f} a second, each in several layouts",
        *(f"  {kind:45}{times:8}" for kind, times in sorted(summary.kinds.items())),
        *map(str, summary.differences),
    ]
    return "\n".join(lines)
