"""Jobs that skip bad records: the output is that of the good ones, and of the bad ones there is a record."""

import json
from collections import Counter
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import InputError, InternalError, PodreduceError, ProgramError, TooManyBadRecordsError
from podreduce.contract.plan import InputOptions
from podreduce.contract.task import CommitRecord
from tests.support.task_runs import TaskRun

SKIP = {"bad_records": "Skip"}

HALF_WAY = """
class Job:
    def setup(self, context):
        self.context = context
    def map_func(self, key, value):
        for word in value.split():
            self.context.count("words", "seen")
            if word == "bad":
                self.context.count("words", "bad")
                raise ValueError(f"at {key}")
            yield word, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
"""


def skipping(source: str, data: bytes = b"", **fields: Any) -> TaskRun:
    """A run of one object that skips bad records."""
    changes = {**SKIP, **fields.pop("plan_changes", {})}
    return TaskRun(source=source, objects={"a": data}, plan_changes=changes, **{"partitions": 1, **fields})


def quarantined(run: TaskRun, *records: CommitRecord) -> list[dict[str, Any]]:
    """The lines that these attempts have kept."""
    refs = [record.quarantine for record in records if record.quarantine]
    return [json.loads(line) for ref in refs for line in run.store.get(ref.key).decode().splitlines()]


def test_of_a_record_that_raises_half_way_nothing_is_taken() -> None:
    run = skipping(HALF_WAY, b"one two\ntwo bad three\nbad\nthree\n")
    record = run.map(0)
    assert run.lines_of(run.reduce_all([record])) == ["one\t1", "three\t1", "two\t1"]
    assert record.counters["words"] == {"seen": 3}
    assert (record.records_in, record.records_out) == (4, 3)
    assert record.quarantine
    assert (record.quarantine.records, record.quarantine.kept) == (2, 2)
    first, second = quarantined(run, record)
    assert (first["uri"], first["unit"], first["key"], first["text"]) == (
        f"{run.input.uri}a",
        "byte",
        8,
        "two bad three",
    )
    assert (first["reason"], first["error"]) == ("ProgramError", "ValueError: at 8")
    assert 'File "wordcount.py", line 10, in map_func' in first["traceback"]
    assert second["key"] == 22


def test_a_job_without_bad_records_has_no_quarantine() -> None:
    run = skipping(HALF_WAY, b"one\n")
    record = run.map(0)
    assert record.quarantine is None
    assert list(run.store.list("quarantine/")) == []


def test_a_job_that_skips_nothing_fails_at_its_first_bad_record() -> None:
    run = TaskRun(source=HALF_WAY, objects={"a": b"one\nbad\n"}, partitions=1)
    with pytest.raises(ProgramError, match="ValueError: at 4"):
        run.map(0)


BAD_YIELDS = {
    "no pair": "yield value",
    "three": "yield value, 1, 2",
    "not iterable": "return 5",
    "key": "yield {1}, 1",
    "NaN": "yield float('nan'), 1",
    "value": "yield value, {1}",
    "C code": "return map(int, ['a'])",
    "exit": "raise SystemExit(0)",
    "recursion": "yield self.map_func(key, value) and [*self.map_func(key, value)]",
    "its own repr": "yield Shy(), 1",
}
SHY = "class Shy:\n def __repr__(self): raise RuntimeError('shy')\n"


