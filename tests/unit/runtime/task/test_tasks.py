"""Whole tasks in this process, against an oracle: what podreduce promises of a job's output."""

import gzip
import json
from collections import Counter, defaultdict
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.errors import InputError, InternalError, MapOutputLostError, PlanMismatchError, ProgramError
from podreduce.contract.layout import PLAN_KEY, commit_key, shard_page_key
from podreduce.contract.plan import Program
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode, digest_bytes
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.task_runs import LOG_ANALYSIS, WORD_COUNT, TaskRun

TEXT = b"the quick brown fox\r\njumps over the lazy dog\n\nthe end"
OBJECTS = {"a.txt": TEXT, "b.txt": b"", "c.txt.gz": gzip.compress(b"gzip words\nthe end\n"), "d.txt": b"one the two\n"}


def words_of(objects: dict[str, bytes]) -> Counter[str]:
    plain = (gzip.decompress(data) if name.endswith(".gz") else data for name, data in objects.items())
    return Counter(word for data in plain for word in data.decode().split())


def counts_of(lines: list[str]) -> dict[str, int]:
    pairs = [line.split("\t") for line in lines]
    assert len({key for key, _ in pairs}) == len(pairs)
    return {key: int(value) for key, value in pairs}


@pytest.mark.parametrize("partitions", [1, 2, 5])
@pytest.mark.parametrize("cuts", [[], [10], [0, 21, 22, 53, 60], list(range(0, 90, 3))], ids=len)
def test_word_count_equals_a_counter(partitions: int, cuts: list[int]) -> None:
    run = TaskRun(source=WORD_COUNT, objects=OBJECTS, cuts=cuts, partitions=partitions)
    assert counts_of(run.output_lines()) == words_of(OBJECTS)


@pytest.mark.parametrize("cuts", [[], [7, 20]])
def test_log_analysis_counts_the_urls_of_each_timestamp(cuts: list[int]) -> None:
    lines = ["1,/a,x", "2,/b", "1,/a", "1,/c,", "2,/b,y,z"]
    run = TaskRun(source=LOG_ANALYSIS, objects={"log": "\r\n".join(lines).encode()}, cuts=cuts, partitions=3)
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for timestamp, url, *_ in (line.split(",") for line in lines):
        expected[timestamp][url] += 1
    rows = {
        f"{key}\t{json.dumps([url, n], separators=(',', ':'))}" for key, c in expected.items() for url, n in c.items()
    }
    assert set(run.output_lines()) == rows


@pytest.mark.parametrize("root", ["memory", "directory"])
def test_the_stores_make_no_difference(root: str, tmp_path: Any) -> None:
    uri = "" if root == "memory" else f"file://{tmp_path}/"
    assert counts_of(TaskRun(objects=OBJECTS, cuts=[33], root=uri).output_lines()) == words_of(OBJECTS)


COMBINES = WORD_COUNT + "    def combine_func(self, key, values):\n        yield key, sum(values)\n"
SUMS = """
class Job:
    combiner = "{}"
    def map_func(self, key, value):
        for word in value.split():
            yield word, {}
"""


