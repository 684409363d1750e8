"""Faults that are known and not yet mended: the search leaves their jobs out, and a test fails as soon as one is gone.

Rule: whoever mends a fault takes its line away here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from tests.metamorphic.job import Job, draw_job

__all__ = ["KNOWN_FAULTS", "KnownFault", "is_known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFault:
    """A fault: `concerns` tells which jobs may show it."""

    name: str
    concerns: Callable[[Job], bool]

    def jobs(self) -> Iterator[Job]:
        """Yield jobs that concern this fault and no other, without end."""
        others = [fault for fault in KNOWN_FAULTS if fault is not self]
        for job in map(draw_job, count()):
            if self.concerns(job) and not any(fault.concerns(job) for fault in others):
                yield job


def counts_batches(job: Job) -> bool:
    """Tell whether batches are counted by aggregating columns."""
    return job.program.map == "columns" and job.program.reduce in ("declared count", "recognised count")


def has_untyped_columns(job: Job) -> bool:
    """Tell whether columns are made of rows that need not have the same fields."""
    ragged = job.shape.ragged or job.shape.nulls
    headerless = job.shape.format == "CSV" and not job.shape.header
    return job.program.is_columnar and ragged and (job.shape.format == "JSONLines" or headerless)


def aggregates_nulls(job: Job) -> bool:
    """Tell whether columns with nulls are aggregated."""
    aggregated = job.program.reduce.startswith(("declared", "recognised"))
    return job.program.map == "columns" and job.shape.nulls and aggregated


def has_other_line_ends(job: Job) -> bool:
    """Tell whether rows of several lines may hold what only Python takes for the end of a line."""
    return job.shape.multiline and job.shape.line_ends


def has_empty_record(job: Job) -> bool:
    """Tell whether an empty object is a record."""
    return job.shape.format == "WholeObject" and b"" in job.input.objects.values()


KNOWN_FAULTS: tuple[KnownFault, ...] = ()


def is_known(job: Job) -> bool:
    """Tell whether a known fault concerns the job."""
    return any(fault.concerns(job) for fault in KNOWN_FAULTS)