@pytest.mark.parametrize("body", BAD_YIELDS.values(), ids=BAD_YIELDS)
@pytest.mark.parametrize("partitions", [0, 1], ids=["map-only", "reduced"])
def test_what_a_map_may_not_do_makes_its_record_bad(body: str, partitions: int) -> None:
    source = f"""
{SHY}
class Job:
    def map_func(self, key, value):
        yield "good", 1
        if value == "xx":
            yield from self.bad(key, value)
    def bad(self, key, value):
        {body}
    def reduce_func(self, key, values):
        yield key, sum(values)
"""
    run = skipping(source, b"aa\nxx\nbb\n", partitions=partitions)
    record = run.map(0)
    assert [line["key"] for line in quarantined(run, record)] == [3]
    lines = run.lines_of([record] if partitions == 0 else run.reduce_all([record]))
    assert lines == (["good\t2"] if partitions else ["good\t1", "good\t1"])


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [
        ({"output_format": "JSONLines"}, "'k', 'v'", "'k', {1: 2}"),
        ({"output_format": "JSONLines"}, "'k', 'v'", r"'k', '\ud800'"),
        ({"output_format": "CSV", "output_columns": ("a", "b")}, "'k', 'v'", "'k', (1, 2)"),
        ({"output_format": "FixedLength"}, "b'k', b'v'", "b'k', 'text'"),
        ({"output_format": "Parquet"}, "'k', 'v'", "'k', {1}"),
    ],
    ids=["names", "surrogate", "columns", "bytes", "type"],
)
def test_a_record_that_the_output_format_cannot_write_is_bad(output: dict[str, Any], good: str, bad: str) -> None:
    source = f"class Job:\n def map_func(self, key, value):\n  yield {good}\n  if value == 'x': yield {bad}"
    run = skipping(source, b"a\nx\nb\n", partitions=0, plan_changes=output)
    record = run.map(0)
    assert [line["key"] for line in quarantined(run, record)] == [2]
    assert (record.records_out, record.records_in) == (2, 3)


def test_values_are_as_they_were_when_they_were_yielded() -> None:
    source = """
class Job:
    def map_func(self, key, value):
        mutable = [value]
        yield (1.0, "a"), mutable
        mutable.append("later")
        yield True, {"list": mutable}
    def reduce_func(self, key, values):
        yield repr(key), repr(list(values))
"""
    assert skipping(source, b"x\n").output_lines() == ["True\t[{'list': ['x', 'later']}]", "(1, 'a')\t[['x']]"]


@pytest.mark.parametrize(
    ("data", "changes", "good", "bad"),
    [
        (b"one\ntw\xffo\nthree", {}, ["one\t1", "three\t1"], [{"key": 4, "base64": "dHf/bw=="}]),
        (
            b'{"n": 1}\n{\n{"n": 3}\n',
            {"input_format": "JSONLines"},
            ["{'n': 1}\t1", "{'n': 3}\t1"],
            [{"key": 9, "text": "{"}],
        ),
        (
            b"a,b\n1,2\n3\n",
            {"input_format": "CSV"},
            ["{'a': '1', 'b': '2'}\t1"],
            [{"key": 8, "text": "3"}],
        ),
        (
            b'a,b\n"1\n1",2\n3\n',
            {"input_format": "CSV", "input_options": InputOptions(csv_multiline=True)},
            ["{'a': '1\\\\n1', 'b': '2'}\t1"],
            [{"key": 1, "text": "3\n", "unit": "row"}],
        ),
    ],
    ids=["text", "json", "csv", "multiline csv"],
)
def test_what_the_format_cannot_decode_is_skipped(
    data: bytes, changes: dict[str, Any], good: list[str], bad: list[dict[str, Any]]
) -> None:
    source = "class Job:\n combiner = 'sum'\n def map_func(self, key, value): yield str(value), 1"
    run = skipping(source, data, plan_changes=changes)
    record = run.map(0)
    lines = quarantined(run, record)
    assert [{name: line[name] for name in expected} for line, expected in zip(lines, bad, strict=True)] == bad
    assert {line["reason"] for line in lines} == {"InputError"}
    assert run.lines_of(run.reduce_all([record])) == good
    assert record.records_in == len(good) + len(bad)