@pytest.mark.parametrize("source", [COMBINES, SUMS.format("sum", 1), SUMS.format("count", "value")])
@pytest.mark.parametrize("budget_bytes", [100_000_000, 50_000])
def test_combining_and_spilling_change_nothing(source: str, budget_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podreduce.task.attempt.buffer_budget_bytes", lambda _: budget_bytes)
    words = [f"w{number * number % 997} the" for number in range(10_000)]
    data = "\n".join(words).encode()
    run = TaskRun(source=source, objects={"a": data}, cuts=[50_000], partitions=2)
    maps = [run.map(0), run.map(1)]
    assert (sum(record.spills for record in maps) > 0) == (budget_bytes == 50_000)
    assert counts_of(run.lines_of(run.reduce_all(maps))) == words_of({"a": data})


@pytest.mark.parametrize("budget_bytes", [100_000_000, 50_000])
def test_a_reduce_larger_than_its_budget_spills_and_gives_the_same(
    budget_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podreduce.task.attempt.buffer_budget_bytes", lambda _: budget_bytes)
    data = "\n".join(f"w{number * 7919 % 9973}" for number in range(20_000)).encode()
    run = TaskRun(objects={"a": data}, cuts=[40_000, 80_000], partitions=1)
    run.shuffle([run.map(index) for index in range(3)])
    record = run.reduce(0)
    assert (record.spills > 0) == (budget_bytes == 50_000)
    assert record.part
    lines = run.output.get(record.part.key).decode().splitlines()
    assert counts_of(lines) == words_of({"a": data})
    assert lines == sorted(lines, key=lambda line: line.split("\t")[0])


def test_values_reach_the_reduce_in_shard_and_position_order() -> None:
    source = """
class Job:
    def map_func(self, key, value):
        yield value[0], value
    def reduce_func(self, key, values):
        yield key, list(values)
"""
    lines = [f"{'ab'[number % 2]}{number:03}" for number in range(100)]
    run = TaskRun(source=source, objects={"a": "\n".join(lines).encode()}, cuts=[111, 222, 333], partitions=1)
    rows = dict(line.split("\t") for line in run.output_lines())
    assert {key: json.loads(value) for key, value in rows.items()} == {"a": lines[::2], "b": lines[1::2]}


def test_values_keep_their_types() -> None:
    source = """
class Job:
    def map_func(self, key, value):
        mutable = [1]
        yield 1.0, mutable
        mutable.append(2)
        yield 1, (1, (2.5, None, True, b"x", 10**30, {"a": [mutable]}))
        yield True, "other key"
    def reduce_func(self, key, values):
        yield repr(key), repr(list(values))
"""
    run = TaskRun(source=source, objects={"a": b"x"}, partitions=1)
    assert run.output_lines() == [
        "True\t['other key']",
        "1\t[[1], (1, (2.5, None, True, b'x', 1000000000000000000000000000000, {'a': [[1, 2]]}))]",
    ]


def test_the_program_partitions_and_its_partition_is_the_bucket() -> None:
    source = WORD_COUNT + "    def partition_func(self, key, partitions):\n        return len(key) % partitions\n"
    run = TaskRun(source=source, objects=OBJECTS, partitions=3)
    record = run.map(0)
    assert record.user_partitioned
    assert len(decode_sizes(record.bucket_bytes)) == 3
    run.shuffle([record])
    for index in range(3):
        part = run.reduce(index).part
        assert part
        words = [line.split("\t")[0] for line in run.output.get(part.key).decode().splitlines()]
        assert words == sorted(word for word in words_of(OBJECTS) if len(word) % 3 == index)


MAP_ONLY = "class Job:\n    def map_func(self, key, value):\n        return [(key, value.upper()), (1.0, None)]\n"


@pytest.mark.parametrize(("source", "partitions"), [(MAP_ONLY, 2), (MAP_ONLY + "    combiner = 'count'\n", 0)])
def test_a_map_only_job_writes_its_records_in_order(source: str, partitions: int) -> None:
    run = TaskRun(source=source, objects={"a": b"x\nyy\nz"}, cuts=[3], partitions=partitions)
    assert run.output_lines() == ["0\tX", "1\tnull", "2\tYY", "1\tnull", "5\tZ", "1\tnull"]
    record = run.map(1)
    assert (record.blob, record.bucket_bytes) == (None, ())
    assert record.part
    assert record.part.key.startswith("_podreduce-uid-1/m-1-")


def test_json_lines_output() -> None:
    run = TaskRun(objects={"a": b"b a b"}, partitions=1, plan_changes={"output_format": "JSONLines"})
    assert [json.loads(line) for line in run.output_lines()] == [{"key": "a", "value": 1}, {"key": "b", "value": 2}]


def test_a_reduce_need_not_take_all_values() -> None:
    source = WORD_COUNT.replace("yield key, sum(values)", "return [(key, next(values))] if key != 'the' else None")
    run = TaskRun(source=source, objects=OBJECTS, partitions=1)
    assert counts_of(run.output_lines()) == {word: 1 for word in words_of(OBJECTS) if word != "the"}


def test_setup_and_teardown_run_once_and_see_the_task() -> None:
    source = """
class Job:
    def setup(self, context):
        self.context = context
        context.count("calls", "setup")
        self.least = int(context.parameters["least"])
    def map_func(self, key, value):
        assert self.context.start <= key < self.context.end
        self.context.count("words", self.context.uri.rpartition("/")[2], len(value.split()))
        yield self.context.task, 1
    def teardown(self):
        self.context.count("calls", "teardown", self.least)
"""
    program = Program(source=source, parameters={"least": "3"})
    run = TaskRun(program=program, objects={"a": b"a b\nc\n", "b": b"d"}, partitions=0)
    record = run.map(0)
    assert record.counters["calls"] == {"setup": 1, "teardown": 3}
    assert record.counters["words"] == {"a": 3, "b": 1}
    assert (record.records_in, record.bytes_in, record.records_out, record.spills) == (3, 7, 3, 0)
    assert record.counters["podreduce"] == {
        "combineInput": 0,
        "combineOutput": 0,
        "genericTasks": 1,
        "fusedTasks": 1,
    }


def test_the_commit_record_says_what_was_read_and_written() -> None:
    run = TaskRun(objects=OBJECTS, cuts=[25], partitions=2)
    maps = [run.map(0), run.map(1)]
    assert sum(record.bytes_in for record in maps) == run.plan.bytes
    assert sum(record.records_in for record in maps) == 7
    assert sum(record.records_out for record in maps) == words_of(OBJECTS).total()
    assert decode(run.store.get(commit_key(map_task(1), 0)), CommitRecord) == maps[1]
    for record in maps:
        assert record.blob
        assert run.store.head(record.blob.key).size == record.blob.bytes == record.bytes_out
        assert sum(decode_sizes(record.bucket_bytes)) == record.blob.footer_offset
    run.shuffle(maps)
    reduces = [run.reduce(0), run.reduce(1)]
    assert sum(record.records_in for record in reduces) == 14  # a map sends each of its words once
    assert sum(record.records_out for record in reduces) == len(words_of(OBJECTS))
    assert all(record.started_at <= record.finished_at for record in maps + reduces)


def test_an_empty_input_makes_empty_parts() -> None:
    run = TaskRun(objects={"a": b""}, partitions=2)
    records = run.run()
    assert [(record.part.bytes, record.part.records) for record in records if record.part] == [(0, 0), (0, 0)]
    assert [run.output.get(record.part.key) for record in records if record.part] == [b"", b""]


def test_a_beaten_twin_succeeds_and_removes_its_data() -> None:
    run = TaskRun(objects=OBJECTS)
    first, second = run.map(0, pod_uid="one"), run.map(0, pod_uid="two")
    assert first.blob
    assert second == first
    assert [meta.key for meta in run.store.list("data/map/")] == [first.blob.key]
    assert decode(run.store.get(commit_key(map_task(0), 0)), CommitRecord).attempt_id == "one-0"


# Errors


def test_a_raising_map_names_the_record_and_shows_the_users_lines() -> None:
    source = "class Job:\n    def map_func(self, key, value):\n        yield value, 1 / (len(value) - 3)\n"
    run = TaskRun(source=source, objects={"a": b"xx\nyyyy\nzzz\n"}, partitions=1)
    with pytest.raises(ProgramError, match="ZeroDivisionError: division by zero") as raised:
        run.map(0)
    assert raised.value.record == f"{run.input.uri}a at byte 8: 'zzz'"
    assert (
        'File "wordcount.py", line 3, in map_func\n    yield value, 1 / (len(value) - 3)' in raised.value.user_traceback
    )
    assert list(run.store.list("data/")) == list(run.store.list("commits/")) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield value", "Job.map_func yielded str 'xx', which is not a pair"),
        ("yield value, 1, 2", "which is not a pair"),
        ("return 5", "Job.map_func returned int 5"),
        ("return value, 1", r"Job.map_func returned tuple \('xx', 1\): yield key, value"),
        ("yield {1}, 1", "set"),
        ("yield value, {1}", "for the key 'xx': .*set cannot be a value"),
        ("yield value, value.nope", "AttributeError"),
        ("return map(int, ['a'])", "ValueError: invalid literal for int"),
        ("raise SystemExit(0)", "SystemExit"),
        ("yield float('nan'), 1", "NaN"),
    ],
)
@pytest.mark.parametrize("partitions", [0, 1])
def test_what_a_map_may_not_do_is_a_program_error_with_its_record(body: str, message: str, partitions: int) -> None:
    source = f"class Job:\n def map_func(self, key, value): {body}\n def reduce_func(self, key, values): pass"
    run = TaskRun(source=source, objects={"a": b"xx\n"}, partitions=partitions)
    if partitions == 0:
        message = message.replace("for the key 'xx': .*set cannot be a value", "key 'xx' cannot be written: .*set")
    with pytest.raises(ProgramError, match=message) as raised:
        run.map(0)
    assert raised.value.record == f"{run.input.uri}a at byte 0: 'xx'"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield key", "Job.reduce_func yielded str 'the', which is not a pair"),
        ("yield key, 1 / 0", "ZeroDivisionError"),
        ("yield key, {1}", "cannot be written: .*set"),
        ("return 7", "Job.reduce_func returned int 7"),
    ],
)
def test_what_a_reduce_may_not_do_is_a_program_error_with_its_key(body: str, message: str) -> None:
    source = f"class Job:\n def map_func(self, key, value): yield value, 1\n def reduce_func(self, key, values): {body}"
    run = TaskRun(source=source, objects={"a": b"the\n"}, partitions=1)
    run.shuffle([run.map(0)])
    with pytest.raises(ProgramError, match=message) as raised:
        run.reduce(0)
    assert raised.value.record == "key 'the'"
    assert list(run.output.list()) == []


