import asyncio
import tracemalloc
import uuid
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import (
    ATTEMPTS_PREFIX,
    ATTEMPTS_TABLE_KEY,
    PLAN_KEY,
    POST_MORTEM_KEY,
    commit_key,
    failure_key,
    log_key,
)
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.wire import decode, encode
from podreduce.storage import ObjectStore
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.history import write_post_mortem as post_mortem
from podreduce_operator.history.write_post_mortem import keep_attempts, last_lines, write_post_mortem
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pods import PodPhase, PodView, Stage
from podreduce_operator.policy.attempt_record import describe_attempt
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job
from tests.support.builders.plans import make_plan
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

STATUS: Mapping[str, Any] = {
    "runId": "1",
    "startTime": "1970-01-01T00:01:40Z",
    "completionTime": "1970-01-01T00:03:20Z",
    "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m-0"}],
}
DONE = make_pod(map_task(1), phase=PodPhase.SUCCEEDED, node="node-1", created_at=100.0, scheduled_at=101.0)
FAILED = make_failed_pod(map_task(0), node="node-2", created_at=100.0)


class StoredRun:
    """A failed run in a memory store: m-1 is committed, m-0 has failed; as each new operator finds it."""

    def __init__(self) -> None:
        self.work_uri = f"memory://{uuid.uuid4().hex}/"
        self.cluster = QuietCluster()

    async def open(self) -> Run:
        """Find the run as an operator does that has just started."""
        storage = JobStorage(work_uri=self.work_uri, installation="local", settings=StorageSettings())
        run = RunCache().open(make_job(status=STATUS), "1", storage)
        if not await run.work.exists_async(PLAN_KEY):
            run.work.put(PLAN_KEY, encode(make_plan()))
            run.work.put(commit_key(map_task(1), 0), encode(make_commit(map_task(1))))
            failure = make_failure(map_task(0), traceback="Traceback:\n  boom")
            run.work.put(failure_key(failure.task, failure.attempt_id), encode(failure))
        await run.records.refresh()
        return run


@pytest.fixture
def stored() -> StoredRun:
    return StoredRun()


async def keep(run: Run, *pods: PodView, now: float = 300.0, why: str = "") -> None:
    await keep_attempts(run, [describe_attempt(pod, now, why) for pod in pods])


def kept_keys(run: Run) -> list[str]:
    return [found.key for found in run.work.list(ATTEMPTS_PREFIX)]


def read_story(run: Run) -> PostMortem:
    return decode(run.work.get(POST_MORTEM_KEY), PostMortem)


def read_table(run: Run) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(BytesIO(run.work.get(ATTEMPTS_TABLE_KEY))).to_pylist()
    return rows


class Dying:
    """The run's store, whose writes work `steps` times and then no more."""

    def __init__(self, store: ObjectStore, steps: int) -> None:
        self.store, self.steps = store, steps
        self.get_small_async, self.list_async, self.exists_async = (
            store.get_small_async,
            store.list_async,
            store.exists_async,
        )

    async def put_async(self, key: str, data: bytes) -> None:
        if self.steps == 0:
            raise asyncio.CancelledError
        self.steps -= 1
        await self.store.put_async(key, data)


async def test_the_attempts_of_a_pass_are_one_object_and_the_same_ones_the_same(stored: StoredRun) -> None:
    run = await stored.open()
    for _ in range(2):
        await keep(run, DONE, FAILED)
    assert len(kept_keys(run)) == 1
    assert run.records.kept == {DONE.attempt_id: Stage.DONE, FAILED.attempt_id: Stage.STARTED}