@pytest.mark.parametrize(
    "header", [b'"a"b', b"a,a", b"\xff", b""], ids=["no row", "one name twice", "no UTF-8", "blank"]
)
@pytest.mark.parametrize("multiline", [False, True])
def test_a_header_that_is_none_is_no_bad_record(header: bytes, *, multiline: bool) -> None:
    source = "class Job:\n def map_func(self, key, value): yield 1, 1\n"
    changes = {"input_format": "CSV", "input_options": InputOptions(csv_multiline=multiline)}
    run = skipping(source, header + b"\n1,2\n", plan_changes=changes)
    with pytest.raises(InputError, match="the header"):
        run.map(0)


def test_an_object_that_is_bad_as_a_whole_fails_the_attempt() -> None:
    source = "class Job:\n def map_func(self, key, value): yield value, 1"
    run = TaskRun(source=source, objects={"a.gz": b"no gzip"}, plan_changes=SKIP)
    with pytest.raises(InputError, match="not a valid gzip file"):
        run.map(0)
    run = skipping(
        source, b"abc", plan_changes={"input_format": "FixedLength", "input_options": InputOptions(record_length=2)}
    )
    with pytest.raises(InputError, match="not a multiple"):
        run.map(0)


LINES = "class Job:\n def map_func(self, key, value): yield value, 1\n"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (f"{LINES} def setup(self, context): 1 / 0", ProgramError, "ZeroDivisionError"),
        (f"{LINES} def teardown(self): 1 / 0", ProgramError, "ZeroDivisionError"),
        (
            f"{LINES} def reduce_func(self, key, values): pass\n def partition_func(self, key, n): return n",
            ProgramError,
            "returned 1",
        ),
        (
            f"{LINES} def reduce_func(self, key, values): pass\n def combine_func(self, key, values): yield 'other', 1",
            ProgramError,
            "must yield the same key",
        ),
        (
            "class Job:\n combiner = 'sum'\n def map_func(self, key, value): yield 1, value",
            ProgramError,
            "combiner 'sum'",
        ),
        ("class Job:\n def map_func(self, key, value): raise MemoryError", MemoryError, None),
        ("class Job:\n def map_func(self, key, value): raise KeyboardInterrupt", KeyboardInterrupt, None),
    ],
    ids=["setup", "teardown", "partition_func", "combine_func", "combiner", "memory", "interrupt"],
)
def test_what_is_no_records_fault_fails_the_attempt(
    source: str, error: type[BaseException], message: str | None
) -> None:
    with pytest.raises(error, match=message):
        skipping(source, b"x\nx\n").map(0)


def test_a_bug_of_ours_fails_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_key: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr("podreduce.encoding.keys.encode_element", broken)
    source = "class Job:\n def map_func(self, key, value): yield 2.5, 1\n def reduce_func(self, key, values): pass"
    with pytest.raises(InternalError):
        skipping(source, b"x\n").map(0)


def test_a_reduce_that_raises_still_fails() -> None:
    source = f"{LINES} def reduce_func(self, key, values): 1 / 0"
    run = skipping(source, b"x\n")
    with pytest.raises(ProgramError, match="ZeroDivisionError"):
        run.reduce_all([run.map(0)])


def test_an_attempt_with_too_many_of_its_own_fails_at_once_and_leaves_them_to_look_at() -> None:
    run = skipping(HALF_WAY, b"bad\nfine\nbad\nbad\n")
    with pytest.raises(
        TooManyBadRecordsError, match=r"this shard has more bad records \(2\) than spec\.maxBadRecords \(1\)"
    ) as told:
        run.map(0, max_bad_records=1, pod_uid="pod")
    assert told.value.record.endswith("at byte 9: 'bad'")
    assert "line 10, in map_func" in told.value.user_traceback
    assert len(run.store.get("quarantine/m-0-pod-0.jsonl").splitlines()) == 2
    assert list(run.store.list("commits/")) == []
    assert isinstance(told.value, PodreduceError)
    assert run.map(0, max_bad_records=3).quarantine


