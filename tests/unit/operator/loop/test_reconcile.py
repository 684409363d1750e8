import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import structlog

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.errors import StorageUnavailableError
from podreduce.contract.layout import PLAN_KEY
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.wire import decode
from podreduce.storage import open_store
from podreduce_operator.loop import apply
from podreduce_operator.loop.adoption import Adoption
from podreduce_operator.loop.passes import wait_for_wake
from podreduce_operator.loop.reconcile import JobWorker, Reconciler
from podreduce_operator.model.actions import PlanRun
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.pods import PodPhase, PodRequest
from podreduce_operator.policy.wave_progress import WAVE_SECONDS
from podreduce_operator.runs.output_claim import Claim, claim_output, read_claim
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

KEY = JobKey(namespace="default", name="wordcount")


class StoringCluster(QuietCluster):
    """Keeps the status it is given, as an API server does."""

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        await super().write_status(job, status)
        self.jobs[job.key] = replace(self.jobs[job.key], status=status)
        return True


async def wait_briefly(wake: asyncio.Event, seconds: float) -> None:
    """Wait as the loop does, without its pauses: another pass at the same time does no harm."""
    await wait_for_wake(wake, min(seconds, 0.02))


class World:
    def __init__(self) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = StoringCluster(work_uri=f"{self.place}work/")
        self.now = 1_000_000.0
        self.reconciler = Reconciler(
            self.cluster,
            limits=Limits(parallelism=2),
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            status_interval_seconds=0.0,
            wait=wait_briefly,
        )

    def add_job(self, **spec: Any) -> None:
        places = {
            "input": {"uris": [f"{self.place}in/"], "format": "Text", "encodingErrors": "Strict"},
            "output": make_raw_output(uri=f"{self.place}out/"),
            "map": {"shards": 3},
        }
        self.cluster.jobs[KEY] = make_job(spec=places | spec)

    async def settle(self) -> dict[str, tuple[str, str]]:
        """Run the job until it is terminal; return its conditions' statuses and reasons."""
        await asyncio.wait_for(self.reconciler.settle(KEY), 20)
        return self.conditions()

    def conditions(self) -> dict[str, tuple[str, str]]:
        conditions = self.cluster.jobs[KEY].status.get("conditions", ())
        return {each["type"]: (each["status"], each["reason"]) for each in conditions}

    async def wait_for(self, what: Any) -> None:
        async with asyncio.timeout(20):
            while not what():  # noqa: ASYNC110 - what is awaited has no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.reconciler.close()


