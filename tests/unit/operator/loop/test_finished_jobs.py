"""What a finished job costs: requests over simulated hours, and memory, also of an operator that has just started."""

import asyncio
import gc
import tracemalloc
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import PLAN_KEY, POST_MORTEM_KEY, commit_key, run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import open_store
from podreduce_operator.api.times import parse_time, render_time
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.policy.run_state import read_run_state
from tests.cost.counting import CountedStorage, CountingGate
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

HOUR = 3600.0
TTL = 24 * HOUR
ENDED_AT = 1_000_000.0
MIB = 1 << 20


class CountedCluster(QuietCluster):
    """Keeps statuses as an API server does, and counts what a job asks of the store and of the API server."""

    def __init__(self, work_uri: str) -> None:
        super().__init__(work_uri=work_uri)
        self.store = CountingGate()
        self.reads = 0

    async def read_storage(self, job: JobView) -> JobStorage:  # noqa: ARG002 - the interface names it
        self.reads += 1
        if self.storage_error is not None:
            raise self.storage_error
        settings = StorageSettings()
        return CountedStorage(work_uri=self.work_uri, installation="local", settings=settings, count=self.store)

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        await super().write_status(job, status)
        self.jobs[job.key] = replace(self.jobs[job.key], status=status)
        return True

    @property
    def requests(self) -> int:
        return self.store.requests + self.reads + len(self.statuses)