@pytest.mark.parametrize("member", ["setup(self, context)", "teardown(self)"])
def test_a_raising_setup_or_teardown_fails_the_task(member: str) -> None:
    run = TaskRun(source=f"{MAP_ONLY}    def {member}:\n        raise KeyError('x')\n", objects={"a": b"x"})
    with pytest.raises(ProgramError, match="KeyError") as raised:
        run.map(0)
    assert raised.value.record == member.partition("(")[0]
    assert list(run.store.list("commits/")) == []


def test_a_combiner_that_cannot_take_the_values_says_so() -> None:
    run = TaskRun(source=SUMS.format("sum", "word"), objects={"a": b"x\nx"}, partitions=1)
    with pytest.raises(ProgramError, match="combiner 'sum' cannot take values of the key 'x'"):
        run.output_lines()


def test_bad_bytes_fail_the_map_with_object_and_offset() -> None:
    with pytest.raises(InputError, match="input/a: byte 4 is not UTF-8"):
        TaskRun(objects={"a": b"ok\na\xff"}).map(0)
    run = TaskRun(objects={"a": b"ok\na\xff"}, partitions=1, plan_changes={"encoding_errors": "Replace"})
    assert run.output_lines() == ["a\ufffd\t1", "ok\t1"]


def test_an_input_that_changed_is_refused() -> None:
    run = TaskRun(objects={"a": b"old"})
    run.input.put("a", b"new")
    with pytest.raises(InputError, match="changed after planning"):
        run.map(0)


