"""The benchmark's arithmetic: figures, order of runs, digests, process trees. What it measures decides no test."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.data import FILES, GENERATORS, RECORD_BYTES, Kind, cut_blocks, data_bytes, write_data
from tests.bench.digests import (
    Digest,
    digest_lines,
    digest_pair_lines,
    digest_sorted_records,
    find_difference,
)
from tests.bench.figures import Run, summarize
from tests.bench.memory_cases import (
    LARGE_BATCHES,
    LARGE_SHUFFLE,
    MEMORY_CASES,
    ONE_HEAVY_KEY,
    SETUP_TABLE,
    TABLE_ROWS,
    TOP_TEN,
    MemoryCase,
)
from tests.bench.paths import CHECKOUT, JOBS
from tests.bench.process_tree import find_descendants
from tests.bench.report import render_notes, render_row
from tests.bench.schedule import interleave
from tests.support.task_runs import TaskRun

BASELINE = "podreduce, directory"


def make_run(**changes: Any) -> Run:
    fields: dict[str, Any] = {
        "work": "log",
        "competitor": BASELINE,
        "repeat": 0,
        "input_bytes": 400_000_000,
        "wall_seconds": 10.0,
        "cpu_seconds": 18.0,
        "peak_bytes": 100 * 2**20,
    }
    return Run(**{**fields, **changes})


@pytest.mark.parametrize(
    ("walls", "expected"),
    [((3.0,), (3.0, 3.0, 3.0)), ((9.0, 1.0, 2.0), (2.0, 1.0, 9.0)), ((4.0, 1.0, 2.0, 3.0), (2.5, 1.0, 4.0))],
    ids=["one", "odd", "even"],
)
def test_a_summary_has_the_median_and_both_ends_of_all_runs(
    walls: tuple[float, ...], expected: tuple[float, float, float]
) -> None:
    (summary,) = summarize([make_run(wall_seconds=wall) for wall in walls], baseline=BASELINE)
    assert (summary.wall_seconds, summary.least_seconds, summary.most_seconds) == expected
    assert summary.runs == len(walls)


def test_rates_count_both_cores_and_ratios_the_baselines_median() -> None:
    runs = [make_run(), make_run(competitor="slow", wall_seconds=40.0), make_run(competitor="quick", wall_seconds=5.0)]
    summaries = summarize(runs, baseline=BASELINE)
    assert [summary.megabytes_per_second_core for summary in summaries] == [20.0, 5.0, 40.0]
    assert [summary.ratio for summary in summaries] == [1.0, 4.0, 0.5]


def test_a_ratio_is_of_the_same_work() -> None:
    runs = [make_run(), make_run(work="sort", competitor="duckdb", wall_seconds=5.0)]
    assert [summary.ratio for summary in summarize(runs, baseline=BASELINE)] == [1.0, None]


def test_one_failed_run_leaves_no_figures() -> None:
    runs = [make_run(repeat=repeat, problem=problem) for repeat, problem in enumerate((None, "wrong", "wrong"))]
    runs.append(make_run(competitor="other"))
    failed, other = summarize(runs, baseline=BASELINE)
    assert failed.problem == "2 of 3 runs: wrong"
    assert (failed.wall_seconds, other.ratio) == (None, None)


def test_a_summary_has_the_highest_peak_and_the_stores_time_where_there_is_one() -> None:
    runs = [make_run(peak_bytes=peak, store_cpu_seconds=peak / 10) for peak in (10, 30, 20)]
    (summary,) = summarize(runs, baseline=BASELINE)
    assert (summary.peak_bytes, summary.store_cpu_seconds) == (30, 2.0)


def test_a_row_shows_figures_or_that_there_are_none() -> None:
    runs = [make_run(store_cpu_seconds=1.25), make_run(competitor="broken", problem="exit code 1")]
    summaries = summarize(runs, baseline=BASELINE)
    assert [render_row(summary) for summary in summaries] == [
        ("log", BASELINE, "10.00 [10.00-10.00]", "20.0", "18.0 + 1.2", "100", "1.00"),
        ("log", "broken", "FAILED", "", "", "", ""),
    ]
    assert render_notes(summaries) == ["log, broken: 1 of 1 runs: exit code 1"]


@pytest.mark.parametrize(
    ("entries", "repeats", "order"),
    [("", 2, ""), ("a", 2, "aa"), ("abc", 1, "abc"), ("abc", 4, "abcbcacababc")],
    ids=["none", "one", "once", "around"],
)
def test_each_repeat_has_everybody_once_and_begins_one_further(entries: str, repeats: int, order: str) -> None:
    drawn = list(interleave(entries, repeats))
    assert "".join(entry for _, entry in drawn) == order
    assert [repeat for repeat, _ in drawn] == sorted(repeat for repeat, _ in drawn)


def write_parts(directory: Path, *texts: bytes) -> Path:
    directory.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (directory / f"part-{number}").write_bytes(text)
    (directory / "_SUCCESS").write_bytes(b"no record\n")
    (directory / ".crc").write_bytes(b"nor this\n")
    return directory


@pytest.mark.parametrize(
    ("texts", "same"),
    [
        ((b"c\t2\n", b"a\t1\nb\t1\nb\t1\n"), True),
        ((b"b\t1\nb\t1\n", b"", b"a\t1\nc\t2"), True),
        ((b"a\t1\nb\t1\nc\t2\n",), False),
        ((b"a\t1\nb\t1\nb\t1\nc\t3\n",), False),
        ((b"a\t1\na\t1\nb\t1\nc\t2\n",), False),
    ],
    ids=["other-order", "other-parts", "one-missing", "one-different", "another-twice"],
)
def test_line_digests_are_equal_for_equal_multisets_only(
    tmp_path: Path, texts: tuple[bytes, ...], *, same: bool
) -> None:
    expected = digest_lines(write_parts(tmp_path / "a", b"a\t1\nb\t1\nb\t1\nc\t2\n"))
    actual = digest_lines(write_parts(tmp_path / "b", *texts))
    assert expected.records == 4
    assert (find_difference(expected, actual) is None) is same


def test_pairs_digest_as_the_lines_the_peers_write(tmp_path: Path) -> None:
    ours = write_parts(tmp_path / "a", b'12:00\t["/p/1/index.html",3]\n12:01\t["/p/2/index.html",1]\n')
    theirs = write_parts(tmp_path / "b", b"12:01\t/p/2/index.html\t1\n12:00\t/p/1/index.html\t3\n")
    assert digest_pair_lines(ours) == digest_lines(theirs)


def make_records(keys: str, ending: bytes = b"\r\n") -> bytes:
    return b"".join((key * 10).encode() + b"x" * (RECORD_BYTES - 12) + ending for key in keys)


@pytest.mark.parametrize(
    ("parts", "misplaced"),
    [(("",), 0), (("a",), 0), (("aab", "bc"), 0), (("ab", "ab"), 1), (("ba",), 1), (("cba", "", "c"), 2)],
    ids=["none", "one", "sorted", "across-parts", "within-a-part", "twice"],
)
def test_records_below_the_one_before_are_misplaced(tmp_path: Path, parts: tuple[str, ...], misplaced: int) -> None:
    digest = digest_sorted_records(write_parts(tmp_path / "out", *map(make_records, parts)))
    assert (digest.records, digest.misplaced) == (sum(map(len, parts)), misplaced)


def test_record_digests_care_for_content_but_not_for_carriage_returns(tmp_path: Path) -> None:
    digests = [
        digest_sorted_records(write_parts(tmp_path / name, make_records(keys, ending)))
        for name, keys, ending in (("a", "abc", b"\r\n"), ("b", "abc", b"\n"), ("c", "abb", b"\n"))
    ]
    assert digests[0] == digests[1]
    assert find_difference(digests[0], digests[2]) == "other records than expected"


@pytest.mark.parametrize(
    ("actual", "difference"),
    [
        (Digest(records=2, checksum=7), None),
        (Digest(records=3, checksum=7), "3 records in place of 2"),
        (Digest(records=2, checksum=8), "other records than expected"),
        (Digest(records=2, checksum=7, misplaced=1), "1 records out of order"),
    ],
    ids=["equal", "count", "content", "order"],
)
def test_a_difference_says_what_is_wrong(actual: Digest, difference: str | None) -> None:
    assert find_difference(Digest(records=2, checksum=7), actual) == difference


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(1, b"ab\n"), (2, b"ab\n"), (3, b"ab\n"), (4, b"ab\nc\n"), (5, b"ab\nc\n"), (6, b"ab\nc\nab\n")],
)
def test_data_end_with_the_line_that_reaches_the_size(wanted: int, expected: bytes) -> None:
    assert b"".join(cut_blocks(iter([b"ab\nc\n"] * 3), wanted)) == expected


@pytest.mark.parametrize("kind", Kind)
def test_data_are_the_same_each_time_and_as_large_as_asked(tmp_path: Path, kind: Kind) -> None:
    for name in ("first", "second"):
        write_data(kind, tmp_path / name, 80_000)
    first, second = (
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("first", "second")
    )
    assert first == second
    assert len(set(first)) == FILES
    assert all(text.endswith(b"\n") for text in first)
    assert 80_000 <= data_bytes(tmp_path / "first") < 81_000


@pytest.mark.parametrize("kind", Kind)
def test_data_have_their_kinds_shape(tmp_path: Path, kind: Kind) -> None:
    write_data(kind, tmp_path / "data", 80_000)
    lines = (tmp_path / "data" / "part-0000").read_bytes().split(b"\n")[:-1]
    shapes = {
        Kind.WORDS: lambda line: len(line.split(b" ")),
        Kind.LOG: lambda line: len(line.split(b",")),
        Kind.RECORDS: len,
    }
    assert {shapes[kind](line) for line in lines} == {{Kind.WORDS: 10, Kind.LOG: 4, Kind.RECORDS: 99}[kind]}
    assert set(GENERATORS) == set(Kind)


def test_descendants_are_found_below_a_process_alone() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 21: 20}
    assert Counter(find_descendants(10, parents)) == Counter([11, 12, 13])
    assert find_descendants(12, parents) == []


@pytest.mark.parametrize(("job", "example"), [("wordcount", "wordcount"), ("log", "loganalysis")])
def test_the_jobs_are_the_examples_as_they_stand(job: str, example: str) -> None:
    ours = yaml.safe_load((JOBS / f"{job}.yaml").read_text())
    shown = yaml.safe_load((CHECKOUT / "examples" / example / "job.yaml").read_text())
    assert ours["spec"]["program"] == shown["spec"]["program"]


@pytest.mark.parametrize("case", MEMORY_CASES, ids=lambda case: case.name)
def test_a_memory_cases_answer_is_what_the_job_gives(case: MemoryCase) -> None:
    source = case.source.replace(f"range({TABLE_ROWS})", "range(10)")  # what is loaded decides nothing
    run = TaskRun(source=source, objects={"lines.txt": b"0\n1\n"}, partitions=1)
    expected = [f"{key}\t{json.dumps(value, separators=(',', ':'))}" for key, value in case.answer(2).items()]
    assert sorted(run.output_lines()) == sorted(expected)
    assert list(islice(case.input().splitlines(), 2)) == ["0", "1"]


@pytest.mark.parametrize(
    ("case", "values"),
    [(LARGE_SHUFFLE, 2000), (LARGE_BATCHES, 2000), (ONE_HEAVY_KEY, 2000), (SETUP_TABLE, 2000), (TOP_TEN, 20)],
    ids=lambda each: each.name if isinstance(each, MemoryCase) else "",
)
def test_a_memory_cases_answer_counts_every_value(case: MemoryCase, values: int) -> None:
    assert sum(count for count, _ in case.answer(2).values()) == values
