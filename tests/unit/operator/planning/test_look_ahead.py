"""What is said of a run beforehand is what its plan and its policy then do."""

import random
import uuid
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.layout import PLAN_KEY
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.contract.wire import decode
from podreduce.storage import open_store
from podreduce_operator.balance.partition_count import choose_partitions
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pods import Requests
from podreduce_operator.planning.look_ahead import count_pods, look_ahead, read_task_requests
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.policy.pod_packing import MOST_TASKS
from podreduce_operator.runs.output_claim import Claim, claim_output
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.quiet_cluster import QuietCluster

CPU = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}


class World:
    """Objects of drawn sizes, and a job that reads them."""

    def __init__(self, *sizes: int) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = QuietCluster(work_uri=f"{self.place}work/")
        for number, size in enumerate(sizes):
            name = f"in/{number:02}.txt" + (".gz" if number % 3 == 2 else "")
            open_store(self.place).put(name, b"x" * size)

    async def open(self, **spec: Any) -> Run:
        fields = {
            "input": {"uris": [f"{self.place}in/"], "format": "Text", "encodingErrors": "Strict"},
            "output": make_raw_output(uri=f"{self.place}out/"),
        }
        job = make_job(spec={**fields, **spec})
        return RunCache().open(job, job.spec.run_id, await self.cluster.read_storage(job))

    def keys(self) -> list[str]:
        return [found.key for found in open_store(self.place).list("")]


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_told_is_what_the_plan_then_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    world = World(*(chance.choice([0, 1, 7, 100, 1000]) for _ in range(chance.randrange(1, 9))))
    shards, partitions = chance.choice([None, 1, 3, 8]), chance.choice([None, 0, 1, 5])
    run = await world.open(
        map={} if shards is None else {"shards": shards},
        reduce={} if partitions is None else {"partitions": partitions},
    )
    before = world.keys()
    told = await look_ahead(run, parallelism=4, packs=True)
    assert world.keys() == before, "nothing is written"
    await plan_run(run, world.cluster)
    plan = decode(run.work.get(PLAN_KEY), Plan)
    assert (len(told.shard_bytes), told.input_bytes, told.imbalance_bytes) == (
        plan.shards,
        plan.bytes,
        plan.imbalance_bytes,
    )
    assert sum(map(len, told.inputs.values())) == plan.objects
    assert (0 if told.reduces is None else told.reduces.tasks) == (
        choose_partitions(plan.bytes, 4) if plan.partitions is None else plan.partitions
    )
    assert told.reduces is None or told.reduces.is_estimate == (partitions is None)


async def test_what_no_run_could_read_is_refused_in_the_same_words() -> None:
    with pytest.raises(ActionError, match=r"no object there .*: check spec\.input\.uris"):
        await look_ahead(await World().open(), parallelism=1, packs=True)


@pytest.mark.parametrize(
    ("spec", "is_one_pod", "why"),
    [
        ({}, True, None),
        ({"execution": "PerTask"}, False, None),
        ({"speculation": "Always"}, False, "SpeculationAlways"),
        ({"map": {"podTemplate": {"spec": {"nodeName": "a"}}}}, False, "OwnTemplate"),
        ({"map": {"shards": 4}}, False, "SeveralTasksAsked"),
        ({"map": {"shards": 1}, "reduce": {"partitions": 0}}, False, None),
    ],
)
async def test_one_pod_takes_a_small_job(spec: dict[str, Any], *, is_one_pod: bool, why: str | None) -> None:
    run = await World(100).open(**spec)
    told = await look_ahead(run, parallelism=4, packs=True)
    assert told.is_one_pod == is_one_pod
    assert (None if told.several_pods is None else told.several_pods.reason) == why
    local = await look_ahead(run, parallelism=4, packs=False)
    assert (local.is_one_pod, local.several_pods) == (False, None), "a process is cheap"


async def test_what_is_at_the_output_is_counted_without_podreduces_own_objects() -> None:
    world = World(1)
    store = open_store(f"{world.place}out/")
    for key in ("part-0", "_SUCCESS", "_podreduce-staging/x"):
        store.put(key, b"12345")
    run = await world.open()
    found = (await look_ahead(run, parallelism=1, packs=True)).output
    assert (found.objects, found.bytes, found.claim) == (2, 10, None)
    identity = JobIdentity(namespace="team", name="other", uid="u", run_id="7")
    claim = Claim(installation="here", job=identity)
    await claim_output(run.output, claim)
    assert (await look_ahead(run, parallelism=1, packs=True)).output.claim == claim


@pytest.mark.parametrize(
    ("spec", "maps", "reduces"),
    [
        ({}, Requests(), Requests()),
        ({"podTemplate": CPU}, Requests(500, 2**30), Requests(500, 2**30)),
        (
            {"podTemplate": CPU, "reduce": {"podTemplate": {"requests": {"memory": None}}}},
            Requests(500, 2**30),
            Requests(500, 2**31),
        ),
        ({"map": {"podTemplate": {"limits": {"cpu": 3}}}}, Requests(3000, None), Requests()),
    ],
    ids=["nothing", "of the job", "a limit without a request", "of the maps"],
)
def test_requests_are_those_of_the_templates(spec: dict[str, Any], maps: Requests, reduces: Requests) -> None:
    def wrap(template: dict[str, Any]) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": "task", "resources": template}]}}

    written = {
        name: wrap(value) if name == "podTemplate" else {"podTemplate": wrap(value["podTemplate"])}
        for name, value in spec.items()
    }
    found = make_job(spec=written).spec
    assert (read_task_requests(found, "map"), read_task_requests(found, "reduce")) == (maps, reduces)


@given(st.integers(0, 500), st.sampled_from(["Auto", 1, 2, 5]), st.integers(1, 60), st.floats(0, 2**30))
def test_pods_take_all_tasks_and_none_takes_more_than_it_may(
    tasks: int, wanted: Any, parallelism: int, mean_bytes: float
) -> None:
    pods = count_pods(tasks, wanted, parallelism, mean_bytes)
    most = MOST_TASKS if wanted == "Auto" else wanted
    assert -(-tasks // most) <= pods <= tasks
    assert pods >= min(tasks, parallelism), "no slot is idle while tasks wait"
    if wanted == 1:
        assert pods == tasks


@given(st.integers(1, 300), st.integers(1, 30))
def test_larger_tasks_share_fewer_pods(tasks: int, parallelism: int) -> None:
    counts = [count_pods(tasks, "Auto", parallelism, size) for size in (1, 2**20, 2**23, 2**26, 2**30)]
    assert all(before <= after for before, after in pairwise(counts))