async def test_a_job_is_planned_and_gets_as_many_pods_as_it_may_have(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job()
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    names = {request.name.rsplit("-", 3)[1:][0] + request.name.rsplit("-", 3)[2] for request in world.cluster.created}
    assert names == {"m0", "m1"}
    request = world.cluster.created[0]
    assert request.environment.run_uri.startswith(f"{world.place}work/local/default/wordcount/")
    assert request.environment.plan_digest
    await world.wait_for(lambda: world.cluster.jobs[KEY].status.get("phase") == "Mapping")


async def test_while_tasks_run_a_pass_is_due_in_time_to_say_how_far_they_are(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job(speculation="Never", progressDeadlineSeconds=3600)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: "wave" in world.cluster.jobs[KEY].status)
    await world.reconciler.close()
    assert await world.reconciler.reconcile(KEY, JobWorker()) == WAVE_SECONDS


@pytest.mark.parametrize(
    ("removed", "reason"),
    [(("installation", "planDigest"), "Mapping"), (("installation",), "PlanGone")],
    ids=["as documented", "without the digest of the old plan"],
)
async def test_a_job_that_is_given_to_another_installation_starts_over(
    world: World, removed: tuple[str, ...], reason: str
) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job()
    job = world.cluster.jobs[KEY]
    identity = JobIdentity(namespace=KEY.namespace, name=KEY.name, uid=job.uid, run_id="1")
    output = open_store(f"{world.place}out/")
    await claim_output(output, Claim(installation="gone", job=identity))
    status = {
        "installation": "gone",
        "runId": "1",
        "startTime": "2026-01-01T00:00:00Z",
        "planDigest": "of the plan below the other prefix",
    }
    kept = {name: value for name, value in status.items() if name not in removed}
    world.cluster.jobs[KEY] = replace(job, status=kept)
    world.reconciler.adoption = Adoption("local")
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Ready", ("", ""))[1] == reason)
    assert world.cluster.jobs[KEY].status["installation"] == "local"
    if reason == "Mapping":
        await world.wait_for(lambda: world.cluster.created)
        assert await read_claim(output) == Claim(installation="local", job=identity)


async def test_a_map_is_told_how_many_bad_records_it_may_skip(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job(badRecords="Skip", maxBadRecords=7)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    environment = world.cluster.created[0].environment
    assert TaskEnvironment.from_environ(environment.to_environ()).max_bad_records == 7


async def test_a_missing_input_fails_the_job_and_tells_it_by_an_event(world: World) -> None:
    world.add_job()
    conditions = await world.settle()
    assert conditions["Failed"] == ("True", "InputNotFound")
    assert conditions["Stalled"] == ("True", "InputNotFound")
    assert ("Warning", "InputNotFound") in world.cluster.events
    assert world.cluster.created == []


async def test_a_run_is_logged_once_when_it_starts_and_once_when_it_ends(world: World) -> None:
    world.add_job()
    with structlog.testing.capture_logs() as lines:
        await world.settle()
    told = [(line["event"], line["run_id"]) for line in lines if line["log_level"] == "info"]
    assert told == [("run started", "1"), ("run ended", "1")]
    ended = next(line for line in lines if line["event"] == "run ended")
    assert (ended["job"], ended["result"], ended["reason"]) == (str(KEY), "Failed", "InputNotFound")


async def test_what_is_applied_beside_the_job_has_a_grace_to_appear(world: World) -> None:
    world.add_job()
    world.cluster.storage_error = ActionError("StorageSecretNotFound", "no Secret podreduce-storage", permanent=True)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Reconciling") == ("True", "StorageSecretNotFound"))
    assert world.conditions()["Failed"][0] == "False"
    world.now += 31
    conditions = await world.settle()
    assert conditions["Failed"] == ("True", "StorageSecretNotFound")


async def test_a_passing_fault_is_told_and_tried_again(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job()
    quota = {"pods": 0}

    async def create_pod(request: PodRequest) -> None:
        if not quota["pods"]:
            raise ActionError("QuotaExceeded", "exceeded quota: pods=0", permanent=False)
        world.cluster.created.append(request)

    world.cluster.create_pod = create_pod  # type: ignore[method-assign]
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Reconciling") == ("True", "QuotaExceeded"))
    quota["pods"] = 2
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)


async def test_a_pod_that_has_started_since_it_was_listed_is_not_given_up(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job()
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    listed = make_pod(map_task(0), phase=PodPhase.PENDING, reason="InvalidImageName")
    world.cluster.pods, world.cluster.pods_now = (listed,), (replace(listed, phase=PodPhase.RUNNING, reason=""),)
    for asked in (1, 2):
        world.reconciler.wake(KEY)
        await world.wait_for(lambda asked=asked: len(world.cluster.asked) >= asked)
    assert not any("/failures/" in found.key for found in open_store(world.place).list("work/"))
    world.cluster.pods_now = (listed,)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Failed") == ("True", "ImageUnavailable"))


async def test_a_blind_failed_job_still_loses_its_pods(world: World) -> None:
    world.add_job()
    world.cluster.storage_error = ActionError("StorageSecretNotFound", "no Secret", permanent=True)
    world.cluster.pods = (make_pod(map_task(0)), make_pod(map_task(1), phase=PodPhase.PENDING))
    world.reconciler.wake(KEY)
    await world.wait_for(world.conditions)
    assert world.cluster.deleted == []
    world.now += 31
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: len(set(world.cluster.deleted)) == 2)


async def test_an_ended_run_gets_its_story_after_its_verdict(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job(activeDeadlineSeconds=60)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    world.cluster.pods = (make_pod(map_task(0), node="node-1", started_at=world.now),)
    world.cluster.log_tail = "reading\nstill reading\n"
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: any("/attempts/" in found.key for found in open_store(world.place).list("work/")))
    world.now += 61
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions()["Failed"] == ("True", "DeadlineExceeded"))
    world.cluster.pods = ()
    await world.settle()
    first = next(status for status in world.cluster.statuses if status["phase"] == "Failed")
    assert "postMortem" not in first
    link = world.cluster.jobs[KEY].status["postMortem"]["uri"]
    story = decode(open_store(world.place).get(link.removeprefix(world.place)), PostMortem)
    assert (story.reason, story.plan.shards) == ("DeadlineExceeded", 3)
    assert [(told.task, str(told.result), told.why_deleted, told.node) for told in story.timeline] == [
        ("m-0", "Stopped", "job failed", "node-1")
    ]
    assert [(told.task, told.node, told.log) for told in story.stopped] == [
        ("m-0", "node-1", ("reading", "still reading"))
    ]


async def test_a_job_is_settled_when_its_status_says_all_that_is_known(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job(activeDeadlineSeconds=60)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    world.now += 61
    world.reconciler.status_interval_seconds = 0.3
    world.reconciler.monotonic = time.monotonic
    conditions = await world.settle()
    assert conditions["Failed"] == ("True", "DeadlineExceeded")
    assert "postMortem" in world.cluster.jobs[KEY].status


async def test_what_waits_for_a_jobs_end_is_before_its_clean_up(world: World) -> None:
    world.add_job()  # its input is not there
    world.reconciler.clean_up_after_seconds = 7.0
    worker, seconds = JobWorker(), 0.0
    while world.cluster.jobs[KEY].status.get("phase") != "Failed":
        seconds = await world.reconciler.reconcile(KEY, worker) or 0.0
    assert seconds == 7.0


async def test_no_stop_waits_for_a_log_that_does_not_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(job: JobView, name: str, lines: int) -> str:
        await asyncio.sleep(3600)
        return f"{job.key}/{name}: {lines}"

    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job(activeDeadlineSeconds=60)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    monkeypatch.setattr(apply, "SAVE_LOG_SECONDS", 0.01)
    world.cluster.read_log_tail = hang  # type: ignore[method-assign]
    world.cluster.pods = tuple(make_pod(map_task(index), started_at=world.now) for index in range(2))
    world.now += 61
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: set(world.cluster.deleted) == {pod.name for pod in world.cluster.pods})
    await world.wait_for(lambda: world.conditions()["Failed"] == ("True", "DeadlineExceeded"))


async def test_a_story_that_cannot_be_written_holds_nobody_up_who_waits_for_the_run(world: World) -> None:
    async def refuse(job: JobView, name: str, lines: int) -> str:
        raise ActionError("ApiServerUnavailable", f"no log of {job.key}/{name}: {lines}", permanent=False)

    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job(backoffLimitPerTask=0)
    world.cluster.read_log_tail = refuse  # type: ignore[method-assign]
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    world.cluster.pods = (make_failed_pod(map_task(0)),)
    assert (await world.settle())["Failed"] == ("True", "BackoffLimitExceeded")
    assert "postMortem" not in world.cluster.jobs[KEY].status


async def test_the_worker_of_a_job_that_is_gone_ends(world: World) -> None:
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: KEY not in world.reconciler.passes.workers)


