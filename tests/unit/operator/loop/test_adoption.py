"""Several installations that see the same jobs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from podreduce_operator.loop.reconcile import JobWorker, Reconciler
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.policy.run_state import read_installation
from tests.support.builders.jobs import make_job
from tests.support.quiet_cluster import QuietCluster

INSTALLATIONS = ("first", "second", "third")
KEYS = tuple(JobKey(namespace="default", name=f"job-{number}") for number in range(3))
UNKNOWN_TO_AN_OLD_CRD = "installation"


@dataclass
class Server:
    """The API server: the jobs, and every status write that it took, with who made it."""

    jobs: dict[JobKey, JobView] = field(default_factory=dict)
    writes: list[tuple[JobKey, str]] = field(default_factory=list)
    drops: frozenset[str] = frozenset()


@dataclass(slots=True)
class SharedCluster(QuietCluster):
    """One installation's view of the server; it may be old."""

    server: Server = field(default_factory=Server)
    name: str = ""

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        await asyncio.sleep(0)
        current = self.server.jobs[job.key]
        if current.status != job.status:
            self.jobs[job.key] = current
            return False
        kept = {name: value for name, value in status.items() if name not in self.server.drops}
        self.jobs[job.key] = self.server.jobs[job.key] = replace(current, status=kept)
        self.server.writes.append((job.key, self.name))
        self.asked.append(str(job.key))
        return True


@dataclass
class Installation:
    """An operator of its own, over its view of the server."""

    name: str
    server: Server

    def __post_init__(self) -> None:
        self.cluster = SharedCluster(server=self.server, name=self.name, jobs=dict(self.server.jobs))
        self.reconciler = Reconciler(self.cluster, limits=Limits(), installation=self.name, status_interval_seconds=0.0)
        self.workers = {key: JobWorker() for key in KEYS}

    async def step(self, key: JobKey, *, sees_changes: bool) -> None:
        if sees_changes:
            self.cluster.jobs[key] = self.server.jobs[key]
        await self.reconciler.reconcile(key, self.workers[key])


def make_server(drops: frozenset[str] = frozenset()) -> Server:
    jobs = {key: make_job(name=key.name, uid=f"uid-{key.name}", spec={"suspend": True}) for key in KEYS}
    return Server(jobs=jobs, drops=drops)


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_the_order_a_job_has_one_installation_and_no_other_touches_it(seed: int) -> None:
    random, server = Random(seed), make_server()  # noqa: S311 - not a secret
    installations = [Installation(name, server) for name in INSTALLATIONS]
    for _ in range(60):
        group = random.sample(installations, random.randint(1, len(installations)))
        key = random.choice(KEYS)
        await asyncio.gather(*(one.step(key, sees_changes=random.random() < 0.5) for one in group))
    for key in KEYS:
        owners = {name for written, name in server.writes if written == key}
        assert owners == {read_installation(server.jobs[key].status)}
        assert server.jobs[key].status["runId"] == "1"


async def test_a_new_run_stays_with_its_installation() -> None:
    server = make_server()
    one, key = Installation("first", server), KEYS[0]
    for run_id in ("1", "2"):
        job = server.jobs[key]
        server.jobs[key] = replace(job, spec=replace_run(job, run_id))
        for _ in range(5):
            await one.step(key, sees_changes=True)
            assert read_installation(server.jobs[key].status) == "first"


def replace_run(job: JobView, run_id: str) -> Any:
    return make_job(name=job.key.name, spec={"suspend": True, "runId": run_id}).spec


async def test_a_crd_that_does_not_know_the_field_keeps_no_job_waiting() -> None:
    server = make_server(drops=frozenset({UNKNOWN_TO_AN_OLD_CRD}))
    one, key = Installation("first", server), KEYS[0]
    for _ in range(10):
        await one.step(key, sees_changes=True)
    assert server.jobs[key].status["runId"] == "1"
    assert len(server.writes) < 5


async def test_a_job_of_another_installation_is_told_once_that_it_is_left_alone() -> None:
    server = make_server()
    one, key = Installation("first", server), KEYS[0]
    server.jobs[key] = replace(server.jobs[key], status={"installation": "second"})
    for _ in range(5):
        await one.step(key, sees_changes=True)
    assert one.cluster.events == [("Normal", "LeftAlone")]
    assert server.writes == []
    assert len(one.reconciler.left_alone) == 1
    server.jobs[key] = replace(server.jobs[key], status={"installation": "first"})
    await one.step(key, sees_changes=True)
    assert one.reconciler.left_alone == set()


async def test_nothing_of_a_job_of_another_installation_is_removed() -> None:
    server = make_server()
    one, key = Installation("first", server), KEYS[0]
    job = replace(server.jobs[key], status={"installation": "second"})
    one.cluster.storage_error = None
    await one.reconciler.remove_data(job)
    assert one.cluster.deleted == []
    assert one.reconciler.left_alone == set()
