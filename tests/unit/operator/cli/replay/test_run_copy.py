"""Tasks that run again do what they did: the same records, the same bytes, and nothing new where the run is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import ObjectChangedError, PodreduceError, ProgramError
from podreduce.contract.layout import PLAN_KEY, shuffle_key
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.wire import decode, encode
from podreduce.process.replay import replay_task
from podreduce.storage import ObjectStore
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.replay.replay import with_blobs
from podreduce_operator.cli.replay.run_copy import Recorded, copy_run, find_failures
from tests.support.builders.records import make_failure
from tests.support.task_runs import LOG_ANALYSIS, WORD_COUNT, TaskRun

MAP_ONLY = "class Words:\n    def map_func(self, key, value):\n        yield value, len(value)\n"
PARTITIONED = f"{WORD_COUNT}\n    def partition_func(self, key, partitions):\n        return len(key) % partitions\n"
PICKY = """
class Picky:
    def map_func(self, key, value):
        if "seven" in value:
            raise ValueError("seven")
        yield value, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
"""
TEXT = b"".join(b"%d,url-%d\n" % (number % 10, number % 7) for number in range(300)) + b"seven\n"

RUNS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "word-count": (WORD_COUNT, {}),
    "log-analysis": (LOG_ANALYSIS.replace("fields[1]", "value"), {}),
    "map-only": (MAP_ONLY, {"partitions": 0}),
    "partition-func": (PARTITIONED, {}),
    "total-order": (WORD_COUNT, {"order": "Total"}),
    "bad-records": (PICKY, {"bad_records": "Skip"}),
    "compressed-output": (WORD_COUNT, {"output_format": "JSONLines", "output_compression": "Gzip"}),
}


def make_run(tmp_path: Path, source: str = WORD_COUNT, changes: Mapping[str, Any] | None = None) -> TaskRun:
    return TaskRun(
        source=source,
        objects={"a.txt": TEXT, "b.txt": TEXT[:100]},
        cuts=(500, 1100),
        root=f"file://{tmp_path}/root/",
        plan_changes=changes or {},
    )


def recorded(run: TaskRun, **fields: Any) -> Recorded:
    return Recorded(run=run.store, settings=StorageSettings(), **fields)


def snapshot(*stores: ObjectStore) -> dict[str, bytes]:
    return {store.uri_of(found.key): store.get(found.key) for store in stores for found in store.list()}


def again(run: TaskRun, task: TaskRef, directory: Path) -> CommitRecord:
    copy = copy_run(recorded(run), task, directory, with_maps=False)
    return replay_task(copy.environment_of(task), StorageSettings(), copy.blobs_uri)


def essence(commit: CommitRecord) -> tuple[object, ...]:
    """What two attempts of one task have in common."""
    part, blob = commit.part, commit.blob
    return (
        commit.task, commit.records_in, commit.records_out, commit.bytes_in, commit.counters, commit.bucket_bytes,
        part and (part.sha256, part.bytes, part.records), blob and (blob.bytes, blob.footer_offset, blob.footer_crc32),
        commit.quarantine and commit.quarantine.records,
    )  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_every_task_of_a_run_does_the_same_again_and_leaves_the_run_as_it_is(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path, *RUNS[name])
    maps = [run.map(index) for index in range(run.plan.shards)]
    commits = maps if maps[0].part else [*maps, *run.reduce_all(maps)]
    before = snapshot(run.store, run.output)
    for number, commit in enumerate(commits):
        found = again(run, commit.task, tmp_path / f"replay-{number}")
        assert essence(found) == essence(commit)
    assert snapshot(run.store, run.output) == before


def test_a_reduce_runs_over_maps_that_ran_again(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    maps = [run.map(index) for index in range(run.plan.shards)]
    reduces = run.reduce_all(maps)
    run.store.delete_prefix("data/")
    task = reduces[1].task
    with pytest.raises(CommandError, match=r"is gone .3 of 3 maps.*--maps runs 3 maps here first") as caught:
        again(run, task, tmp_path / "gone")
    assert caught.value.exit_code is CommandExit.FAILED
    copy = copy_run(recorded(run), task, tmp_path / "replay", with_maps=True)
    assert copy.shuffle is not None
    fresh = [replay_task(copy.environment_of(commit.task), StorageSettings(), copy.blobs_uri) for commit in maps]
    copy.store.put(shuffle_key(0), encode(with_blobs(copy.shuffle, fresh)))
    found = replay_task(copy.environment_of(task), StorageSettings(), copy.blobs_uri)
    assert essence(found) == essence(reduces[1])


def test_a_failure_is_the_same_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, PICKY)
    errors = []
    for number in range(2):
        with pytest.raises(ProgramError) as caught:
            (lambda: run.map(2), lambda: again(run, TaskRef.parse("m-2"), tmp_path / "replay"))[number]()
        errors.append((str(caught.value), caught.value.user_traceback, caught.value.record))
    assert errors[0] == errors[1]
    assert "line 5, in map_func" in errors[0][1]


def test_injected_faults_are_not_repeated(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    plan = msgspec.structs.replace(run.plan, spec={**run.plan.spec, "chaos": {"killPercent": 100.0}})
    run.store.put(PLAN_KEY, encode(plan))
    copy = copy_run(recorded(run), TaskRef.parse("m-0"), tmp_path / "replay", with_maps=False)
    assert "chaos" not in decode(copy.store.get(PLAN_KEY), Plan).spec


def test_an_input_that_has_changed_since_is_an_error_and_not_another_result(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.map(0)
    run.input.put("a.txt", TEXT.upper() + b"more\n")
    with pytest.raises(PodreduceError, match=r"a\.txt") as caught:
        again(run, TaskRef.parse("m-0"), tmp_path / "replay")
    assert not isinstance(caught.value, ObjectChangedError)  # it says what to do


@pytest.mark.parametrize(
    ("task", "words", "exit_code"),
    [
        ("m-3", "the maps are m-0 to m-2", CommandExit.INVALID),
        ("r-2", "the reduces are r-0 to r-1", CommandExit.INVALID),
    ],
)
def test_a_task_that_the_run_does_not_have_is_refused(
    tmp_path: Path, task: str, words: str, *, exit_code: CommandExit
) -> None:
    run = make_run(tmp_path)
    run.run()
    with pytest.raises(CommandError, match=words) as caught:
        again(run, TaskRef.parse(task), tmp_path / "replay")
    assert caught.value.exit_code is exit_code


def test_a_reduce_that_never_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="r-0 has not started"):
        again(make_run(tmp_path), TaskRef.parse("r-0"), tmp_path / "replay")


def test_a_run_without_a_plan_is_gone_or_was_never_planned(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.store.delete(PLAN_KEY)
    with pytest.raises(CommandError, match=r"plan/plan.json is not there.*ttlSecondsAfterFinished"):
        again(run, TaskRef.parse("m-0"), tmp_path / "replay")


def test_a_plan_that_somebody_has_changed_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    known = recorded(run, plan_digest=run.digest)
    copy_run(known, TaskRef.parse("m-0"), tmp_path / "one", with_maps=False)
    run.store.put(PLAN_KEY, encode(msgspec.structs.replace(run.plan, encoding_errors="Replace")))
    with pytest.raises(CommandError, match="somebody has changed it"):
        copy_run(known, TaskRef.parse("m-0"), tmp_path / "two", with_maps=False)


@pytest.mark.parametrize("key", [PLAN_KEY, shuffle_key(0)])
def test_what_is_no_record_is_refused(tmp_path: Path, key: str) -> None:
    run = make_run(tmp_path)
    run.run()
    run.store.put(key, b"{}")
    with pytest.raises(CommandError, match="is not what podreduce wrote there"):
        again(run, TaskRef.parse("r-0"), tmp_path / "replay")


def test_the_newest_shuffle_counts_also_after_the_ninth(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    maps = [run.map(index) for index in range(run.plan.shards)]
    for generation in (9, 10):
        run.shuffle(maps, generation)
    copy = copy_run(recorded(run), TaskRef(type=TaskType.REDUCE, index=0), tmp_path / "replay", with_maps=False)
    assert copy.shuffle is not None
    assert decode(copy.store.get(shuffle_key(10)), ShuffleManifest).generation == copy.shuffle.generation == 10


def test_failures_are_of_one_task_and_in_the_order_of_time(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for task, attempt, finished_at in (("m-1", "c", 3.0), ("m-1", "a", 1.0), ("m-10", "b", 2.0)):
        failure = make_failure(TaskRef.parse(task), attempt_id=attempt, finished_at=finished_at)
        run.store.put(f"failures/{task}-{attempt}.json", encode(failure))
    run.store.put("failures/m-1-x.json", json.dumps({"task": 1}).encode())
    assert [each.attempt_id for each in find_failures(run.store, TaskRef.parse("m-1"))] == ["a", "c"]
    assert [each.attempt_id for each in find_failures(run.store, None)] == ["a", "b", "c"]