async def test_an_unexpected_error_is_tried_again(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job()
    errors = [RuntimeError("a bug"), StorageUnavailableError("the store is away")]
    list_pods = world.cluster.list_pods

    async def failing(job: JobView) -> tuple[Any, ...]:
        if errors:
            raise errors.pop(0)
        return await list_pods(job)

    world.cluster.list_pods = failing  # type: ignore[method-assign]
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)


async def test_what_a_deleted_job_stored_is_removed_but_not_its_output(world: World) -> None:
    store = open_store(world.place)
    store.put("in/a.txt", b"one\n")
    store.put("out/keep.txt", b"not ours")
    world.add_job(output=make_raw_output(uri=f"{world.place}out/", ifExists="Replace"))
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    assert [found.key for found in store.list("work/")]
    await world.reconciler.remove_data(world.cluster.jobs.pop(KEY))
    assert [found.key for found in store.list("")] == ["in/a.txt", "out/keep.txt"]


async def test_the_fault_point_is_called_before_and_after_each_action(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job()
    points: list[tuple[str, str]] = []
    reconciler = Reconciler(
        world.cluster,
        limits=Limits(parallelism=2),
        fault_point=lambda when, action: points.append((when, type(action).__name__)),
    )
    reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    await reconciler.close()
    assert points[:2] == [("before", PlanRun.__name__), ("after", PlanRun.__name__)]


async def test_a_pass_is_overdue_from_when_it_was_due_or_began(world: World) -> None:
    assert world.reconciler.passes.overdue_seconds() == 0
    world.add_job()
    entered, may_go_on = asyncio.Event(), asyncio.Event()

    async def find_job(key: JobKey) -> JobView | None:
        entered.set()
        await may_go_on.wait()
        return world.cluster.jobs.get(key)

    world.cluster.find_job = find_job  # type: ignore[method-assign]
    world.reconciler.wake(KEY)
    await entered.wait()
    world.now += 7
    assert world.reconciler.passes.overdue_seconds() == 7
    may_go_on.set()
    await world.settle()
    await asyncio.sleep(0.1)
    assert world.reconciler.passes.overdue_seconds() == 0


class DroppingCluster(StoringCluster):
    """Drops a field of the status, as the API server does under an older CRD."""

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        kept = {name: value for name, value in status.items() if name != "observedGeneration"}
        await super().write_status(job, kept)
        return True


async def test_a_status_of_an_ended_job_that_does_not_stay_is_written_once_in_an_interval(world: World) -> None:
    world.cluster = DroppingCluster(work_uri=f"{world.place}work/")
    world.reconciler = Reconciler(
        world.cluster, limits=Limits(), clock=lambda: world.now, monotonic=lambda: world.now, wait=wait_briefly
    )
    world.add_job()
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Failed") == ("True", "InputNotFound"))
    await asyncio.sleep(0.5)
    written = len(world.cluster.statuses)
    world.now += 1.5
    await world.wait_for(lambda: len(world.cluster.statuses) > written)
    await asyncio.sleep(0.3)
    assert (written <= 2, len(world.cluster.statuses)) == (True, written + 1)
    await world.reconciler.close()


async def test_a_plan_of_an_earlier_release_lacks_a_new_field_and_that_is_no_change(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\n")
    world.add_job()
    job = world.cluster.jobs[KEY]
    older = {name: value for name, value in job.raw_spec.items() if name != "badRecords"}
    world.cluster.jobs[KEY] = replace(job, raw_spec=older)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    (plan,) = (each.key for each in open_store(world.place).list("work/") if each.key.endswith(PLAN_KEY))
    assert "badRecords" not in decode(open_store(world.place).get(plan), Plan).spec
    world.cluster.jobs[KEY] = replace(world.cluster.jobs[KEY], raw_spec=job.raw_spec, generation=2)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.jobs[KEY].status["observedGeneration"] == 2)
    assert "SpecChanged" not in world.conditions()


async def test_a_job_whose_pods_may_not_be_listed_says_so_and_its_passes_end(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job()
    told = 'pods is forbidden: "operator" cannot list resource "pods" in the namespace "default"'
    world.cluster.pods_error = ActionError("Forbidden", told, permanent=False)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Reconciling") == ("True", "Forbidden"))
    assert world.reconciler.passes.passed_at
    conditions = {each["type"]: each["message"] for each in world.cluster.jobs[KEY].status["conditions"]}
    assert conditions["Reconciling"] == told
    world.cluster.pods_error = None
    await world.wait_for(lambda: world.cluster.created)


async def test_a_pod_that_may_not_be_deleted_is_told_of_also_without_the_store(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job(suspend=True)
    world.cluster.pods = (make_pod(map_task(0)),)
    world.cluster.storage_error = ActionError("StorageSecretUnreadable", "away", permanent=False)
    world.cluster.deletion_error = ActionError("Forbidden", "may not delete", permanent=False)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Suspended") == ("True", "Forbidden"))


@pytest.mark.virtual_time
@pytest.mark.parametrize("passes", [True, False])
async def test_what_a_deleted_job_stored_is_removed_also_if_its_pods_cannot_be_listed(
    world: World, passes: bool
) -> None:
    store = open_store(world.place)
    world.add_job()
    job = world.cluster.jobs[KEY]
    key = f"work/local/default/wordcount/{job.uid}-1/plan/x"
    store.put(key, b"x")
    world.cluster.pods_error = ActionError("ApiServerUnavailable", "away", permanent=False)
    removing = asyncio.create_task(world.reconciler.remove_data(job))
    await asyncio.sleep(60)
    assert [found.key for found in store.list("work/")] == [key]
    if passes:
        world.cluster.pods_error = None
    await asyncio.sleep(5 if passes else 61)
    await removing
    assert [found.key for found in store.list("work/")] == []


async def test_a_deadline_ends_a_job_whose_store_is_away_and_its_data_goes_when_it_is_back(world: World) -> None:
    store = open_store(world.place)
    store.put("in/a.txt", b"one\ntwo\n")
    world.add_job(activeDeadlineSeconds=600)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.conditions().get("Publishing", ("",))[0] == "False" and world.cluster.created)
    pod = make_pod(map_task(0))
    world.cluster.pods = (pod,)
    world.cluster.storage_error = ActionError("StorageUnavailable", "no route to it", permanent=False)
    await world.wait_for(lambda: world.conditions()["Reconciling"] == ("True", "StorageUnavailable"))
    assert world.cluster.deleted == []
    world.now += 601
    await world.wait_for(lambda: world.conditions().get("Failed") == ("True", "DeadlineExceeded"))
    assert world.cluster.deleted == [pod.name]
    messages = {each["type"]: each["message"] for each in world.cluster.jobs[KEY].status["conditions"]}
    assert messages["Failed"] == "ran longer than 600 s; it waited: StorageUnavailable: no route to it"
    assert "Publishing" not in messages
    assert await read_claim(open_store(f"{world.place}out/")) is not None
    world.cluster.pods, world.cluster.storage_error = (), None
    await world.settle()
    await world.wait_for(lambda: "postMortem" in world.cluster.jobs[KEY].status)
    assert await read_claim(open_store(f"{world.place}out/")) is None
    assert world.conditions()["Failed"] == ("True", "DeadlineExceeded")


def edit(world: World, **spec: Any) -> None:
    """Change the job's spec as a person does who leaves its runId as it is."""
    job = world.cluster.jobs[KEY]
    changed = make_job(spec={**job.raw_spec, **spec}, status=job.status, generation=job.generation + 1)
    world.cluster.jobs[KEY] = changed


@pytest.mark.parametrize("reason", ["InputNotFound", "OutputExists", "ProgramInvalid"])
async def test_a_run_that_failed_before_its_plan_takes_the_corrected_spec(world: World, reason: str) -> None:
    store = open_store(world.place)
    store.put("in/a.txt", b"one\ntwo\n")
    store.put("out/old.txt", b"")
    output = make_raw_output(uri=f"{world.place}out/", ifExists="Replace")
    wrong: dict[str, Any] = {
        "InputNotFound": {"input": {"uris": [f"{world.place}none/"], "format": "Text", "encodingErrors": "Strict"}},
        "OutputExists": {"output": {**output, "ifExists": "Fail"}},
        "ProgramInvalid": {"program": {"source": "class Job"}},
    }[reason]
    world.add_job(**{"output": output, **wrong})
    right = {name: make_job(spec={"output": output}).raw_spec[name] for name in wrong}
    right |= {"input": {"uris": [f"{world.place}in/"], "format": "Text", "encodingErrors": "Strict"}}
    assert (await world.settle())["Failed"] == ("True", reason)
    world.now += 100.0
    edit(world, **right)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)
    status = world.cluster.jobs[KEY].status
    assert status["runId"] == "1"
    assert status["observedGeneration"] == 2
    assert "completionTime" not in status
    assert world.conditions()["Failed"][0] == world.conditions()["Stalled"][0] == "False"


async def test_a_run_that_failed_before_its_plan_is_not_tried_again_unchanged(world: World) -> None:
    world.add_job()
    assert (await world.settle())["Failed"] == ("True", "InputNotFound")
    open_store(world.place).put("in/a.txt", b"one\n")
    world.reconciler.wake(KEY)
    await asyncio.sleep(0.2)
    assert world.conditions()["Failed"] == ("True", "InputNotFound")
    edit(world, ttlSecondsAfterFinished=60)
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created)


