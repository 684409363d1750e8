"""Pipelines on a real API server: each verb of `PipelineCluster`, with the chart's rights alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podreduce.contract.plan import JobIdentity
from podreduce_operator.api.crd import API_VERSION, GROUP, JOBS, PIPELINES, load_crd
from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.pipelines import KubernetesPipelines, open_pipelines
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.pipelines.first_jobs import build_first_jobs
from podreduce_operator.pipelines.job_of_step import PIPELINE_LABEL, STEP_LABEL, PinnedRun
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.cluster.cluster import Cluster
from tests.conformance.chart_rights import make_account, make_kubeconfig
from tests.support.builders.pipelines import PAGERANK

pytestmark = pytest.mark.e2e

NAME = "pagerank"


@dataclass(kw_only=True)
class World:
    """A namespace with a pipeline, and an operator's half without its loop."""

    outside: Cluster
    namespace: str
    cluster: KubernetesCluster
    pipelines: KubernetesPipelines

    async def pipeline(self) -> PipelineView:
        found = await self.pipelines.find_pipeline(JobKey(namespace=self.namespace, name=NAME))
        assert found is not None
        return found

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = await asyncio.to_thread(self.outside.kubectl, *arguments, "--namespace", self.namespace, stdin=stdin)
        return done.stdout

    async def read(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.kubectl("get", *arguments, "--output=json"))
        return found

    async def end(self, kind: str, name: str, result: str) -> None:
        """Write the end of a job or pipeline into its status, as its own loop does."""
        condition = {"type": result, "status": "True", "reason": "Tested", "message": ""}
        status = json.dumps({"status": {"runId": "1", "conditions": [condition]}})
        await self.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "--patch", status)

    async def jobs(self) -> dict[str, dict[str, Any]]:
        """The first job of each step."""
        return build_first_jobs(await self.pipeline(), PinnedRun(run_hash="0123456789"), "s3://work/data/")

    async def job_names(self) -> list[str]:
        return (await self.kubectl("get", "mrj", "--output=name")).replace(f"mapreducejob.{GROUP}/", "").split()


