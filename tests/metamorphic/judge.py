"""Holds a job to the property: each layout gives what everything in one piece gives, and what the oracle says."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.metamorphic.chance import seeded
from tests.metamorphic.engine import run_job
from tests.metamorphic.job import Job
from tests.metamorphic.layout import PLAIN, Layout, draw_layout
from tests.metamorphic.oracle import expected_records, kept_records
from tests.metamorphic.outcome import Outcome, Record, group_by_key, is_ascending, keys_of
from tests.support.partition_oracle import partition_of

__all__ = ["Difference", "find_difference"]

LAYOUTS = 4
SHOWN = 400
OWN_FAULTS = frozenset({"InternalError"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a job gave that it should not have given."""

    job: str
    seed: int
    layout: str
    what: str

    def __str__(self) -> str:
        again = f"python -m tests.metamorphic --seed {self.seed} shows it again"
        return f"{self.job}\n  {self.layout}\n  {self.what}\n  {again}"


def find_difference(job: Job, layouts: int = LAYOUTS) -> Difference | None:
    """Return the first difference that a job shows in so many layouts."""
    for layout, what in differences(job, layouts):
        return Difference(job=str(job), seed=job.seed, layout=str(layout), what=what)
    return None


def differences(job: Job, layouts: int) -> Iterator[tuple[Layout, str]]:
    """Yield a layout with each difference, the plain layout's from the oracle first."""
    plain = run_job(job, PLAIN)
    for what in (*broken_promises(job, plain), *against_oracle(job, plain)):
        yield PLAIN, what
    for number in range(layouts):
        layout = draw_layout(seeded("layout", job.seed, number))
        outcome = run_job(job, layout)
        for what in (*broken_promises(job, outcome), *against_plain(job, plain, outcome)):
            yield layout, what


def broken_promises(job: Job, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with an outcome by itself."""
    if outcome.error in OWN_FAULTS:
        yield f"{outcome.error}: {outcome.message[:SHOWN]}"
    if job.program.reduce == "map-only" or job.shape.format == "FixedLength":  # whose keys are bytes: base64 in JSON
        return
    parts: Sequence[Sequence[Record]] = [outcome.records] if job.order == "Total" else outcome.parts
    if not all(is_ascending(part, job.output) for part in parts):
        yield "the keys are not in order"
    if job.partitioning == "Hash":
        yield from misplaced_keys(job, outcome)


def misplaced_keys(job: Job, outcome: Outcome) -> Iterator[str]:
    """Yield a key that is not in the part of its hash; of formats that keep what keys are."""
    for number, part in enumerate(outcome.parts):
        for key in keys_of(part, job.output):
            wanted = partition_of((key,) if job.program.reduce == "sorted" else key, len(outcome.parts))
            if wanted != number:
                yield f"{show(key)} is in part {number}, not in part {wanted}"
                return


def against_oracle(job: Job, outcome: Outcome) -> Iterator[str]:
    """Yield how an outcome differs from what the oracle says."""
    expected = expected_records(job)
    if expected is None:
        return
    if outcome.error:
        yield f"failed by {outcome.error}: {outcome.message[:SHOWN]}"
        return
    yield from compare_records(job, expected, outcome.records, "expected")
    wanted = (len(kept_records(job)) + job.input.bad_records, job.input.bad_records)
    if (outcome.records_read, outcome.bad_records) != wanted:
        yield f"read {outcome.records_read} records, {outcome.bad_records} of them bad, of {wanted}"


def against_plain(job: Job, plain: Outcome, outcome: Outcome) -> Iterator[str]:
    """Yield how an outcome differs from the plain layout's."""
    if plain.error and outcome.error and has_two_faults(job):
        return
    if plain.error != outcome.error:
        yield (
            f"ended by {outcome.error or 'nothing'} ({outcome.message[:SHOWN]}), in one piece by "
            f"{plain.error or 'nothing'} ({plain.message[:SHOWN]})"
        )
        return
    yield from compare_records(job, plain.records, outcome.records, "in one piece")
    if (plain.records_read, plain.bad_records) != (outcome.records_read, outcome.bad_records):
        yield (
            f"read {outcome.records_read} records, {outcome.bad_records} of them bad; in one piece "
            f"{plain.records_read} and {plain.bad_records}"
        )


def has_two_faults(job: Job) -> bool:
    """Tell whether bad records and nulls may both fail a job: which is met first is nobody's promise."""
    return job.bad_records == "Fail" and job.input.bad_records > 0 and job.shape.nulls


def compare_records(job: Job, wanted: Sequence[Record], found: Sequence[Record], where: str) -> Iterator[str]:
    """Yield the first difference between records: as a multiset, and of a reduce in the order of each key."""
    missing, more = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if missing or more:
        yield (
            f"{missing.total()} records missing, {more.total()} more than {where}: "
            f"{show(next(iter(missing), None))} / {show(next(iter(more), None))}"
        )
    elif job.program.reduce != "map-only" and not (job.output == "CSV" and job.shape.nulls):  # "" may be a null
        groups = group_by_key(found, job.output)
        for key, records in group_by_key(wanted, job.output).items():
            if groups[key] != records:
                yield f"{where} the records of {show(key)} are in another order: {show(groups[key])} / {show(records)}"
                return


def show(value: Any) -> str:
    """Return a value as text of some length."""
    return f"{value!r:.{SHOWN}}"
