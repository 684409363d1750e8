"""What the operator asks the API server for, by a server that writes everything down."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce_operator.api.crd import JOBS, SCHEDULES, ResourceNames, job_schema, schema_of
from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.served_api import check_api, find_missing_fields
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.support.builders.jobs import make_job
from tests.support.kubeconfig import make_kubeconfig

PODS = "/api/v1/namespaces/default/pods"


@dataclass
class Recorder:
    """Answers every request with `answer`; keeps method, path and body of each."""

    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"kind": "Status", "status": "Success"})
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append((request.method, request.path, json.loads(body) if body else None))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
def server() -> Recorder:
    return Recorder()


@pytest.fixture
async def cluster(server: Recorder, tmp_path: Path) -> AsyncIterator[KubernetesCluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.respond)
    async with TestServer(app) as listening:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        settings = ClusterSettings(pod_defaults=PodDefaults(image="runtime:1"))
        async with connect(kubeconfig) as api:
            yield KubernetesCluster(api, settings, installation="here", directory=tmp_path)


@pytest.mark.parametrize(
    ("force", "grace"), [(False, {}), (True, {"gracePeriodSeconds": 0})], ids=["with its grace", "forced"]
)
async def test_a_pod_is_deleted_if_it_is_that_one_and_without_grace_if_forced(
    cluster: KubernetesCluster, server: Recorder, force: bool, grace: dict[str, int]
) -> None:
    await cluster.delete_pod(make_job(), "pod-1", "uid-1", force=force)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "uid-1"}, **grace}
    assert server.asked == [("DELETE", f"{PODS}/pod-1", options)]


@pytest.mark.parametrize("status", [404, 409], ids=["it is gone", "it is another"])
async def test_a_pod_that_is_gone_or_another_is_deleted_already(
    cluster: KubernetesCluster, server: Recorder, status: int
) -> None:
    server.status = status
    await cluster.delete_pod(make_job(), "pod-1", "uid-1")
    assert len(server.asked) == 1


async def test_the_log_of_a_pod_is_that_of_its_task_and_none_if_it_cannot_be_read(
    cluster: KubernetesCluster, server: Recorder
) -> None:
    server.status = 400
    assert await cluster.read_log_tail(make_job(), "pod-1", 7) == ""
    assert [path for _, path, _ in server.asked] == [f"{PODS}/pod-1/log"]


def served(schema: Mapping[str, Any], names: ResourceNames = JOBS) -> dict[str, Any]:
    """An API server's OpenAPI document with this schema of a kind."""
    kinds = [{"group": "podreduce.dev", "kind": names.kind, "version": "v1beta1"}]
    return {"components": {"schemas": {"other": {}, "job": {**schema, "x-kubernetes-group-version-kind": kinds}}}}


@pytest.mark.parametrize(
    "place",
    [("spec", "speculation"), ("spec", "backoff", "outOfMemoryFactor"), ("status", "conditions"), ("status",)],
    ids=".".join,
)
@pytest.mark.parametrize("names", [JOBS, SCHEDULES], ids=lambda names: names.plural)
def test_a_field_that_the_served_crd_lacks_is_found(names: ResourceNames, place: tuple[str, ...]) -> None:
    if names is SCHEDULES and place[0] == "spec":
        place = ("spec", "jobTemplate", *place)
    schema: dict[str, Any] = deepcopy(dict(schema_of(names)))
    within = schema
    for name in place[:-1]:
        within = within["properties"][name]
    del within["properties"][place[-1]]
    assert find_missing_fields(served(schema, names), names) == [".".join(place)]


def test_nothing_is_missing_in_a_crd_of_this_release_and_a_newer_one() -> None:
    schema: dict[str, Any] = deepcopy(dict(job_schema()))
    assert find_missing_fields(served(schema), JOBS) == []
    schema["properties"]["spec"]["properties"]["newer"] = {"type": "string"}
    assert find_missing_fields(served(schema), JOBS) == []
    assert find_missing_fields({}, JOBS) == []