def edit_job(world: World, **spec: Any) -> None:
    """Apply the job again, as its author does."""
    job = world.cluster.jobs[KEY]
    edited = make_job(spec={**job.raw_spec, **spec})
    world.cluster.jobs[KEY] = replace(job, spec=edited.spec, raw_spec=edited.raw_spec, generation=job.generation + 1)
    world.reconciler.wake(KEY)


async def test_with_on_change_an_edit_replaces_the_run_and_the_spec_keeps_its_run_id(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    world.add_job(runPolicy="OnChange", output=make_raw_output(uri=f"{world.place}out/", ifExists="Replace"))
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: world.cluster.created and "digests" in world.cluster.jobs[KEY].status)
    first = world.cluster.created[0].environment.run_uri
    edit_job(world, parallelism=1)
    edit_job(world, map={"shards": 2})
    await world.wait_for(lambda: world.cluster.jobs[KEY].status.get("map", {}).get("total") == 2)
    status = world.cluster.jobs[KEY].status
    assert (status["runId"], status["specRunId"]) == ("1-g3", "1")
    await world.wait_for(lambda: world.cluster.created[-1].environment.run_uri != first)
    assert world.cluster.created[-1].environment.run_uri.endswith("-1-g3/")
    assert ("Normal", "SpecChanged") in world.cluster.events
    assert not open_store(first).exists(PLAN_KEY)


