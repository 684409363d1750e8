"""Where blocks, batches, flushes, frames, spills, shards and partitions fall is not to be seen in the output."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest

from podreduce.encoding.key_hash import hash_bucket
from podreduce.inputs import blocks
from podreduce.rows import row_stores as groups
from podreduce.task import bucket_choice, reduce_task
from tests.metamorphic.data import FORMATS, Input, Shape
from tests.metamorphic.job import Job, draw_job
from tests.metamorphic.judge import against_plain, find_difference
from tests.metamorphic.layout import LIMITS, Layout, limited, swap
from tests.metamorphic.oracle import make_instance
from tests.metamorphic.outcome import Outcome
from tests.metamorphic.programs import BATCH_REDUCES, REDUCES
from tests.metamorphic.search import Summary, render_summary, search
from tests.support.searching import count_drawn, first_seed, tries

JOBS = tries(300)
MANY_JOBS = 300
FEW_JOBS = 30
"""How many are enough to show a fault that half of them are concerned by."""


@pytest.fixture(scope="module")
def summary() -> Summary:
    """What `JOBS` jobs gave."""
    found = search(jobs=JOBS, first_seed=first_seed())
    count_drawn(found.jobs)
    return found


def test_every_layout_of_a_job_gives_the_same_output(summary: Summary, tell: Callable[[str], None]) -> None:
    tell(render_summary(summary))
    assert not summary.differences, "\n\n".join(map(str, summary.differences))


@pytest.mark.parametrize("input_format", FORMATS)
@pytest.mark.parametrize("way", ["fused", "returned", "several", "columns"])
def test_every_input_goes_through_every_tier(input_format: str, way: str, summary: Summary) -> None:
    assert summary.kinds[f"{input_format} by {way}"] or JOBS < MANY_JOBS


@pytest.mark.parametrize("reduce", [*REDUCES, *BATCH_REDUCES, "sorted"])
def test_every_way_to_reduce_is_run(reduce: str, summary: Summary) -> None:
    assert summary.kinds[f"reduce {reduce}"] or JOBS < MANY_JOBS


@pytest.mark.parametrize("output", ["Text", "JSONLines", "CSV", "Parquet", "FixedLength", "Pairs"])
def test_every_output_is_written(output: str, summary: Summary) -> None:
    assert summary.kinds[f"output {output}"] or JOBS < MANY_JOBS


@pytest.mark.parametrize("reduce", [name for name, members in REDUCES.items() if "combine_func" in members])
def test_a_drawn_combiner_may_run_never_once_or_often(reduce: str) -> None:
    instance = make_instance(f"class Job:\n{REDUCES[reduce]}")
    for values in (values for size in (1, 2, 3) for values in product((3, None, 5), repeat=size)):
        wanted = reduce_parts(instance, [[value] for value in values], combined=False)
        for cut in range(len(values)):
            parts = [[*values[start:end]] for start, end in pairwise(sorted({0, cut, len(values)}))]
            assert reduce_parts(instance, parts, combined=True) == wanted, (values, cut)


@pytest.mark.parametrize("partitioning", ["Balanced", "Hash"])
def test_every_way_to_partition_is_run(partitioning: str, summary: Summary) -> None:
    assert summary.kinds[f"partitioning {partitioning}"] or JOBS < MANY_JOBS


@pytest.mark.parametrize("is_sampled", [True, False])
def test_samples_are_read(is_sampled: bool, summary: Summary) -> None:
    assert summary.kinds[f"sample {is_sampled}"] or JOBS < MANY_JOBS


def reduce_parts(instance: Any, parts: list[list[Any]], *, combined: bool) -> Any:
    """What a program makes of a key's values, whose parts went through its combiner or not; or that it refuses them."""
    try:
        if combined:
            parts = [[value for _, value in instance.combine_func("k", part)] for part in parts]
        return list(instance.reduce_func("k", iter([value for part in parts for value in part])))
    except TypeError:
        return "refused"


@pytest.mark.parametrize(("nulls", "differs"), [(True, False), (False, True)])
def test_which_of_two_faults_fails_a_job_is_not_judged(nulls: bool, differs: bool) -> None:
    shape = Shape(format="JSONLines", bad=True, nulls=nulls)
    job = replace(draw_job(0), shape=shape, input=Input(shape=shape, bad_records=1), bad_records="Fail")
    one, other = Outcome(error="InputError"), Outcome(error="ProgramError")
    assert any(against_plain(job, one, other)) == differs
    assert any(against_plain(job, one, Outcome()))


def few_jobs() -> Iterator[Job]:
    return map(draw_job, range(FEW_JOBS))


def test_search_finds_maps_that_are_taken_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(calls: Any, *, threads: int) -> Iterator[Any]:
        del threads
        return (call() for call in reversed(list(calls)))

    monkeypatch.setattr(reduce_task, "run_ahead", backwards)
    assert any(map(find_difference, few_jobs()))


def test_search_finds_a_line_that_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "skip_line", lambda chunks, offset: (offset, chunks))
    assert any(map(find_difference, few_jobs()))


def test_search_finds_groups_that_a_spill_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    write = groups.ListGroups.write

    def forgetful(self: Any, *arguments: Any) -> None:
        if len(self.plain) > 1:
            self.plain.popitem()
        write(self, *arguments)

    monkeypatch.setattr(groups.ListGroups, "write", forgetful)
    assert any(map(find_difference, few_jobs()))


def test_search_finds_a_key_that_is_in_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_choice, "hash_partition", hash_bucket)
    assert any(map(find_difference, map(draw_job, range(2 * FEW_JOBS))))


def test_job_follows_from_its_seed() -> None:
    one, other = draw_job(7), draw_job(7)
    assert (one.input, one.program, str(one)) == (other.input, other.program, str(other))


def test_limits_are_set_meanwhile_only() -> None:
    layout = Layout(limits={name: limit.choices[0] for name, limit in LIMITS.items()})
    places = [(place, limit.choices[0]) for limit in LIMITS.values() for place in limit.places]
    before = [read(place) for place, _ in places]
    with limited(layout):
        assert [read(place) for place, _ in places] == [value for _, value in places]
    assert [read(place) for place, _ in places] == before


def read(place: str) -> Any:
    value = swap(place, None)
    swap(place, value)
    return value
