"""Runs many worlds, in as many processes as there are cores, and says what happened in them.

Rule: a world counts if it has at least `MIN_TASKS` tasks and `MIN_FAULTS` faults; the others are run all the same.
"""

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context

from tests.simulation.chaos import FaultKind
from tests.simulation.draw import run_world
from tests.simulation.world import Result

__all__ = ["Summary", "render_coverage", "render_failure", "run_worlds"]

MIN_TASKS = 20
MIN_FAULTS = 5
BATCH = 50
MAX_PROCESSES = 8


@dataclass(slots=True)
class Summary:
    """What happened in a number of worlds. `counted` of them had enough tasks and faults; `faults` is by kind."""

    worlds: int = 0
    counted: int = 0
    passes: int = 0
    seconds: float = 0.0
    faults: Counter[FaultKind] = field(default_factory=Counter)
    worlds_with: Counter[FaultKind] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    violations: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a world in."""
        self.worlds += 1
        self.counted += result.tasks >= MIN_TASKS and result.faults >= MIN_FAULTS
        self.passes += result.passes
        self.faults.update(result.counts)
        self.worlds_with.update(kind for kind, times in result.counts.items() if times)
        self.verdicts[result.verdict] += 1
        if result.violation:
            self.violations.append(result)


def run_worlds(wanted: int, *, first_seed: int = 0, max_violations: int = 5) -> Summary:
    """Run worlds from `first_seed` on until `wanted` of them count; stops early at so many violations."""
    summary = Summary()
    started = time.monotonic()
    processes = min(os.cpu_count() or 1, MAX_PROCESSES, -(-wanted // BATCH))
    with get_context("spawn").Pool(processes) as pool:
        for results in pool.imap_unordered(run_batch, batches(first_seed, wanted, summary)):
            for result in results:
                summary.add(result)
            if summary.counted >= wanted or len(summary.violations) >= max_violations:
                break
        pool.terminate()
    summary.seconds = time.monotonic() - started
    summary.violations.sort(key=lambda result: result.seed)
    return summary


def batches(first_seed: int, wanted: int, summary: Summary) -> Iterator[int]:
    """Yield the first seed of each batch. The pool draws ahead of what is done, so some slack ends it."""
    for number in count():
        if number * BATCH > wanted * 1.5 or summary.counted >= wanted:
            return
        yield first_seed + number * BATCH


def run_batch(first_seed: int) -> list[Result]:
    """Run the worlds of `BATCH` seeds. They leave cycles; looking for these once a batch is a tenth faster."""
    gc.disable()
    results = [run_world(seed) for seed in range(first_seed, first_seed + BATCH)]
    gc.collect()
    return results


def render_coverage(summary: Summary) -> str:
    """Return the table of what went wrong, and how the runs ended."""
    rate = summary.worlds / max(summary.seconds, 0.001)
    passes = summary.passes / max(summary.worlds, 1)
    lines = [
        f"{summary.worlds} worlds in {summary.seconds:.1f} s: {rate:.0f} a second, {passes:.0f} passes each",
        f"{summary.counted} of them with at least {MIN_TASKS} tasks and {MIN_FAULTS} faults",
        f"{'fault':45}{'times':>8}{'worlds':>8}",
        *(f"{kind:45}{summary.faults[kind]:8}{summary.worlds_with[kind]:8}" for kind in FaultKind),
        f"{'last verdict':45}{'worlds':>8}",
        *(f"{verdict:45}{times:8}" for verdict, times in summary.verdicts.most_common()),
    ]
    return "\n".join(lines)


def render_failure(result: Result, lines: int = 60) -> str:
    """Return what is needed to look at a world that failed: its seed and the end of its decision log."""
    log = "\n".join(result.log[-lines:])
    return f"{log}\nseed {result.seed}: {result.violation}"