class Hours:
    """Finished jobs, and an operator whose waiting is a jump of its clock, until the hour that a test asks for."""

    def __init__(self) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = CountedCluster(f"{self.place}work/")
        self.until = self.now = ENDED_AT
        self.waiting = 0
        self.reconciler = self.start()

    def start(self) -> Reconciler:
        """Start an operator that knows nothing yet."""
        return Reconciler(
            self.cluster,
            limits=Limits(),
            status_interval_seconds=0.0,
            clock=lambda: self.now,
            monotonic=lambda: 0.0,
            wait=self.wait,
        )

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Let the time pass. Whoever waits beyond the hour waits for an event."""
        due = self.now + seconds
        if wake.is_set():
            return
        if due > self.until:
            self.waiting += 1
            try:
                await wake.wait()
            finally:
                self.waiting -= 1
            return
        self.now = max(self.now, due)

    def add_job(self, number: int, *, tasks: int = 2, has_post_mortem: bool = False, ttl: int = int(TTL)) -> JobKey:
        """Add a job that has just ended, with the records of its tasks and perhaps its post-mortem."""
        key, uid = JobKey(namespace="default", name=f"job-{number}"), str(uuid.UUID(int=number))
        identity = JobIdentity(namespace=key.namespace, name=key.name, uid=uid, run_id="1")
        output_uri = f"{self.place}out-{number}/"
        store = open_store(self.cluster.work_uri + run_prefix("local", key.namespace, key.name, uid, "1"))
        plan = encode(make_plan(shards=tasks, job=identity, output_uri=output_uri))
        store.put(PLAN_KEY, plan)
        one = make_commit(map_task(0))
        for index in range(tasks):
            commit = msgspec.structs.replace(one, task=map_task(index), attempt_id=f"{uuid.UUID(int=index)}-0")
            store.put(commit_key(commit.task, 0), encode(commit))
        status: dict[str, Any] = {
            "observedGeneration": 1,
            "runId": "1",
            "phase": "Complete",
            "planDigest": digest_bytes(plan),
            "startTime": render_time(ENDED_AT - 60),
            "completionTime": render_time(ENDED_AT),
            "conditions": [
                {
                    "type": "Complete",
                    "status": "True",
                    "reason": "OutputCommitted",
                    "message": "done",
                    "lastTransitionTime": render_time(ENDED_AT),
                }
            ],
        }
        if has_post_mortem:
            store.put(POST_MORTEM_KEY, b"{}")
            status["postMortem"] = {"uri": store.uri_of(POST_MORTEM_KEY)}
        job = make_job(spec={"output": make_raw_output(uri=output_uri), "ttlSecondsAfterFinished": ttl})
        self.cluster.jobs[key] = replace(job, key=key, uid=uid, generation=1, status=status)
        return key

    async def pass_hours(self, hours: float) -> int:
        """Let the operator work for so long. Return how many requests it makes."""
        before = self.cluster.requests
        self.until = self.now + hours * HOUR
        for key in self.cluster.jobs:
            self.reconciler.wake(key)
        await self.quiet()
        self.now = max(self.now, self.until)
        return self.cluster.requests - before

    async def quiet(self) -> None:
        """Wait until every loop has ended, or waits for an event."""
        await asyncio.sleep(0.01)
        while self.waiting < len(self.reconciler.passes.workers):  # noqa: ASYNC110 - loops that end have no event
            await asyncio.sleep(0.01)

    async def restart(self) -> None:
        await self.reconciler.close()
        self.reconciler = self.start()


async def test_a_settled_job_makes_no_request_until_its_ttl_ends_and_none_after() -> None:
    hours = Hours()
    for number in range(3):
        hours.add_job(number)
    assert await hours.pass_hours(1) > 0
    assert await hours.pass_hours(20) == 0
    assert await hours.pass_hours(5) > 0
    assert [found.key for found in open_store(hours.place).list("")] == []
    assert await hours.pass_hours(1000) == 0
    assert hours.reconciler.passes.workers == {}


async def test_a_restart_asks_the_store_nothing_about_settled_jobs() -> None:
    hours = Hours()
    for number in range(3):
        hours.add_job(number, has_post_mortem=True)
    await hours.pass_hours(1)
    await hours.restart()
    assert await hours.pass_hours(1) == 0
    await hours.pass_hours(30)
    await hours.restart()
    assert await hours.pass_hours(100) == 0


async def test_an_edit_of_a_settled_job_is_still_told() -> None:
    hours = Hours()
    key = hours.add_job(1, has_post_mortem=True)
    await hours.pass_hours(1)
    job = hours.cluster.jobs[key]
    raw = {**job.raw_spec, "map": {**job.raw_spec.get("map", {}), "shards": 9}}
    hours.cluster.jobs[key] = replace(job, raw_spec=raw, generation=2)
    await hours.pass_hours(1)
    conditions = {each["type"]: each["message"] for each in hours.cluster.jobs[key].status["conditions"]}
    assert "spec.map" in conditions["SpecChanged"]
    assert await hours.pass_hours(1) == 0
    await hours.restart()
    await hours.pass_hours(1)
    assert "SpecChanged" in {each["type"] for each in hours.cluster.jobs[key].status["conditions"]}


async def test_an_edit_is_told_when_the_records_of_the_run_are_gone_and_costs_no_request_of_the_store() -> None:
    hours = Hours()
    key = hours.add_job(1, has_post_mortem=True)
    await hours.pass_hours(30)
    assert list(open_store(hours.place).list("work/")) == []
    job = hours.cluster.jobs[key]
    hours.cluster.jobs[key] = replace(job, raw_spec={**job.raw_spec, "image": "other"}, generation=2)
    before = hours.cluster.store.requests
    await hours.pass_hours(1)
    conditions = {each["type"]: each["message"] for each in hours.cluster.jobs[key].status["conditions"]}
    assert conditions["SpecChanged"] == "takes effect with the next spec.runId: spec"
    assert ("Warning", "SpecChanged") in hours.cluster.events
    assert hours.cluster.store.requests == before


async def test_an_edit_of_a_settled_job_compares_the_text_in_its_config_map_once() -> None:
    hours = Hours()
    key = hours.add_job(1, has_post_mortem=True)
    hours.cluster.sources = {("count", "job.py"): "class New: pass\n"}
    await hours.pass_hours(1)
    job = hours.cluster.jobs[key]
    program = {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}
    edited = make_job(spec={**job.raw_spec, "program": program})
    hours.cluster.jobs[key] = replace(job, raw_spec=edited.raw_spec, spec=edited.spec, generation=2)
    await hours.pass_hours(40)
    assert hours.cluster.sources_read == 1
    conditions = {each["type"]: each["message"] for each in hours.cluster.jobs[key].status["conditions"]}
    assert conditions["SpecChanged"].endswith("the text in ConfigMap count, key job.py")


async def test_a_new_run_id_wakes_a_settled_job() -> None:
    hours = Hours()
    key = hours.add_job(1, has_post_mortem=True)
    await hours.pass_hours(30)
    assert await hours.pass_hours(1) == 0
    job = hours.cluster.jobs[key]
    hours.cluster.jobs[key] = replace(job, spec=msgspec.structs.replace(job.spec, run_id="2"), generation=2)
    await hours.pass_hours(0.01)
    begun = next(status for status in hours.cluster.statuses if status.get("runId") == "2")
    assert "CleanedUp" not in {each["type"] for each in begun["conditions"]}


async def test_a_run_with_nothing_left_is_cleaned_up_and_its_end_stays_as_it_was() -> None:
    hours = Hours()
    key = hours.add_job(1, has_post_mortem=True)
    before = read_run_state(hours.cluster.jobs[key].status, "1")
    await hours.pass_hours(30)
    after = read_run_state(hours.cluster.jobs[key].status, "1")
    assert (after.terminal, after.reason, after.message) == (before.terminal, before.reason, before.message)
    assert after.is_cleaned_up
    assert after.completed_at == parse_time(render_time(ENDED_AT))


@pytest.mark.parametrize("has_post_mortem", [False, True], ids=["it has just ended", "it is at rest"])
async def test_a_job_is_deleted_when_its_spec_says_so(has_post_mortem: bool) -> None:
    hours = Hours()
    keys = [hours.add_job(number, has_post_mortem=has_post_mortem) for number in range(2)]
    job = hours.cluster.jobs[keys[0]]
    spec = msgspec.structs.replace(job.spec, delete_after_finished_seconds=int(2 * HOUR))
    hours.cluster.jobs[keys[0]] = replace(job, spec=spec)
    await hours.pass_hours(1)
    assert hours.cluster.deleted_jobs == []
    await hours.pass_hours(3)
    assert hours.cluster.deleted_jobs == [keys[0]]
    assert keys[1] in hours.cluster.jobs
    left = {found.key.split("/")[3] for found in open_store(hours.place).list("work/")}
    assert left == {"job-1"}, "nobody removes later what the job has in a bucket of its own"


async def test_a_job_whose_store_is_gone_is_deleted_when_it_is_back() -> None:
    hours = Hours()
    key = hours.add_job(0, has_post_mortem=True)
    job = hours.cluster.jobs[key]
    spec = msgspec.structs.replace(job.spec, delete_after_finished_seconds=int(2 * HOUR))
    hours.cluster.jobs[key] = replace(job, spec=spec)
    await hours.pass_hours(1)
    hours.cluster.storage_error = ActionError("StorageSecretNotFound", "no Secret", permanent=False)
    await hours.pass_hours(2)
    assert hours.cluster.deleted_jobs == []
    hours.cluster.storage_error = None
    await hours.pass_hours(1)
    assert hours.cluster.deleted_jobs == [key]
    assert list(open_store(hours.place).list("work/")) == []


@pytest.mark.parametrize("has_post_mortem", [False, True], ids=["it has just ended", "it is at rest"])
@pytest.mark.parametrize("reason", ["StorageSecretNotFound", "StorageUnavailable", "StorageDenied"])
async def test_a_job_whose_store_never_answers_again_is_given_up_after_a_day(
    reason: str, has_post_mortem: bool
) -> None:
    hours = Hours()
    hours.cluster.storage_error = ActionError(reason, "no store", permanent=reason == "StorageSecretNotFound")
    keys = [hours.add_job(number, has_post_mortem=has_post_mortem, ttl=int(HOUR)) for number in range(3)]
    assert 0 < await hours.pass_hours(25) <= 3 * 45, "seldom"
    for key in keys:
        conditions = {each["type"]: each for each in hours.cluster.jobs[key].status["conditions"]}
        assert conditions["CleanupFailed"]["reason"] == reason
        assert conditions["CleanupFailed"]["message"].endswith(f"until {render_time(ENDED_AT + 24 * HOUR)}")
    assert await hours.pass_hours(1000) == 0
    await hours.restart()
    assert await hours.pass_hours(100) == 0
    assert hours.reconciler.passes.workers == {}


async def test_a_job_that_was_given_up_is_tried_once_more_for_each_edit() -> None:
    hours = Hours()
    hours.cluster.storage_error = ActionError("StorageUnavailable", "no store", permanent=False)
    key = hours.add_job(0)
    await hours.pass_hours(30)
    job = hours.cluster.jobs[key]
    hours.cluster.jobs[key] = replace(job, generation=2)
    assert 0 < await hours.pass_hours(1) <= 4
    assert await hours.pass_hours(100) == 0
    hours.cluster.storage_error = None
    hours.cluster.jobs[key] = replace(hours.cluster.jobs[key], generation=3)
    await hours.pass_hours(1)
    assert list(open_store(hours.place).list("work/")) == []
    assert await hours.pass_hours(100) == 0
    assert "CleanedUp" in {each["type"] for each in hours.cluster.jobs[key].status["conditions"]}


async def test_a_store_that_was_away_after_the_post_mortem_is_looked_at_once_more() -> None:
    hours = Hours()
    hours.cluster.storage_error = ActionError("StorageUnavailable", "no store", permanent=False)
    key = hours.add_job(0, has_post_mortem=True)
    await hours.pass_hours(1)
    job = hours.cluster.jobs[key]
    assert "CleanupFailed" in {each["type"] for each in job.status["conditions"]}
    store = open_store(hours.cluster.work_uri + run_prefix("local", key.namespace, key.name, job.uid, "1"))
    store.put("data/late", b"by a pod whose node did not answer")
    hours.cluster.storage_error = None
    await hours.pass_hours(1)
    assert not store.exists("data/late")
    assert "CleanupFailed" not in {each["type"] for each in hours.cluster.jobs[key].status["conditions"]}
    assert await hours.pass_hours(10) == 0


async def test_a_job_whose_store_is_back_within_a_day_is_tidied() -> None:
    hours = Hours()
    hours.cluster.storage_error = ActionError("StorageUnavailable", "no store", permanent=False)
    key = hours.add_job(0)
    await hours.pass_hours(10)
    hours.cluster.storage_error = None
    await hours.pass_hours(2)
    kinds = {each["type"] for each in hours.cluster.jobs[key].status["conditions"]}
    assert "CleanupFailed" not in kinds
    assert "postMortem" in hours.cluster.jobs[key].status
    assert await hours.pass_hours(5) == 0


async def test_a_job_of_ten_thousand_tasks_leaves_no_memory_behind_when_it_has_ended() -> None:
    """The records of one such job take 13 MB. The other 59 are small, so that the test takes seconds."""
    hours = Hours()
    for number in range(60):
        hours.add_job(number, tasks=10_000 if number == 0 else 1)
    held, _ = await measure(hours)
    assert held < 3 * MIB


async def test_a_restart_reads_no_record_of_sixty_jobs_that_have_ended() -> None:
    """Nothing is asked of the store, so it does not matter how many records it has."""
    hours = Hours()
    for number in range(60):
        hours.add_job(number, has_post_mortem=True)
    hours.now += HOUR
    held, peak = await measure(hours)
    assert hours.cluster.store.requests == 0
    assert held < 3 * MIB
    assert peak < 10 * MIB


async def measure(hours: Hours) -> tuple[int, int]:
    """Let the operator work for an hour. Return the bytes that it holds then, and the most that it held.

    The objects in the store are Rust's, and not counted. Modules that are imported late are imported before.
    """
    first = Hours()
    first.add_job(0)
    await first.pass_hours(1)
    await first.reconciler.close()
    gc.collect()
    tracemalloc.start()
    try:
        await hours.pass_hours(1)
        gc.collect()
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await hours.reconciler.close()