async def test_an_older_crd_is_told_at_the_start(
    cluster: KubernetesCluster, server: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    schema: dict[str, Any] = deepcopy(dict(job_schema()))
    del schema["properties"]["status"]["properties"]["postMortem"]
    server.answer = {"resources": [{"name": "mapreducejobs"}], **served(schema)}
    await check_api(cluster.api)
    assert "status.postMortem" in capsys.readouterr().out
    server.answer = {"resources": [{"name": "mapreducejobs"}]}
    await check_api(cluster.api)
    assert [path for _, path, _ in server.asked][:2] == [
        "/apis/podreduce.dev/v1beta1",
        "/openapi/v3/apis/podreduce.dev/v1beta1",
    ]


JOB = "/apis/podreduce.dev/v1beta1/namespaces/default/mapreducejobs/wordcount"


def stored_job(cluster: KubernetesCluster) -> JobView:
    job = make_job()
    metadata = {"name": job.key.name, "namespace": job.key.namespace, "uid": job.uid, "resourceVersion": "7"}
    return cluster.jobs.observe({"metadata": metadata, "spec": dict(job.raw_spec)})


async def test_a_job_is_deleted_if_it_is_as_it_was_read(cluster: KubernetesCluster, server: Recorder) -> None:
    job = stored_job(cluster)
    await cluster.delete_job(job)
    preconditions = {"uid": job.uid, "resourceVersion": "7"}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    assert server.asked == [("DELETE", JOB, options)]


async def test_a_job_that_has_changed_is_read_again_and_not_deleted(
    cluster: KubernetesCluster, server: Recorder
) -> None:
    job = stored_job(cluster)
    server.status = 404
    await cluster.delete_job(replace(job, generation=job.generation + 1))
    assert [method for method, _, _ in server.asked] == ["GET"]
    assert not cluster.jobs.knows(job.key)


@pytest.mark.parametrize(("status", "is_fault"), [(404, False), (403, True), (500, True)])
async def test_a_job_that_cannot_be_deleted_is_a_fault_but_for_one_that_is_gone(
    cluster: KubernetesCluster, server: Recorder, status: int, is_fault: bool
) -> None:
    job = stored_job(cluster)
    server.status = status
    if not is_fault:
        await cluster.delete_job(job)
        return
    with pytest.raises(ActionError, match="cannot be deleted now"):
        await cluster.delete_job(job)


def refuse(server: Recorder, verb: str, resource: str) -> None:
    """Answer everything as the API server does for want of a right."""
    words = f'"a" is forbidden: User "operator" cannot {verb} resource "{resource}" in the namespace "default"'
    server.status, server.answer = 403, {"kind": "Status", "reason": "Forbidden", "message": words}


REFUSED_CALLS: dict[str, tuple[str, str, Callable[[KubernetesCluster, JobView], Awaitable[Any]]]] = {
    "find a job": ("get", "mapreducejobs", lambda cluster, job: cluster.find_job(replace(job.key, name="new"))),
    "write a status": ("update", "mapreducejobs/status", lambda cluster, job: cluster.write_status(job, {"a": "b"})),
    "delete a job": ("delete", "mapreducejobs", lambda cluster, job: cluster.delete_job(job)),
    "find a pod": ("get", "pods", lambda cluster, job: cluster.find_pod(job, "a")),
    "delete a pod": ("delete", "pods", lambda cluster, job: cluster.delete_pod(job, "a", "uid")),
    "read a program": ("get", "configmaps", lambda cluster, job: cluster.read_source(job, "a", "key")),
    "read a Secret": ("get", "secrets", lambda cluster, job: cluster.read_storage(job)),
}


@pytest.mark.parametrize(("verb", "resource", "call"), REFUSED_CALLS.values(), ids=REFUSED_CALLS.keys())
async def test_a_missing_right_is_named_to_the_jobs_author_and_to_the_administrator(
    cluster: KubernetesCluster,
    server: Recorder,
    verb: str,
    resource: str,
    call: Callable[[KubernetesCluster, JobView], Awaitable[Any]],
) -> None:
    job = make_job()
    manifest = {
        "metadata": {"name": job.key.name, "namespace": "default", "uid": job.uid, "resourceVersion": "5"},
        "spec": dict(job.raw_spec),
    }
    view = cluster.jobs.observe(manifest)
    refuse(server, verb, resource)
    with pytest.raises(ActionError, match=f'cannot {verb} resource "{resource}" in the namespace "default"') as refused:
        await call(cluster, view)
    assert refused.value.reason in {"Forbidden", "StorageSecretUnreadable"}
    assert not refused.value.permanent
    assert f"{verb} {resource} in the namespace default" in cluster.missing_rights()


async def test_a_status_that_may_not_be_written_is_told_by_an_event(
    cluster: KubernetesCluster, server: Recorder
) -> None:
    job = make_job()
    manifest = {
        "metadata": {"name": job.key.name, "namespace": "default", "uid": job.uid, "resourceVersion": "5"},
        "spec": dict(job.raw_spec),
    }
    view = cluster.jobs.observe(manifest)
    refuse(server, "update", "mapreducejobs/status")
    with pytest.raises(ActionError):
        await cluster.write_status(view, {"phase": "Planning"})
    ((method, path, event),) = [each for each in server.asked if "/events" in each[1]]
    assert (method, path) == ("POST", "/api/v1/namespaces/default/events")
    assert (event["type"], event["reason"]) == ("Warning", "Forbidden")
    assert 'cannot update resource "mapreducejobs/status"' in event["message"]
