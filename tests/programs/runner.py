"""Many programs: drawn from seeds, judged, and shown as small as they can be made where they differ."""

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.programs.judge import KINDS, compare
from tests.programs.modules import draw_program
from tests.programs.statements import Body, render, smaller

__all__ = ["Summary", "judge_seed", "judge_seeds", "render_fault", "run_programs", "shrink"]

CHUNK = 500


@dataclass(slots=True, kw_only=True)
class Summary:
    """What has come of some programs.

    Attributes:
        counts: how many were drawn, and how many of these were rewritten.
        faults: seed and kind of those that differ.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Summary") -> None:
        """Take what has come of other programs."""
        self.counts.update(other.counts)
        self.faults += other.faults


def run_programs(seeds: range, processes: int, on_summary: Callable[[Summary], None] = lambda _: None) -> Summary:
    """Judge the programs of all seeds, in so many processes. `on_summary` is told now and then what there is so far."""
    summary = Summary()
    chunks = [range(start, min(start + CHUNK, seeds.stop)) for start in range(seeds.start, seeds.stop, CHUNK)]
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        for found in pool.map(judge_seeds, chunks):
            summary.add(found)
            on_summary(summary)
    return summary


def judge_seeds(seeds: Iterable[int]) -> Summary:
    """Judge the programs of some seeds."""
    summary = Summary()
    with warnings.catch_warnings(), silent_ends():
        warnings.simplefilter("ignore", SyntaxWarning)  # programs are odd on purpose
        for seed in seeds:
            judge_seed(seed, summary)
    return summary


@contextmanager
def silent_ends() -> Iterator[None]:
    """Let generators that fail as they are thrown away say nothing: a program as written may do so after its error."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


def judge_seed(seed: int, summary: Summary) -> None:
    """Judge one program, with a kind of store that its seed chooses. One that is no Python is as good as drained."""
    kind = KINDS[seed % len(KINDS)]
    found, rewritten = compare(render(draw_program(seed)), kind)
    summary.counts["drawn"] += 1
    summary.counts["rewritten"] += rewritten
    if found:
        summary.faults.append((seed, kind))


def shrink(body: Body, kind: str) -> Body:
    """The smallest program found that still differs."""
    found = next(differing(smaller(body), kind), None)
    return body if found is None else shrink(found, kind)


def differing(bodies: Iterable[Body], kind: str) -> Iterator[Body]:
    """Those of the programs that differ."""
    for body in bodies:
        if compare(render(body), kind)[0]:
            yield body


def render_fault(seed: int, kind: str) -> str:
    """A program that differs, as small as it can be made, and how it differs."""
    source = render(shrink(draw_program(seed), kind))
    shown = source
    return "\n".join([f"seed {seed}, {kind}:", shown, *compare(source, kind)[0]])