async def test_very_many_attempts_are_kept_by_the_batch_and_those_stay_kept_that_are(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await stored.open()
    monkeypatch.setattr(post_mortem, "BATCH_ATTEMPTS", 2)
    pods = [make_pod(map_task(index)) for index in range(5)]
    whole = run.work
    run.records.store = Dying(whole, 2)  # type: ignore[assignment]
    with pytest.raises(asyncio.CancelledError):
        await keep(run, *pods)
    assert list(run.records.kept) == [pod.attempt_id for pod in pods[:4]]
    run.records.store = whole
    await keep(run, *pods[4:])
    assert len(kept_keys(run)) == 3


async def test_batches_list_in_order_of_time(stored: StoredRun) -> None:
    run = await stored.open()
    for now in (1e9, 9.5, 1e9 + 0.001, 0.0):
        await keep(run, DONE, now=now)
    starts = [key.removeprefix(ATTEMPTS_PREFIX).partition("-")[0] for key in kept_keys(run)]
    assert [int(start) for start in starts] == [0, 9500, 10**12, 10**12 + 1]


async def test_a_store_that_hangs_holds_nobody_up_for_long(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await stored.open()

    class Hanging:
        uri_of = run.work.uri_of

        async def put_async(self, key: str, data: bytes) -> None:
            del key, data
            await asyncio.sleep(60)

    run.records.store = Hanging()  # type: ignore[assignment]
    monkeypatch.setattr(post_mortem, "KEEP_SECONDS", 0.01)
    with pytest.raises(ActionError, match="could not be written within") as caught:
        await keep(run, DONE)
    assert (caught.value.reason, caught.value.permanent, run.records.kept) == ("StorageUnavailable", False, {})


async def test_the_story_tells_what_an_earlier_operator_kept(stored: StoredRun) -> None:
    await keep(await stored.open(), make_pod(map_task(1), phase=PodPhase.PENDING, created_at=100.0))
    await keep(await stored.open(), DONE, now=310.0, why="committed")
    run = await stored.open()
    await write_post_mortem(run, stored.cluster, [describe_attempt(FAILED, 320.0)])
    rows = {row["task"]: row for row in read_table(run)}
    assert (rows["m-1"]["result"], rows["m-1"]["node"], rows["m-1"]["why_deleted"]) == (
        "Committed",
        "node-1",
        "committed",
    )
    assert (rows["m-0"]["result"], rows["m-0"]["node"], rows["m-0"]["reason"]) == ("Failed", "node-2", "ProgramError")
    story = read_story(run)
    assert [attempt.task for attempt in story.timeline] == ["m-0", "m-1"]
    assert (story.verdict, story.reason, story.totals.attempts) == ("Failed", "BackoffLimitExceeded", 2)


async def test_without_any_kept_attempt_the_records_alone_are_told(stored: StoredRun) -> None:
    run = await stored.open()
    await write_post_mortem(run, stored.cluster, [])
    assert {row["task"]: row["result"] for row in read_table(run)} == {"m-0": "Failed", "m-1": "Committed"}


async def test_a_failed_attempt_has_the_log_that_was_saved(stored: StoredRun) -> None:
    run = await stored.open()
    run.work.put(log_key(FAILED.task, FAILED.attempt_id), b"first\nlast\n")
    stored.cluster.log_tail = "of the pod"
    await write_post_mortem(run, stored.cluster, [describe_attempt(FAILED, 320.0)])
    (failure,) = read_story(run).failures
    assert (failure.log, failure.traceback) == (("first", "last"), ("Traceback:", "  boom"))


async def test_a_saved_log_that_is_no_utf_8_holds_no_story_up(stored: StoredRun) -> None:
    run = await stored.open()
    run.work.put(log_key(FAILED.task, FAILED.attempt_id), b"caf\xe9\n")
    await write_post_mortem(run, stored.cluster, [])
    assert read_story(run).failures[0].log == ("caf\ufffd",)


@pytest.mark.parametrize(("is_present", "log"), [(True, ("of the pod",)), (False, ())], ids=["there", "gone"])
async def test_or_the_log_of_its_pod_while_that_is_there(
    stored: StoredRun, is_present: bool, log: tuple[str, ...]
) -> None:
    run = await stored.open()
    stored.cluster.log_tail = "of the pod"
    await write_post_mortem(run, stored.cluster, [describe_attempt(FAILED, 320.0)] if is_present else [])
    assert read_story(run).failures[0].log == log


async def test_a_pod_whose_node_is_dead_holds_no_story_up(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(QuietCluster):
        async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
            del job, name, lines
            await asyncio.sleep(60)
            return "too late"

    run = await stored.open()
    monkeypatch.setattr(post_mortem, "LOG_SECONDS", 0.01)
    async with asyncio.timeout(10):
        await write_post_mortem(run, Hanging(), [describe_attempt(FAILED, 320.0)])
    assert read_story(run).failures[0].log == ()


def test_of_a_log_of_many_lines_the_last_hundred_are_told() -> None:
    lines = last_lines("".join(f"{index}\n" for index in range(500)))
    assert lines == [str(index) for index in range(400, 500)]


def test_of_a_log_of_long_lines_the_last_32_kib_are_told() -> None:
    lines = last_lines("".join(f"{index} {'é' * 1000}\n" for index in range(500)))
    assert [line.split()[0] for line in lines[1:]] == [str(index) for index in range(484, 500)]
    told = len("".join(f"{line}\n" for line in lines).encode())
    assert 32 * 1024 - 2 <= told <= 32 * 1024 + 2, "the first line may begin within a character"


async def test_telling_it_again_tells_the_same(stored: StoredRun) -> None:
    await keep(await stored.open(), DONE, FAILED)
    told = []
    for _ in range(2):
        run = await stored.open()
        await write_post_mortem(run, stored.cluster, [describe_attempt(FAILED, 320.0)])
        told.append((run.work.get(POST_MORTEM_KEY), run.work.get(ATTEMPTS_TABLE_KEY)))
    assert told[0] == told[1]


@pytest.mark.parametrize("steps", [0, 1])
async def test_an_operator_that_dies_on_the_way_leaves_no_evidence_that_it_is_done(
    stored: StoredRun, steps: int
) -> None:
    run = await stored.open()
    run.records.store = Dying(run.work, steps)  # type: ignore[assignment]
    with pytest.raises(asyncio.CancelledError):
        await write_post_mortem(run, stored.cluster, [])
    run = await stored.open()
    assert not run.records.has_post_mortem
    await write_post_mortem(run, stored.cluster, [])
    await run.records.refresh_ended()
    assert run.records.has_post_mortem
    assert len(read_table(run)) == read_story(run).totals.attempts == 2


async def test_what_was_kept_need_not_be_remembered_once_it_is_told(stored: StoredRun) -> None:
    run = await stored.open()
    await keep(run, DONE)
    await write_post_mortem(run, stored.cluster, [])
    assert run.records.kept == {}


async def test_nothing_is_written_of_a_run_that_has_no_plan(stored: StoredRun) -> None:
    run = await stored.open()
    unplanned = replace(run, records=type(run.records)(run.work))
    await write_post_mortem(unplanned, stored.cluster, [])
    assert not await run.work.exists_async(POST_MORTEM_KEY)


async def measure_peak_bytes(attempts: int) -> int:
    """Tell the story of a run of so many attempts; return what it took at most, beside the objects in the store."""
    stored = StoredRun()
    run = await stored.open()
    for start in range(0, attempts, 500):
        await keep(run, *(make_pod(map_task(10 + start + index), created_at=100.0) for index in range(500)))
    run = await stored.open()
    tracemalloc.start()
    try:
        await write_post_mortem(run, stored.cluster, [])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_each_further_attempt_takes_less_than_six_hundred_bytes() -> None:
    few, many = 3000, 5000
    await measure_peak_bytes(500)  # what is imported is there from then on
    more = await measure_peak_bytes(many) - await measure_peak_bytes(few)
    assert more < (many - few) * 600
