"""Schedules on a real API server: each verb of `ScheduleCluster`, and the whole loop with the chart's rights alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.api.crd import API_VERSION, JOBS, PIPELINES, SCHEDULES, load_crd, schema_of
from podreduce_operator.api.times import parse_time, render_time
from podreduce_operator.cluster.kubernetes.api import ApiServer, connect
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.cluster.kubernetes.schedules import KubernetesSchedules, open_schedules
from podreduce_operator.loop.schedule_loop import ScheduleLoop
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL, STEPS_LABEL, build_scheduled
from tests.cluster.cluster import Cluster
from tests.conformance.chart_rights import make_account, make_kubeconfig
from tests.conformance.kubernetes_world import eventually
from tests.support.builders.pipelines import PAGERANK
from tests.support.builders.schedules import read_no_storage
from tests.support.crd_cases import VALID_SPEC

pytestmark = pytest.mark.e2e

MINUTE = 60.0
DAY = {"name": "day", "format": "%Y-%m-%d", "offset": "-1d"}
PIPELINE = {name: value for name, value in PAGERANK.items() if name != "parameters"}
"""It asks for a parameter that the schedule alone gives."""


@dataclass(kw_only=True)
class World:
    """A namespace with a schedule of every minute, and an operator's half without its loop."""

    outside: Cluster
    namespace: str
    api: ApiServer
    jobs: ResourceStore[JobView]
    pipelines: ResourceStore[PipelineView]
    schedules: KubernetesSchedules
    now: float

    @property
    def key(self) -> JobKey:
        return JobKey(namespace=self.namespace, name="minutely")

    async def schedule(self) -> ScheduleView:
        found = await self.schedules.find_schedule(self.key)
        assert found is not None
        return found

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = await asyncio.to_thread(self.outside.kubectl, *arguments, "--namespace", self.namespace, stdin=stdin)
        return done.stdout

    async def job_names(self, kind: str = "mrj") -> list[str]:
        return [name.rpartition("/")[2] for name in (await self.kubectl("get", kind, "--output=name")).split()]

    async def make_pipelines(self) -> ScheduleView:
        """Change the schedule, so that it makes pipelines."""
        patch = {"spec": {"jobTemplate": None, "pipelineTemplate": {"spec": PIPELINE}, "parameters": [DAY]}}
        await self.kubectl("patch", "mrs", "minutely", "--type=merge", "--patch", json.dumps(patch))
        self.schedules.watched.observe(json.loads(await self.kubectl("get", "mrs", "minutely", "--output=json")))
        return await self.schedule()

    async def loop(self) -> ScheduleLoop:
        """A loop at the world's time."""
        return ScheduleLoop(self.schedules, installation="here", clock=lambda: self.now)

    async def end(self, name: str, result: str, kind: str = "mrj") -> None:
        """Write the end of a job or pipeline into its status, as its own loop does, and let its watch show it."""
        condition = {"type": result, "status": "True", "reason": "Tested", "message": ""}
        status = json.dumps({"status": {"runId": "1", "conditions": [condition]}})
        await self.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "--patch", status)
        store = self.jobs if kind == "mrj" else self.pipelines
        store.cache.put(json.loads(await self.kubectl("get", kind, name, "--output=json")))


def make_schedule(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": SCHEDULES.kind,
        "metadata": {"name": "minutely", "namespace": namespace},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": VALID_SPEC}, **spec},
    }


