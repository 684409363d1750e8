"""What becomes of a decision whose actions fail, or take long."""

import asyncio
import uuid

from podreduce.contract.layout import PLAN_KEY
from podreduce.contract.wire import encode
from podreduce_operator.apply import CONCURRENT_CALLS, PODS_SECONDS, Applied, Applier
from podreduce_operator.cluster.seam import PodRequest
from podreduce_operator.errors import ActionError
from podreduce_operator.model import Action, CreatePod, DeletePod
from podreduce_operator.observe import Run, RunCache
from tests.builders import make_job, make_plan, map_task
from tests.unit.quiet_cluster import QuietCluster

DELETE = DeletePod(name="pod-1", uid="uid-1", task=map_task(1), why="committed")


class SlowCluster(QuietCluster):
    """Takes its time to create a pod, or refuses it."""

    def __init__(self, *, seconds: float = 0.0, refusal: ActionError | None = None) -> None:
        super().__init__(work_uri=f"memory://{uuid.uuid4().hex}/")
        self.seconds = seconds
        self.refusal = refusal

    async def create_pod(self, request: PodRequest) -> None:
        await asyncio.sleep(self.seconds)
        if self.refusal is not None:
            raise self.refusal
        await super().create_pod(request)


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


async def test_what_takes_too_long_is_left_to_the_next_pass() -> None:
    cluster = SlowCluster(seconds=0.05)
    applied = await apply(cluster, *create(50), DELETE, pods_seconds=0.02)
    assert applied.is_cut_short
    assert len(cluster.created) == CONCURRENT_CALLS
    assert cluster.deleted == ["pod-1"]


async def test_what_is_done_in_time_is_not_cut_short() -> None:
    cluster = SlowCluster()
    assert await apply(cluster, *create(50), DELETE) == Applied()
    assert len(cluster.created) == 50