@pytest.fixture
async def world(cluster: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    """The operator has the rights of the chart and no others."""
    kinds = (JOBS, PIPELINES)
    await asyncio.to_thread(cluster.apply_crds, *map(load_crd, kinds))
    namespace = await asyncio.to_thread(cluster.namespace, "pipelines")
    manifest = {"apiVersion": API_VERSION, "kind": PIPELINES.kind, "metadata": {"name": NAME}, "spec": PAGERANK}
    await asyncio.to_thread(cluster.apply, *make_account(namespace), manifest, namespace=namespace)
    kubeconfig = await asyncio.to_thread(make_kubeconfig, cluster, namespace, tmp_path)
    async with connect(kubeconfig) as api:
        settings = ClusterSettings(pod_defaults=PodDefaults(image="runtime:1"), namespaces=(namespace,))
        inside = KubernetesCluster(api, settings, installation="here", directory=tmp_path)
        await inside.jobs.store.take_listing()
        pipelines = open_pipelines(inside, (namespace,))
        yield World(outside=cluster, namespace=namespace, cluster=inside, pipelines=pipelines)
        assert list(api.missing_rights) == []


async def test_each_step_is_checked_and_nothing_is_made(world: World) -> None:
    pipeline = await world.pipeline()
    for manifest in (await world.jobs()).values():
        checked = await world.pipelines.check_job(pipeline, manifest)
        assert checked["spec"]["backoffLimitPerTask"] >= 0, "the API server has filled the defaults in"
    assert await world.job_names() == []


async def test_a_step_that_the_api_server_refuses_is_told_with_its_field(world: World) -> None:
    pipeline, manifest = await world.pipeline(), (await world.jobs())["top"]
    manifest["spec"]["inputs"][0]["uris"] = ["/not/in/a/bucket/"]
    with pytest.raises(ActionError, match="correct the step") as refused:
        await world.pipelines.check_job(pipeline, manifest)
    assert (refused.value.reason, refused.value.permanent) == ("JobRefused", True)


async def test_a_job_is_made_once_and_only_two_fields_of_it_change(world: World) -> None:
    pipeline, manifest = await world.pipeline(), (await world.jobs())["seed"]
    for _ in range(2):
        await world.pipelines.create_step(pipeline, manifest)
    (name,) = await world.job_names()
    before = await world.read("mrj", name)
    assert before["metadata"]["labels"] | {PIPELINE_LABEL: NAME, STEP_LABEL: "seed"} == before["metadata"]["labels"]
    (job,) = await world.pipelines.list_steps_of(pipeline)
    await world.pipelines.change_step(pipeline, name, job.uid, {"parallelism": 3})
    await world.pipelines.change_step(pipeline, name, job.uid, {"suspend": True})
    await world.pipelines.change_step(pipeline, name, "another", {"parallelism": 1})
    after = await world.read("mrj", name)
    assert after["spec"] == {**before["spec"], "parallelism": 3, "suspend": True}
    (job,) = await world.pipelines.list_steps_of(pipeline)
    assert (job.spec.parallelism, job.spec.suspend) == (3, True)
    await world.pipelines.delete_step(pipeline, name, "another")
    assert await world.job_names() == [name]
    for _ in range(2):
        await world.pipelines.delete_step(pipeline, name, job.uid)
    assert await world.job_names() == []
    await world.pipelines.change_step(pipeline, name, job.uid, {"parallelism": 1})


async def test_a_name_that_somebody_else_has_taken_is_told(world: World) -> None:
    pipeline, manifest = await world.pipeline(), (await world.jobs())["seed"]
    foreign = {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}
    await world.kubectl("create", "--filename=-", stdin=json.dumps(foreign))
    with pytest.raises(ActionError, match="was not made by this pipeline: delete it") as refused:
        await world.pipelines.create_step(pipeline, manifest)
    assert (refused.value.reason, refused.value.permanent) == ("JobNameTaken", False)


async def test_a_status_is_stored_whole_and_the_pipeline_is_not_touched(world: World) -> None:
    pipeline = await world.pipeline()
    before = await world.read("mrp", NAME)
    status = {
        "observedGeneration": 1,
        "runId": "1",
        "installation": "here",
        "phase": "Running",
        "progress": "1/4",
        "loop": "rank 2/30",
        "criticalPath": {"seconds": 12, "steps": ["spread", "sum"]},
        "steps": [{"name": "seed", "state": "Reused", "seconds": 1, "records": 2, "bytes": 3, "run": "0"}],
        "loops": [
            {
                "name": "rank",
                "state": "Running",
                "iteration": 2,
                "maxIterations": 30,
                "recent": [{"iteration": 2, "values": ["12"], "seconds": 1.5}],
            }
        ],
        "conditions": [],
    }
    assert await world.pipelines.write_pipeline_status(pipeline, status)
    after = await world.read("mrp", NAME)
    assert after["status"] == status
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert not await world.pipelines.write_pipeline_status(pipeline, {}), "the pipeline has changed since it was read"
    shown = (await world.kubectl("get", "mrp")).split("\n")
    assert shown[0].split() == ["NAME", "PHASE", "STEPS", "LOOP", "AGE"]
    assert shown[1].split()[:5] == [NAME, "Running", "1/4", "rank", "2/30"]


async def test_a_run_is_over_when_it_has_ended_and_none_of_its_jobs_may_write(world: World) -> None:
    pipeline, manifest = await world.pipeline(), (await world.jobs())["seed"]
    tonight = replace(pipeline, key=replace(pipeline.key, name="tonight"), uid="tonight")
    earlier = JobIdentity(namespace=world.namespace, name=NAME, uid=pipeline.uid, run_id="1")
    assert not await world.pipelines.is_over(tonight, earlier), "it has not begun"
    await world.pipelines.create_step(pipeline, manifest)
    (name,) = await world.job_names()
    await world.end("mrp", NAME, "Complete")
    world.pipelines.watched.observe(await world.read("mrp", NAME))
    assert not await world.pipelines.is_over(tonight, earlier), "a job of it may still write"
    gone = msgspec.structs.replace(earlier, uid="another")
    assert await world.pipelines.is_over(tonight, gone), "it is gone, and made no job that is there"
    await world.end("mrj", name, "Failed")
    assert await world.pipelines.is_over(tonight, earlier)