async def test_with_on_change_another_text_in_the_config_map_replaces_the_run_after_an_edit(world: World) -> None:
    open_store(world.place).put("in/a.txt", b"one\ntwo\n")
    text = "class A:\n    def map_func(self, key, value):\n        yield value, 1\n"
    world.cluster.sources = {("count", "job.py"): text}
    world.add_job(
        runPolicy="OnChange",
        program={"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}},
        output=make_raw_output(uri=f"{world.place}out/", ifExists="Replace"),
    )
    world.reconciler.wake(KEY)
    await world.wait_for(lambda: "digests" in world.cluster.jobs[KEY].status)
    await world.wait_for(lambda: "generation" in world.cluster.jobs[KEY].status["digests"])
    read = world.cluster.sources_read
    world.cluster.sources = {("count", "job.py"): text.replace("1", "2")}
    for _ in range(3):
        world.reconciler.wake(KEY)
        await asyncio.sleep(0.05)
    assert (world.cluster.jobs[KEY].status["runId"], world.cluster.sources_read) == ("1", read)
    edit_job(world, parallelism=1)
    await world.wait_for(lambda: world.cluster.jobs[KEY].status["runId"] == "1-g2")
    await world.wait_for(lambda: "digests" in world.cluster.jobs[KEY].status)
    assert "SpecChanged" not in world.conditions()