@pytest.mark.parametrize("what", ["plan", "page", "no plan", "digest", "index", "later schema"])
def test_another_plan_than_the_one_named_is_refused(what: str) -> None:
    run = TaskRun(objects={"a": b"x"})
    changes: dict[str, Any] = {}
    match what:
        case "plan":
            run.store.put(PLAN_KEY, run.store.get(PLAN_KEY) + b" ")
        case "page":
            run.store.put(shard_page_key(0), run.store.get(shard_page_key(0)) + b" ")
        case "no plan":
            run.store.delete(PLAN_KEY)
        case "digest":
            changes["plan_digest"] = "0" * 64
        case "later schema":
            run.store.put(PLAN_KEY, b'{"schema":2}')
            changes["plan_digest"] = digest_bytes(b'{"schema":2}')
    with pytest.raises(PlanMismatchError, match="work/"):
        run.map(1 if what == "index" else 0, **changes)


@pytest.mark.parametrize(
    ("harm", "offsets"),
    [*product(["delete", "cut", "flip first", "empty"], [False, True]), ("flip footer", False)],
)
def test_a_lost_map_output_is_named_with_its_generation(harm: str, offsets: bool) -> None:
    run = TaskRun(objects=OBJECTS, cuts=[25], partitions=1)
    maps = [run.map(0), run.map(1, generation=2)]
    run.shuffle(maps, offsets=offsets)
    assert maps[1].blob
    key, data = maps[1].blob.key, bytearray(run.store.get(maps[1].blob.key))
    data[{"flip first": 40, "flip footer": -3}.get(harm, 0)] ^= 1
    match harm:
        case "delete":
            run.store.delete(key)
        case "cut":
            run.store.put(key, run.store.get(key)[: maps[1].blob.footer_offset - 5])
        case "empty":
            run.store.put(key, b"")
        case _:
            run.store.put(key, bytes(data))
    with pytest.raises(MapOutputLostError, match="the output of map 1 is lost") as raised:
        run.reduce(0)
    assert (str(raised.value.lost.task), raised.value.lost.generation) == ("m-1", 2)
    assert list(run.output.list()) == []


