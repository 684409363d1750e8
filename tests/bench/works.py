"""The works that are measured: what each reads, which job does it, and how its output is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.data import Kind
from tests.bench.digests import Reader, digest_lines, digest_pair_lines, digest_sorted_records
from tests.bench.paths import JOBS

__all__ = ["PARALLELISM", "WORKS", "Work"]

PARALLELISM: Final = 2
"""Processes, threads or cores that each competitor gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work. `read_peer` reads what the peers write, `read_job` what podreduce does.

    `batch_job` is the same work as a columnar program, where there is one.
    """

    name: str
    kind: Kind
    megabytes: int
    job: Path
    read_peer: Reader
    read_job: Reader
    batch_job: Path | None = None


WORKS: Final = {
    work.name: work
    for work in (
        Work(
            name="wordcount",
            kind=Kind.WORDS,
            megabytes=400,
            job=JOBS / "wordcount.yaml",
            batch_job=JOBS / "wordcount-batch.yaml",
            read_peer=digest_lines,
            read_job=digest_lines,
        ),
        Work(
            name="log",
            kind=Kind.LOG,
            megabytes=400,
            job=JOBS / "log.yaml",
            read_peer=digest_lines,
            read_job=digest_pair_lines,
        ),
        Work(
            name="sort",
            kind=Kind.RECORDS,
            megabytes=1000,
            job=JOBS / "sort.yaml",
            read_peer=digest_sorted_records,
            read_job=digest_sorted_records,
        ),
    )
}