def test_a_beaten_twin_removes_what_it_set_aside() -> None:
    run = skipping(HALF_WAY, b"bad\n")
    run.map(0, pod_uid="one")
    run.map(0, pod_uid="two")
    assert [found.key for found in run.store.list("quarantine/")] == ["quarantine/m-0-one-0.jsonl"]


# Properties

GOOD = st.text("ab ", max_size=6)
BAD = st.sampled_from(["!raise", "a !raise b", "b !key", "!value a", "!pair"])
LINE = st.one_of(
    GOOD.map(lambda text: (text.encode(), True)),
    BAD.map(lambda text: (text.encode(), False)),
    st.just((b"a \xff", False)),
)

HOSTILE = """
class Job:
    {members}
    def map_func(self, key, value):
        for word in value.split():
            if word == "!raise":
                raise ValueError(value)
            elif word == "!key":
                yield {{1}}, 1
            elif word == "!value":
                yield word, {{1}}
            elif word == "!pair":
                yield word
            else:
                yield word, 1
"""
WAYS = {
    "declared": "combiner = 'sum'",
    "recognised": "def reduce_func(self, key, values): yield key, sum(values)",
    "generic": "def reduce_func(self, key, values): yield key, len([*values])",
    "combined": (
        "def combine_func(self, key, values): yield key, sum(values)\n"
        "    def reduce_func(self, key, values): yield key, sum(0 + value for value in values)"
    ),
}


def offsets_of(lines: list[tuple[bytes, bool]]) -> list[int]:
    return [0, *accumulate(len(line) + 1 for line, _ in lines)][: len(lines)]


@settings(max_examples=60)
@given(
    lines=st.lists(LINE, max_size=30),
    places=st.lists(st.floats(0, 1), max_size=3),
    way=st.sampled_from(sorted(WAYS)),
    budget_bytes=st.sampled_from([50_000, 100_000_000]),
    repeats=st.sampled_from([1, 200]),
)
def test_whatever_records_are_bad_the_output_is_that_of_the_good_ones(
    lines: list[tuple[bytes, bool]], places: list[float], way: str, budget_bytes: int, repeats: int
) -> None:
    lines *= repeats
    data = b"\n".join(line for line, _ in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("podreduce.task.attempt.buffer_budget_bytes", lambda _: budget_bytes)
        run = skipping(
            HOSTILE.format(members=WAYS[way]),
            data,
            cuts=sorted(round(place * len(data)) for place in places),
            partitions=2,
        )
        maps = [run.map(index) for index in range(run.plan.shards)]
        output = run.lines_of(run.reduce_all(maps))
    expected = Counter(word for line, is_good in lines if is_good for word in line.decode().split())
    assert sorted(output) == sorted(f"{word}\t{count}" for word, count in expected.items())
    assert sum(record.quarantine.records for record in maps if record.quarantine) == len(lines) - sum(
        good for _, good in lines
    )
    if repeats == 1:
        bad = [offset for offset, (_, is_good) in zip(offsets_of(lines), lines, strict=True) if not is_good]
        assert sorted(line["key"] for line in quarantined(run, *maps)) == bad


@pytest.mark.parametrize("key", ["float('nan')", "('a', float('nan'))", "[1]"], ids=["NaN", "NaN in a tuple", "list"])
@pytest.mark.parametrize("value", ["'x'", "1", "[1]"], ids=["str", "int", "list"])
def test_a_key_that_cannot_be_shuffled_makes_its_record_bad_whatever_the_value(key: str, value: str) -> None:
    source = f"""
class Job:
    def map_func(self, key, value):
        yield ({key} if value == "bad" else 1.0), {value}
    def reduce_func(self, key, values):
        yield key, len(list(values))
"""
    run = skipping(source, b"good\nbad\ngood\n")
    record = run.map(0)
    assert run.lines_of(run.reduce_all([record])) == ["1\t2"]
    assert [line["text"] for line in quarantined(run, record)] == ["bad"]
