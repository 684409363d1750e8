"""From runs to figures: medians, rates and ratios. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.data import MEGABYTE
from tests.bench.works import PARALLELISM

__all__ = ["Run", "Summary", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `problem`: why it failed; `store_cpu_seconds`: what the object store took for it, if there was one."""

    work: str
    competitor: str
    repeat: int
    input_bytes: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    store_cpu_seconds: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A competitor at a work: medians over all its runs, or why it has none.

    `ratio` is its median wall time over the baseline's: 2.0 means that the baseline is twice as fast.
    """

    work: str
    competitor: str
    runs: int = 0
    wall_seconds: float | None = None
    least_seconds: float | None = None
    most_seconds: float | None = None
    megabytes_per_second_core: float | None = None
    cpu_seconds: float | None = None
    store_cpu_seconds: float | None = None
    peak_bytes: int | None = None
    ratio: float | None = None
    problem: str | None = None


def summarize(runs: Sequence[Run], *, baseline: str) -> list[Summary]:
    """Return a summary for each work and competitor, in the order of their first runs.

    One failed run makes the competitor's figures void at that work: nothing is dropped from a median.
    """
    return [
        summarize_pair([run for run in runs if (run.work, run.competitor) == pair], find_wall(runs, pair[0], baseline))
        for pair in dict.fromkeys((run.work, run.competitor) for run in runs)
    ]


def find_wall(runs: Sequence[Run], work: str, competitor: str) -> float | None:
    """Return the competitor's median wall time at the work; None if a run failed or there is none."""
    found = [run for run in runs if (run.work, run.competitor) == (work, competitor)]
    if not found or any(run.problem for run in found):
        return None
    return median(run.wall_seconds for run in found)


def summarize_pair(runs: Sequence[Run], baseline_seconds: float | None) -> Summary:
    """Return the summary of the runs of one competitor at one work."""
    first = runs[0]
    problems = list(find_problems(runs))
    if problems:
        return Summary(work=first.work, competitor=first.competitor, runs=len(runs), problem="; ".join(problems))
    walls = [run.wall_seconds for run in runs]
    store_cpu = [run.store_cpu_seconds for run in runs if run.store_cpu_seconds is not None]
    return Summary(
        work=first.work,
        competitor=first.competitor,
        runs=len(runs),
        wall_seconds=median(walls),
        least_seconds=min(walls),
        most_seconds=max(walls),
        megabytes_per_second_core=first.input_bytes / MEGABYTE / median(walls) / PARALLELISM,
        cpu_seconds=median(run.cpu_seconds for run in runs),
        store_cpu_seconds=median(store_cpu) if store_cpu else None,
        peak_bytes=max(run.peak_bytes for run in runs),
        ratio=median(walls) / baseline_seconds if baseline_seconds else None,
    )


def find_problems(runs: Sequence[Run]) -> Iterator[str]:
    """Yield each different problem with how many runs had it."""
    for problem in dict.fromkeys(run.problem for run in runs if run.problem):
        count = sum(run.problem == problem for run in runs)
        yield f"{count} of {len(runs)} runs: {problem}"
