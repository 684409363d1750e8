"""Which process a task runs in is not to be seen in the output: seeds of hashes, cold processes and forked ones."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.metamorphic.data import Input, Shape
from tests.metamorphic.engine import JobRun, StartTask
from tests.metamorphic.job import Job, draw_job
from tests.metamorphic.judge import against_plain
from tests.metamorphic.layout import PLAIN, Layout
from tests.metamorphic.outcome import Outcome
from tests.metamorphic.processes import start_by_server, start_cold
from tests.metamorphic.programs import BATCH_REDUCES, Program

WORDS = [f"word{number % 40}" for number in range(400)]
MANY_RECORDS = 60
TWO_BY_TWO = Layout(shards=2, partitions=2)

HASHES = """
class Job:
    def map_func(self, key, value):
        yield value, 1
    def reduce_func(self, key, values):
        yield key, len(list(values))
    def partition_func(self, key, partitions):
        return hash(key) % partitions
"""
SETS = """
class Job:
    def map_func(self, key, value):
        for word in {value, value + "b", value + "c", value + "d"}:
            yield "all", word
    def reduce_func(self, key, values):
        yield key, list(values)
"""
STARTS = {
    "cold, seed 1": lambda directory: start_cold(directory, PYTHONHASHSEED="1"),
    "cold, seed 2": lambda directory: start_cold(directory, PYTHONHASHSEED="2"),
    "forked": start_by_server,
}
KINDS = ("combined rows", "columns to columns")


def program_of(source: str) -> Program:
    return Program(map="fused", reduce="gathered", source=source, plain=source, key_kind="plain", value_kind="int")


def job_of(source: str) -> Job:
    """A job over words that reduces to JSONLines."""
    shape = Shape(format="Text")
    data = Input(shape=shape, spec={"format": "Text"}, objects={"0.data": "\n".join(WORDS).encode()})
    return Job(seed=-1, shape=shape, input=data, program=program_of(source), output="JSONLines")


def run(job: Job, place: Path, layout: Layout, start: StartTask | None = None) -> Outcome:
    place.mkdir()
    fields: dict[str, Any] = {} if start is None else {"start": start}
    return JobRun(job=job, layout=layout, root=f"file://{place}/", **fields).finish()


def test_a_program_that_hashes_its_keys_gives_each_key_once_on_pods(tmp_path: Path) -> None:
    outcome = run(job_of(HASHES), tmp_path / "cold", TWO_BY_TWO, start_cold(tmp_path))
    keys = Counter(dict(record[0][1:])["key"] for record in outcome.records)
    assert keys == Counter(set(WORDS))


def test_what_iterates_a_set_gives_the_same_in_every_attempt(tmp_path: Path) -> None:
    one, other = (run(job_of(SETS), tmp_path / name, PLAIN, start_cold(tmp_path)) for name in ("one", "other"))
    assert one.records == other.records


def choose(wanted: str) -> Job:
    """The first drawn job of that kind that completes."""
    return next(job for job in map(draw_job, range(1000)) if kind_of(job) == wanted and is_simple(job))


def kind_of(job: Job) -> str:
    if job.program.is_columnar:
        return "columns to columns" if job.program.reduce in BATCH_REDUCES else "columns"
    return "combined rows" if job.program.reduce.startswith("combined") else "rows"


def is_simple(job: Job) -> bool:
    traits = ("bad", "bom", "nulls", "ragged")
    reduces = job.program.reduce != "map-only"
    return (
        reduces
        and job.sample is None
        and len(job.input.records) > MANY_RECORDS
        and not any(getattr(job.shape, name) for name in traits)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_start_tasks_gives_the_same(kind: str, tmp_path: Path) -> None:
    job = choose(kind)
    here = run(job, tmp_path / "here", PLAIN)
    assert here.records
    for name, start in STARTS.items():
        if name == "forked" and sys.platform != "linux":
            continue
        there = run(job, tmp_path / name, TWO_BY_TWO, start(tmp_path))
        assert list(against_plain(job, here, there)) == [], f"{job}, {name}"