def test_a_reduce_without_its_manifest_or_with_nothing_to_reduce_is_refused() -> None:
    run = TaskRun(objects=OBJECTS)
    with pytest.raises(PlanMismatchError, match=r"shuffle-0.json: the manifest is gone"):
        run.reduce(0)
    with pytest.raises(InternalError, match="without a shuffle generation"):
        run.reduce(0, shuffle_generation=None)
    with pytest.raises(InternalError, match="map-only"):
        TaskRun(source=MAP_ONLY, objects=OBJECTS).reduce(0)
    assert reduce_task(0)


# Properties

LINES = st.lists(st.text("ab \t\r,é", max_size=8), max_size=12)


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(LINES, min_size=1, max_size=3), places=st.lists(st.floats(0, 1), max_size=4), r=st.integers(1, 4))
def test_shards_and_partitions_never_change_the_output(texts: list[list[str]], places: list[float], r: int) -> None:
    objects = {f"o{number}": "\n".join(lines).encode() for number, lines in enumerate(texts)}
    size = sum(map(len, objects.values()))
    run = TaskRun(objects=objects, cuts=sorted(round(place * size) for place in places), partitions=r)
    assert counts_of(run.output_lines()) == words_of(objects)


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_a_combiner_never_changes_the_output(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(["a", "b", "ccc", "é"]), max_size=200))
    cut = data.draw(st.integers(0, len(words)))
    objects = {"o": "\n".join(words).encode()}
    outputs = {
        tuple(sorted(TaskRun(source=source, objects=objects, cuts=[cut]).output_lines()))
        for source in (WORD_COUNT, COMBINES, SUMS.format("count", "None"))
    }
    assert len(outputs) == 1
