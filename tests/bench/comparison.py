"""`python -m tests.bench compare`: every work by everybody who does it, interleaved, each output checked."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.competitor import Competitor, Place
from tests.bench.competitors import find_competitors
from tests.bench.data import data_bytes, prepare_data
from tests.bench.digests import Digest, find_difference
from tests.bench.expected import find_expected
from tests.bench.figures import Run, Summary, summarize
from tests.bench.measure import Measured, measure
from tests.bench.object_store import ObjectStore, choose_directory, open_object_store
from tests.bench.podreduce_engine import BASELINE
from tests.bench.schedule import interleave
from tests.bench.works import Work
from tests.cluster import minio

__all__ = ["Comparison", "Plan", "compare"]

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be compared.

    Attributes:
        named: only competitors whose name holds one of these; `slow`: those of minutes as well.
        store_directory: where MinIO keeps its data; None lets `choose_directory` say.
    """

    works: Sequence[Work]
    repeats: int
    named: tuple[str, ...] = ()
    slow: bool = False
    with_store: bool = True
    store_directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All runs, and who did not run and why (work, competitor, reason)."""

    runs: Sequence[Run]
    absent: Sequence[Summary]

    def summaries(self) -> list[Summary]:
        """Return the table's rows: works together, competitors in their order, the absent ones last."""
        rows = [*summarize(self.runs, baseline=BASELINE), *self.absent]
        works = list(dict.fromkeys(row.work for row in rows))
        return sorted(rows, key=lambda row: works.index(row.work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One work with its data, the right answer, and who will do it."""

    work: Work
    source: Path
    expected: Digest
    competitors: Sequence[Competitor]


def compare(plan: Plan, tell: Tell) -> Iterator[Comparison]:
    """Run the plan; yield what there is after each run, so that nothing is lost when somebody interrupts it."""
    with open_store(plan, tell) as store, tempfile.TemporaryDirectory(prefix="podreduce-bench-") as directory:
        contests, absent = prepare(plan, store, tell)
        runs: list[Run] = []
        total = plan.repeats * sum(len(contest.competitors) for contest in contests)
        for contest in contests:
            for repeat, competitor in interleave(contest.competitors, plan.repeats):
                tell(f"[{len(runs) + 1}/{total}] {contest.work.name}, repeat {repeat + 1}: {competitor.name}")
                run = run_once(contest, competitor, repeat, scratch=Path(directory), store=store)
                tell(f"    {run.wall_seconds:.2f} s" + (f", FAILED: {run.problem}" if run.problem else ""))
                runs.append(run)
                yield Comparison(runs=tuple(runs), absent=absent)


@contextmanager
def open_store(plan: Plan, tell: Tell) -> Iterator[ObjectStore | None]:
    """Open a MinIO if it is wanted and can be had."""
    why = "not wanted" if not plan.with_store else minio.why_not()
    if why is not None:
        tell(f"no MinIO: {why}")
        yield None
        return
    directory = plan.store_directory or choose_directory()
    tell(f"MinIO keeps its data in {directory}")
    with open_object_store(directory) as store:
        yield store


def prepare(plan: Plan, store: ObjectStore | None, tell: Tell) -> tuple[list[Contest], list[Summary]]:
    """Make the data and the right answers, upload the one, and ask everybody whether they can."""
    contests, absent = [], []
    for work in plan.works:
        tell(f"{work.name}: {work.megabytes} MB of {work.kind}, and the right answer")
        source = prepare_data(work.kind, work.megabytes)
        if store is not None:
            store.upload(work.kind, source)
        able = []
        for competitor in find_competitors(work, slow=plan.slow, named=plan.named):
            why = competitor.why_not(work, has_store=store is not None)
            if why is None:
                able.append(competitor)
            else:
                tell(f"{work.name}: {competitor.name} does not run: {why}")
                absent.append(Summary(work=work.name, competitor=competitor.name, problem=f"not run: {why}"))
        expected = find_expected(work, source)
        contests.append(Contest(work=work, source=source, expected=expected, competitors=able))
    return contests, absent


def run_once(contest: Contest, competitor: Competitor, repeat: int, *, scratch: Path, store: ObjectStore | None) -> Run:
    """Measure one run on a quiet disk, and check what it has put out."""
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        own = Path(directory)
        place = Place(source=contest.source, target=own / "output", scratch=own, store=store)
        os.sync()
        store_before = store.cpu_seconds() if store is not None and competitor.over_store else None
        environ = {**os.environ, **competitor.environ(place)}
        measured = measure(competitor.command(contest.work, place), environ=environ, scratch=own)
        store_cpu = store.cpu_seconds() - store_before if store is not None and store_before is not None else None
        if measured.problem is None:
            measured = replace(measured, problem=check_output(contest, competitor, place))
        if store is not None:
            store.clear_target()
    return describe_run(contest, competitor, repeat, measured, store_cpu)


def check_output(contest: Contest, competitor: Competitor, place: Place) -> str | None:
    """Return what is wrong with an output; None if it is right."""
    try:
        return find_difference(contest.expected, competitor.read(contest.work, place))
    except (OSError, ValueError) as error:
        return f"the output cannot be read: {error}"


def describe_run(
    contest: Contest, competitor: Competitor, repeat: int, measured: Measured, store_cpu_seconds: float | None
) -> Run:
    """Return the run as it is recorded."""
    return Run(
        work=contest.work.name,
        competitor=competitor.name,
        repeat=repeat,
        input_bytes=data_bytes(contest.source),
        wall_seconds=measured.wall_seconds,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=measured.peak_bytes,
        store_cpu_seconds=store_cpu_seconds,
        problem=measured.problem,
    )
