"""What the loop reports as it happens: each thing once, and nothing that another operator has reported."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.layout import PLAN_KEY, commit_key, failure_key, run_prefix
from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.loop.apply import Applier
from podreduce_operator.loop.observe import observe
from podreduce_operator.loop.passes import wait_for_wake
from podreduce_operator.loop.reconcile import JobWorker, Reconciler
from podreduce_operator.loop.telemetry import Telemetry
from podreduce_operator.model.actions import FreezeShuffle, KeepAttempts, RecordFailure
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.policy.attempt_record import JOB_FAILED, describe_attempt
from podreduce_operator.read_budget import ReadingPace
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import JOB_UID, make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

KEY = JobKey(namespace="default", name="wordcount")


class EveryTime(ReadingPace):
    """Everything is listed each time."""

    def is_due(self) -> bool:
        return True


@dataclass
class Heard:
    """What was reported."""

    passes: list[float] = field(default_factory=list)
    phases: list[tuple[str, float]] = field(default_factory=list)
    ends: list[CommitRecord | FailureRecord] = field(default_factory=list)
    stops: list[AttemptRecord] = field(default_factory=list)
    shuffles: list[tuple[int, ...]] = field(default_factory=list)

    def telemetry(self) -> Telemetry:
        return Telemetry(
            on_pass=self.passes.append,
            on_phase_end=lambda phase, seconds: self.phases.append((phase, seconds)),
            on_attempt_end=self.ends.append,
            on_stop=self.stops.append,
            on_shuffle=lambda partition_bytes: self.shuffles.append(tuple(partition_bytes)),
        )

    def tasks(self) -> list[tuple[str, str]]:
        return [(type(end).__name__, str(end.task)) for end in self.ends]


class StoringCluster(QuietCluster):
    """Keeps the status it is given, as an API server does."""

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        self.jobs[job.key] = replace(self.jobs[job.key], status=status)
        return True


class World:
    """One job's run in a memory store, and an operator that looks at it."""

    def __init__(self) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = StoringCluster(work_uri=f"{self.place}work/")
        self.heard = Heard()
        self.status: dict[str, Any] = {}
        self.cache = self.make_cache()

    def make_cache(self) -> RunCache:
        return RunCache(pace=partial(EveryTime, 1.0), on_attempt_end=self.heard.ends.append)

    @property
    def store(self) -> ObjectStore:
        return open_store(f"{self.place}work/{run_prefix('local', 'default', 'wordcount', JOB_UID, '1')}")

    def put_plan(self) -> str:
        data = encode(make_plan(output_uri=f"{self.place}out/", shards=3))
        self.store.put(PLAN_KEY, data)
        self.status = {"runId": "1", "planDigest": digest_bytes(data)}
        return digest_bytes(data)

    def commit(self, index: int, generation: int = 0) -> None:
        commit = make_commit(map_task(index), generation=generation)
        self.store.put(commit_key(commit.task, generation), encode(commit))

    async def look(self) -> Run:
        _, run = await observe(make_job(status=self.status), self.cluster, self.cache, Limits(), 1000.0)
        assert run is not None
        return run

    def applier(self) -> Applier:
        return Applier(cluster=self.cluster, cache=self.cache, telemetry=self.heard.telemetry())


@pytest.fixture
def world() -> World:
    return World()


async def test_a_commit_is_reported_when_it_is_found_and_once(world: World) -> None:
    world.put_plan()
    await world.look()
    world.commit(0)
    for _ in range(3):
        await world.look()
    world.commit(1)
    await world.look()
    assert world.heard.tasks() == [("CommitRecord", "m-0"), ("CommitRecord", "m-1")]


async def test_a_commit_that_is_expected_is_reported_once(world: World) -> None:
    world.cache = RunCache(pace=partial(ReadingPace, 0.0001), on_attempt_end=world.heard.ends.append)
    world.put_plan()
    await world.look()
    world.cluster.pods = (make_pod(map_task(0), phase="Succeeded"),)  # type: ignore[arg-type]
    world.commit(0)
    for _ in range(3):
        await world.look()
    assert world.heard.tasks() == [("CommitRecord", "m-0")]


async def test_each_generation_of_a_task_is_reported(world: World) -> None:
    world.put_plan()
    await world.look()
    for generation in (0, 1):
        world.commit(0, generation)
        await world.look()
    assert world.heard.tasks() == [("CommitRecord", "m-0")] * 2


async def test_what_was_committed_before_this_operator_took_over_is_not_reported_again(world: World) -> None:
    world.put_plan()
    world.commit(0)
    await world.look()
    world.commit(1)
    await world.look()
    assert world.heard.tasks() == [("CommitRecord", "m-1")]