@pytest.fixture
async def world(cluster: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    """The operator has the rights of the chart and no others."""
    kinds = (JOBS, PIPELINES, SCHEDULES)
    await asyncio.to_thread(cluster.apply_crds, *map(load_crd, kinds))
    namespace = await asyncio.to_thread(cluster.namespace, "schedules")
    await asyncio.to_thread(cluster.apply, *make_account(namespace), make_schedule(namespace), namespace=namespace)
    kubeconfig = await asyncio.to_thread(make_kubeconfig, cluster, namespace, tmp_path)
    async with connect(kubeconfig) as api:
        jobs = ResourceStore(JOB_KIND, api, (namespace,), installation="here")
        pipelines = ResourceStore(PIPELINE_KIND, api, (namespace,), installation="here")
        await jobs.take_listing()
        await pipelines.take_listing()
        schedules = open_schedules(api, jobs, pipelines, (namespace,), "here", read_storage=read_no_storage)
        found = World(
            outside=cluster,
            namespace=namespace,
            api=api,
            jobs=jobs,
            pipelines=pipelines,
            schedules=schedules,
            now=0.0,
        )
        found.now = (await found.schedule()).created_at + 2 * MINUTE
        yield found
        assert list(api.missing_rights) == []


async def test_a_job_is_made_once_with_all_that_its_schedule_says(world: World) -> None:
    schedule = await world.schedule()
    manifest = build_scheduled(schedule, world.now // MINUTE * MINUTE)
    for _ in range(2):
        await world.schedules.create_job(schedule, manifest)
    (name,) = await world.job_names()
    job = json.loads(await world.kubectl("get", "mrj", name, "--output=json"))
    assert name == f"minutely-{int(world.now // MINUTE)}"
    assert job["metadata"]["labels"] == {SCHEDULE_LABEL: "minutely"}
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (SCHEDULES.kind, schedule.uid, True)
    assert [each.key.name for each in await world.schedules.list_jobs_of(schedule, current=False)] == [name]


async def test_a_pipeline_is_made_once_with_the_parameters_of_its_time(world: World) -> None:
    schedule = await world.make_pipelines()
    manifest = build_scheduled(schedule, 86400.0)
    for _ in range(2):
        await world.schedules.create_job(schedule, manifest)
    pipeline = json.loads(await world.kubectl("get", "mrp", "minutely-1440", "--output=json"))
    assert pipeline["spec"]["parameters"] == {"day": "1970-01-01"}
    assert pipeline["metadata"]["labels"] == {SCHEDULE_LABEL: "minutely", STEPS_LABEL: schedule.uid}
    (owner,) = pipeline["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (SCHEDULES.kind, schedule.uid, True)
    for current in (False, True):
        (found,) = await world.schedules.list_jobs_of(schedule, current=current)
        assert (found.key.name, found.uid) == ("minutely-1440", pipeline["metadata"]["uid"])
    assert await world.job_names() == []
    await world.schedules.delete_job_of(schedule, "pipeline", "minutely-1440", "another")
    assert await world.job_names("mrp") == ["minutely-1440"]
    for _ in range(2):
        await world.schedules.delete_job_of(schedule, "pipeline", "minutely-1440", pipeline["metadata"]["uid"])
    assert await world.job_names("mrp") == []


async def test_a_wrong_pipeline_is_refused_when_its_schedule_is_applied(world: World) -> None:
    steps = [{**PIPELINE["steps"][0], "inputs": [{"from": "nobody"}]}]
    wrong = {**make_schedule(world.namespace), "metadata": {"name": "wrong", "namespace": world.namespace}}
    wrong["spec"] = {"schedule": "@daily", "pipelineTemplate": {"spec": {**PIPELINE, "steps": steps, "loops": []}}}
    arguments = ("create", "--filename=-", "--namespace", world.namespace)
    done = await asyncio.to_thread(world.outside.kubectl, *arguments, stdin=json.dumps(wrong), check=False)
    assert done.returncode != 0
    assert "spec.pipelineTemplate.spec" in done.stderr


async def test_jobs_that_others_made_meanwhile_are_seen_when_it_counts(world: World) -> None:
    schedule = await world.schedule()
    await world.kubectl("create", "--filename=-", stdin=json.dumps(build_scheduled(schedule, 60.0)))
    another = build_scheduled(schedule, 120.0)
    another["metadata"]["ownerReferences"][0]["uid"] = "another"
    await world.kubectl("create", "--filename=-", stdin=json.dumps(another))
    assert await world.schedules.list_jobs_of(schedule, current=False) == ()
    assert [job.key.name for job in await world.schedules.list_jobs_of(schedule, current=True)] == ["minutely-1"]


@pytest.mark.parametrize("is_rendered", [True, False])
async def test_a_name_that_is_taken_is_done_only_if_the_job_is_for_the_same_time(
    world: World, *, is_rendered: bool
) -> None:
    schedule = await world.schedule()
    manifest = build_scheduled(schedule, 60.0)
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "ownerReferences"}
    if not is_rendered:
        del metadata["labels"]
    await world.kubectl("create", "--filename=-", stdin=json.dumps({**manifest, "metadata": metadata}))
    if is_rendered:
        await world.schedules.create_job(schedule, manifest)
        return
    with pytest.raises(ActionError, match="minutely-1 exists and was not made by this schedule: delete it") as refused:
        await world.schedules.create_job(schedule, manifest)
    assert (refused.value.reason, refused.value.permanent) == ("JobNameTaken", False)


async def test_a_job_that_the_api_server_refuses_is_told_with_its_field(world: World) -> None:
    schedule = await world.schedule()
    manifest = build_scheduled(schedule, 60.0)
    manifest["spec"]["output"] = {"uri": "s3://corpus/books/counts/"}
    with pytest.raises(ActionError, match=r"correct spec\.jobTemplate") as refused:
        await world.schedules.create_job(schedule, manifest)
    assert (refused.value.reason, refused.value.permanent) == ("JobRefused", True)
    assert "the output must not lie inside an input prefix" in str(refused.value)


async def test_a_deletion_takes_the_job_that_was_meant_and_may_be_repeated(world: World) -> None:
    schedule = await world.schedule()
    await world.schedules.create_job(schedule, build_scheduled(schedule, 60.0))
    (job,) = await world.schedules.list_jobs_of(schedule, current=True)
    await world.schedules.delete_job_of(schedule, "job", job.key.name, "another")
    assert await world.job_names() == ["minutely-1"]
    for _ in range(2):
        await world.schedules.delete_job_of(schedule, "job", job.key.name, job.uid)
    assert await world.job_names() == []


async def test_a_status_is_stored_whole_and_never_over_an_unseen_change(world: World) -> None:
    schedule = await world.schedule()
    at = render_time(world.now)
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Scheduled",
        "message": "x" * 1000,
        "observedGeneration": 1,
        "lastTransitionTime": at,
    }
    fields = schema_of(SCHEDULES)["properties"]["status"]["properties"]
    status = {name: at for name, field in fields.items() if field.get("format") == "date-time"} | {
        "observedGeneration": 1,
        "installation": "here",
        "observedSchedule": "* * * * * Etc/UTC",
        "active": ["minutely-1"],
        "conditions": [condition],
    }
    assert status.keys() == fields.keys()
    assert await world.schedules.write_schedule_status(schedule, status)
    stored = json.loads(await world.kubectl("get", "mrs", "minutely", "--output=json"))
    assert stored["status"] == status
    written = await world.schedule()
    patch = ("--type=merge", "--patch", json.dumps({"spec": {"suspend": True}}))
    await world.kubectl("patch", "mrs", "minutely", *patch)
    assert not await world.schedules.write_schedule_status(written, {})
    assert (await world.schedule()).spec.suspend
    await world.kubectl("delete", "mrs", "minutely")
    assert not await world.schedules.write_schedule_status(await world.schedule(), {})
    assert await world.schedules.find_schedule(world.key) is None


async def test_a_loop_of_pipelines_waits_for_a_job_of_before_and_prunes_both(world: World) -> None:
    loop = await world.loop()

    async def find(kind: str, count: int) -> list[str]:
        names = await world.job_names(kind)
        return names if len(names) == count else []

    loop.wake(world.key)
    (job,) = await eventually(lambda: find("mrj", 1))
    await world.make_pipelines()
    patch = {"spec": {"successfulJobsHistoryLimit": 1}}
    await world.kubectl("patch", "mrs", "minutely", "--type=merge", "--patch", json.dumps(patch))
    world.schedules.watched.observe(json.loads(await world.kubectl("get", "mrs", "minutely", "--output=json")))
    world.now += MINUTE
    loop.wake(world.key)
    await asyncio.sleep(1.0)
    assert await world.job_names("mrp") == []
    await world.end(job, "Complete")
    loop.wake(world.key)
    (pipeline,) = await eventually(lambda: find("mrp", 1))
    await world.end(pipeline, "Complete", "mrp")
    loop.wake(world.key)

    async def is_pruned() -> bool:
        return await world.job_names() == []

    await eventually(is_pruned)
    assert await world.job_names("mrp") == [pipeline]
    await loop.close()


async def test_the_whole_loop_needs_the_rights_of_the_chart_and_writes_no_schedule(world: World) -> None:
    patch = {"spec": {"successfulJobsHistoryLimit": 1, "concurrencyPolicy": "Forbid"}}
    await world.kubectl("patch", "mrs", "minutely", "--type=merge", "--patch", json.dumps(patch))
    before = json.loads(await world.kubectl("get", "mrs", "minutely", "--output=json"))
    world.schedules.watched.observe(before)
    made: list[str] = []
    loop = await world.loop()

    async def find_new() -> list[str]:
        return [name for name in await world.job_names() if name not in made]

    async def is_pruned() -> bool:
        return made[0] not in await world.job_names()

    for _ in range(3):
        loop.wake(world.key)
        made += await eventually(find_new)
        await world.end(made[-1], "Complete")
        world.now += MINUTE
    loop.wake(world.key)
    await eventually(is_pruned)
    await loop.close()
    after = json.loads(await world.kubectl("get", "mrs", "minutely", "--output=json"))
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert "finalizers" not in after["metadata"]
    assert "annotations" not in after["metadata"]
    events = json.loads(await world.kubectl("get", "events", "--output=json"))["items"]
    assert {event["reason"] for event in events if event["involvedObject"]["kind"] == SCHEDULES.kind} == {"JobStarted"}
    shown = (await world.kubectl("get", "mrs")).split("\n")
    assert shown[0].split() == ["NAME", "SCHEDULE", "ZONE", "LAST", "SUCCESS", "NEXT", "STATE", "AGE"]
    assert "Scheduled" in shown[1]
    succeeded = parse_time(after["status"]["lastSuccessfulTime"])
    assert succeeded is not None
    assert f"minutely-{int(succeeded // MINUTE)}" in made
