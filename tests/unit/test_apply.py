import uuid

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import PLAN_KEY, log_key
from podreduce.contract.wire import encode
from podreduce_operator.apply import Applier
from podreduce_operator.cluster.seam import JobStorage
from podreduce_operator.model import CreatePod, DeletePod
from podreduce_operator.observe import Run, RunCache
from tests.builders import make_job, make_plan, map_task, reduce_task
from tests.unit.quiet_cluster import QuietCluster

M0, M1, R0 = map_task(0), map_task(1), reduce_task(0)


@pytest.fixture
async def run() -> Run:
    """A planned run in a memory store."""
    storage = JobStorage(work_uri=f"memory://{uuid.uuid4().hex}/", installation="local", settings=StorageSettings())
    run = RunCache().open(make_job(), "1", storage)
    run.work.put(PLAN_KEY, encode(make_plan()))
    await run.records.refresh()
    return run


@pytest.fixture
def cluster() -> QuietCluster:
    return QuietCluster(log_tail="the end\n")


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
    run: Run, cluster: QuietCluster, action: CreatePod, shuffle_generation: int | None, waits: bool
) -> None:
    assert await Applier(cluster=cluster, cache=RunCache()).apply((action,), run) == ()
    (request,) = cluster.created
    environment = request.environment
    assert environment.tasks == (action.task, *action.more_tasks)
    assert environment.shuffle_generation == shuffle_generation
    assert bool(environment.shuffle_wait_seconds) is waits


async def test_a_log_is_kept_as_that_of_the_task_its_pod_was_at(run: Run, cluster: QuietCluster) -> None:
    delete = DeletePod(name="pod", uid="u", task=M1, why="failure recorded", sequence=1, save_log=True)
    await Applier(cluster=cluster, cache=RunCache()).apply((delete,), run)
    assert await run.work.get_async(log_key(M1, "u-1")) == b"the end\n"
    assert cluster.deleted == ["pod"]