async def test_of_a_run_that_this_operator_planned_all_commits_are_reported(world: World) -> None:
    digest = world.put_plan()
    job = make_job()
    run = world.cache.open(job, "1", await world.cluster.read_storage(job))
    run.records.written_plan = digest
    world.commit(0)
    await world.look()
    assert world.heard.tasks() == [("CommitRecord", "m-0")]


async def test_a_failure_is_reported_by_the_operator_that_records_it(world: World) -> None:
    world.put_plan()
    run = await world.look()
    applier = world.applier()
    for _ in range(2):
        await applier.apply((RecordFailure(record=make_failure(map_task(0))),), run)
    theirs = make_failure(map_task(1))
    world.store.put(failure_key(theirs.task, theirs.attempt_id), encode(theirs))
    await world.look()
    assert world.heard.tasks() == [("FailureRecord", "m-0")]


async def test_an_attempt_is_reported_as_stopped_when_its_pod_is_about_to_be_deleted(world: World) -> None:
    world.put_plan()
    run = await world.look()
    running, stopped = (describe_attempt(make_pod(map_task(0)), 1.0, why) for why in ("", JOB_FAILED))
    await world.applier().apply((KeepAttempts(attempts=(running, stopped)),), run)
    assert world.heard.stops == [stopped]


async def test_a_shuffle_is_reported_when_it_is_frozen_first(world: World) -> None:
    world.put_plan()
    for index in range(3):
        world.commit(index)
    run = await world.look()
    freeze = FreezeShuffle(generation=0, parallelism=2)
    for _ in range(2):
        await world.applier().apply((freeze,), run)
    assert run.records.plan is not None
    assert len(world.heard.shuffles) == 1
    run = await world.look()
    world.commit(0, generation=1)
    run = await world.look()
    await world.applier().apply((FreezeShuffle(generation=1, parallelism=2),), run)
    assert run.records.manifest is not None
    assert run.records.manifest.generation == 0
    await world.look()
    assert run.records.manifest.generation == 1
    assert len(world.heard.shuffles) == 1


class Loop:
    """An operator's loop over one job."""

    def __init__(self, world: World) -> None:
        self.world, self.heard = world, world.heard
        self.now = 1_000_000.0
        self.reconciler = self.start()

    def start(self) -> Reconciler:
        return Reconciler(
            self.world.cluster,
            limits=Limits(parallelism=2),
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            status_interval_seconds=0.0,
            wait=lambda wake, seconds: wait_for_wake(wake, min(seconds, 0.02)),
            telemetry=self.heard.telemetry(),
        )

    def set_spec(self, **spec: Any) -> None:
        places = {
            "input": {"uris": [f"{self.world.place}in/"], "format": "Text", "encodingErrors": "Strict"},
            "output": make_raw_output(uri=f"{self.world.place}out/"),
        }
        known = self.world.cluster.jobs.get(KEY)
        job = make_job(spec=places | spec)
        self.world.cluster.jobs[KEY] = job if known is None else replace(job, status=known.status)

    async def reach(self, phase: str) -> None:
        self.reconciler.wake(KEY)
        async with asyncio.timeout(20):
            while self.world.cluster.jobs[KEY].status.get("phase") != phase:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def loop(world: World) -> AsyncIterator[Loop]:
    open_store(world.place).put("in/a.txt", b"one\n")
    made = Loop(world)
    yield made
    await made.reconciler.close()


async def test_a_phase_is_reported_when_a_job_leaves_it(loop: Loop) -> None:
    loop.set_spec()
    await loop.reach("Mapping")
    loop.now += 7
    loop.set_spec(suspend=True)
    await loop.reach("Suspended")
    loop.now += 5
    loop.set_spec()
    await loop.reach("Mapping")
    assert loop.heard.phases == [("Planning", 0.0), ("Mapping", 7.0), ("Suspended", 5.0)]
    assert set(loop.heard.passes) == {0.0}


async def test_a_phase_that_this_operator_did_not_see_begin_is_not_reported(loop: Loop) -> None:
    loop.set_spec()
    await loop.reach("Mapping")
    await loop.reconciler.close()
    loop.heard.phases.clear()
    loop.reconciler = loop.start()
    loop.set_spec(suspend=True)
    await loop.reach("Suspended")
    loop.now += 5
    loop.set_spec()
    await loop.reach("Mapping")
    assert loop.heard.phases == [("Suspended", 5.0)]


def test_passes_that_are_due_or_running_are_the_queue() -> None:
    reconciler = Reconciler(QuietCluster(), limits=Limits(), monotonic=lambda: 10.0)
    assert reconciler.passes.due_passes() == 0
    due_at = {"overdue": 3.0, "due now": 10.0, "later": 10.5, "never": float("inf")}
    reconciler.passes.workers = {JobKey(namespace="a", name=name): JobWorker(due_at=at) for name, at in due_at.items()}
    assert reconciler.passes.due_passes() == 2
