"""What becomes of actions: what pods are told, which logs are kept, and what follows if some fail or take long."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from podreduce.contract.layout import PLAN_KEY, log_key
from podreduce.contract.wire import encode
from podreduce_operator.loop.apply import CONCURRENT_PODS, PODS_SECONDS, Applied, Applier
from podreduce_operator.model.actions import Action, CreatePod, DeleteJob, DeletePod, PlanRun
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pods import PodRequest
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_failure
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.quiet_cluster import QuietCluster

M0, M1, R0 = map_task(0), map_task(1), reduce_task(0)
DELETE = DeletePod(name="pod-1", uid="uid-1", task=map_task(1), why="committed")


class SlowCluster(QuietCluster):
    """Takes its time to create a pod or to delete one, or refuses to create it."""

    def __init__(
        self, *, seconds: float = 0.0, deletion_seconds: float = 0.0, refusal: ActionError | None = None
    ) -> None:
        super().__init__(work_uri=f"memory://{uuid.uuid4().hex}/")
        self.seconds = seconds
        self.deletion_seconds = deletion_seconds
        self.refusal = refusal

    async def create_pod(self, request: PodRequest) -> None:
        await asyncio.sleep(self.seconds)
        if self.refusal is not None:
            raise self.refusal
        await super().create_pod(request)

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        await asyncio.sleep(self.deletion_seconds)
        await super().delete_pod(job, name, uid, force=force)


async def open_run(cluster: QuietCluster) -> Run:
    job = make_job()
    run = RunCache().open(job, job.spec.run_id, await cluster.read_storage(job))
    run.work.put(PLAN_KEY, encode(make_plan()))
    await run.records.refresh()
    return run


async def apply(cluster: QuietCluster, *actions: Action, pods_seconds: float = PODS_SECONDS) -> Applied:
    applier = Applier(cluster=cluster, cache=RunCache(), pods_seconds=pods_seconds)
    return await applier.apply(actions, await open_run(cluster))


def create(count: int) -> list[Action]:
    return [CreatePod(task=map_task(index), ordinal=1, generation=0) for index in range(count)]


async def test_pods_that_have_ended_go_though_none_can_be_created() -> None:
    full = ActionError("QuotaExceeded", "full", permanent=False)
    cluster = SlowCluster(refusal=full)
    applied = await apply(cluster, *create(3), DELETE)
    assert applied.faults == (full.as_fault(),)
    assert cluster.deleted == ["pod-1"]


class StrictCluster(QuietCluster):
    """Refuses pods that ask for more memory than usual, or all of them."""

    def __init__(self, refusal: ActionError, *, refuses_all: bool) -> None:
        super().__init__(work_uri=f"memory://{uuid.uuid4().hex}/")
        self.refusal = refusal
        self.refuses_all = refuses_all

    async def create_pod(self, request: PodRequest) -> None:
        if self.refuses_all or request.memory_factor > 1.0:
            raise self.refusal
        await super().create_pod(request)


@pytest.mark.parametrize("reason", ["QuotaExceeded", "LimitRangeExceeded", "PodRejected"])
@pytest.mark.parametrize("refuses_all", [False, True], ids=["raised", "all"])
async def test_raised_memory_that_is_refused_is_asked_for_no_more(reason: str, *, refuses_all: bool) -> None:
    refusal = ActionError(reason, "memory", permanent=reason == "PodRejected")
    cluster = StrictCluster(refusal, refuses_all=refuses_all)
    applied = await apply(cluster, CreatePod(task=M0, ordinal=2, generation=0, memory_factor=1.5))
    assert [request.memory_factor for request in cluster.created] == ([] if refuses_all else [1.0])
    assert applied.faults == ((refusal.as_fault(),) if refuses_all else ())


async def test_an_outage_does_not_take_the_raised_memory_back() -> None:
    cluster = StrictCluster(ActionError("ApiServerUnavailable", "away", permanent=False), refuses_all=False)
    applied = await apply(cluster, CreatePod(task=M0, ordinal=2, generation=0, memory_factor=1.5))
    assert cluster.created == []
    assert [fault.reason for fault in applied.faults] == ["ApiServerUnavailable"]


@pytest.mark.parametrize("force", [False, True], ids=["with its grace", "without"])
async def test_a_pod_is_deleted_by_its_uid_and_forced_only_if_that_was_decided(force: bool) -> None:
    cluster = SlowCluster()
    await apply(cluster, replace(DELETE, force=force))
    assert cluster.deletions == [("pod-1", "uid-1", force)]


@pytest.mark.virtual_time
async def test_what_takes_too_long_is_left_to_the_next_pass() -> None:
    cluster = SlowCluster(seconds=0.05)
    applied = await apply(cluster, *create(100), DELETE, pods_seconds=0.02)
    assert applied.is_cut_short
    assert len(cluster.created) == CONCURRENT_PODS
    assert cluster.deleted == ["pod-1"]


@pytest.mark.virtual_time
async def test_no_pods_come_while_there_was_no_time_to_make_room_for_them() -> None:
    cluster = SlowCluster(deletion_seconds=0.05)
    deletes = [replace(DELETE, uid=f"uid-{number}") for number in range(100)]
    applied = await apply(cluster, *deletes, *create(1), pods_seconds=0.02)
    assert applied.is_cut_short
    assert cluster.created == []


@pytest.mark.virtual_time
async def test_jobs_take_turns_at_creating_and_deleting_pods() -> None:
    cluster = SlowCluster(seconds=0.01, deletion_seconds=0.01)
    applier = Applier(cluster=cluster, cache=RunCache(), turns=asyncio.Semaphore(1))
    run = await open_run(cluster)
    async with applier.turns:
        passes = [asyncio.create_task(applier.apply(actions, run)) for actions in (create(2), [DELETE])]
        await asyncio.sleep(0.02)
        assert (cluster.created, cluster.deleted) == ([], [])
    assert await asyncio.gather(*passes) == [Applied()] * 2
    assert (len(cluster.created), cluster.deleted) == (2, ["pod-1"])


@pytest.mark.parametrize(("namespace", "waits"), [("default", True), ("other", False)])
async def test_jobs_of_one_namespace_take_turns_at_being_planned(namespace: str, waits: bool) -> None:
    cluster = SlowCluster()
    applier = Applier(cluster=cluster, cache=RunCache())
    held = applier.planning[namespace] = asyncio.Semaphore(0)
    planned = asyncio.create_task(applier.apply([PlanRun()], await open_run(cluster)))
    await asyncio.wait({planned}, timeout=0.2)
    assert planned.done() is not waits
    held.release()
    await asyncio.wait_for(planned, 5.0)


async def test_what_is_done_in_time_is_not_cut_short() -> None:
    cluster = SlowCluster()
    assert await apply(cluster, *create(50), DELETE) == Applied()
    assert len(cluster.created) == 50


@pytest.mark.parametrize(
    ("action", "shuffle_generation", "waits"),
    [
        (CreatePod(task=M0, ordinal=1, generation=0), None, False),
        (CreatePod(task=M0, ordinal=1, generation=0, more_tasks=(M1,)), None, False),
        (CreatePod(task=M0, ordinal=1, generation=0, more_tasks=(M1, R0), shuffle_generation=0), 0, True),
        (CreatePod(task=R0, ordinal=1, generation=0, more_tasks=(reduce_task(1),), shuffle_generation=2), 2, False),
    ],
    ids=["one", "maps", "a whole job", "reduces"],
)
async def test_a_pod_is_told_its_tasks_and_whether_to_wait(
    action: CreatePod, shuffle_generation: int | None, waits: bool
) -> None:
    cluster = SlowCluster()
    assert await apply(cluster, action) == Applied()
    (request,) = cluster.created
    environment = request.environment
    assert environment.tasks == (action.task, *action.more_tasks)
    assert environment.shuffle_generation == shuffle_generation
    assert bool(environment.shuffle_wait_seconds) is waits


async def test_a_log_is_kept_as_that_of_the_task_its_pod_was_at() -> None:
    cluster = SlowCluster()
    cluster.log_tail = "the end\n"
    run = await open_run(cluster)
    delete = DeletePod(name="pod", uid="u", task=M1, why="failure recorded", sequence=1, save_log=True)
    await Applier(cluster=cluster, cache=RunCache()).apply((delete,), run)
    assert await run.work.get_async(log_key(M1, "u-1")) == b"the end\n"
    assert cluster.deleted == ["pod"]


async def test_what_a_task_that_went_well_has_stored_itself_stays_and_that_of_a_failed_one_is_replaced() -> None:
    cluster = SlowCluster()
    cluster.log_tail = "the end\n"
    run = await open_run(cluster)
    delete = DeletePod(name="pod", uid="u", task=M1, why="committed", sequence=1, save_log=True)
    run.work.put(log_key(M1, "u-1"), b"printed\n")
    await Applier(cluster=cluster, cache=RunCache()).apply((delete,), run)
    assert await run.work.get_async(log_key(M1, "u-1")) == b"printed\n"
    await run.records.create_failure(make_failure(M1, attempt_id="u-1"))
    await Applier(cluster=cluster, cache=RunCache()).apply((delete,), run)
    assert await run.work.get_async(log_key(M1, "u-1")) == b"the end\n"


async def test_a_job_is_deleted_with_and_without_its_store() -> None:
    for has_store in (True, False):
        cluster = SlowCluster()
        run = await open_run(cluster)
        applier = Applier(cluster=cluster, cache=RunCache())
        await (
            applier.apply((DeleteJob(),), run) if has_store else applier.apply_without_store((DeleteJob(),), run.job)
        )
        assert cluster.deleted_jobs == [run.job.key]


class GuardedCluster(SlowCluster):
    """Lets nobody delete a job."""

    async def delete_job(self, job: JobView) -> None:
        raise ActionError("ApiServerUnavailable", f"{job.key}: forbidden", permanent=False)


async def test_a_job_that_may_not_be_deleted_is_a_fault() -> None:
    cluster = GuardedCluster()
    run = await open_run(cluster)
    applier = Applier(cluster=cluster, cache=RunCache())
    with_store = await applier.apply((DeleteJob(),), run)
    without_store = await applier.apply_without_store((DeleteJob(), DELETE), run.job)
    assert [fault.reason for fault in (*with_store.faults, *without_store.faults)] == ["ApiServerUnavailable"] * 2
    assert cluster.deleted == ["pod-1"]


async def test_a_namespace_without_jobs_to_plan_leaves_nothing_behind() -> None:
    applier = Applier(cluster=QuietCluster(), cache=RunCache())
    async with applier.planning_turns("busy"):
        assert applier.planning_turns("busy") is applier.planning_turns("busy")
        for number in range(100):
            async with applier.planning_turns(f"team-{number}"):
                pass
        assert set(applier.planning) == {"busy"}
