"""What the cluster reports as it happens."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce.contract.environment import StorageSettings
from podreduce.storage import Answer, Operation
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.refusals import CREATION_REFUSALS, FORBIDDEN_WORDS
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.cluster.kubernetes.telemetry import ClusterTelemetry
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pods import PodRequest
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.support.builders.jobs import make_job
from tests.support.builders.pods import make_pod_request
from tests.support.kubeconfig import make_kubeconfig

SECRET = {"endpoint": "http://s3:9000", "region": "r", "accessKey": "a", "secretKey": "s", "workUri": "s3://work/x"}
TAKEN = {"kind": "Status", "reason": "AlreadyExists", "message": "it exists"}


@dataclass
class World:
    """An API server that has the storage Secret and creates pods, unless a test says otherwise; and what was heard."""

    refusal: tuple[int, dict[str, Any]] | None = None
    seconds: float = 0.0
    creations: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    requests: list[tuple[Operation, Answer]] = field(default_factory=list)

    async def respond(self, request: web.Request) -> web.Response:
        if "/secrets/" in request.path:
            data = {key: base64.b64encode(value.encode()).decode() for key, value in SECRET.items()}
            return web.json_response({"data": data})
        if request.method == "GET":
            return web.json_response({"metadata": {}})
        self.seconds += 0.25
        if self.refusal is not None:
            status, body = self.refusal
            return web.json_response(body, status=status)
        pod = json.loads(await request.read())
        pod["metadata"] |= {"uid": "uid-1", "resourceVersion": "7", "namespace": "default"}
        return web.json_response(pod, status=201)

    def telemetry(self) -> ClusterTelemetry:
        return ClusterTelemetry(
            on_creation=self.creations.append,
            on_refusal=self.refusals.append,
            on_request=lambda operation, answer, _seconds: self.requests.append((operation, answer)),
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def cluster(world: World, tmp_path: Path) -> AsyncIterator[KubernetesCluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", world.respond)
    async with TestServer(app) as listening:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        storage = tmp_path / "storage"
        storage.mkdir()
        for key, value in SECRET.items():
            (storage / key).write_text(value)
        settings = ClusterSettings(pod_defaults=PodDefaults(image="runtime:1"), storage_directory=storage)
        async with connect(kubeconfig) as api:
            yield KubernetesCluster(
                api,
                settings,
                installation="here",
                directory=tmp_path,
                telemetry=world.telemetry(),
                clock=lambda: world.seconds,
            )


def request_pod() -> PodRequest:
    return make_pod_request(make_job(), run_uri="s3://work/x/")


async def test_a_pod_that_is_created_is_reported_with_the_time_of_its_request(
    cluster: KubernetesCluster, world: World
) -> None:
    await cluster.create_pod(request_pod())
    assert (world.creations, world.refusals) == ([0.25], [])
    assert cluster.pending_pods() == {"Scheduling": 1}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, {"message": "exceeded quota: pods=1"}, "QuotaExceeded"),
        (422, {"message": "spec.containers is invalid"}, "PodRejected"),
        (500, {"message": "etcd is away"}, "ApiServerUnavailable"),
        (409, TAKEN, "PodNameTaken"),
    ],
    ids=["quota", "invalid", "away", "name is taken"],
)
async def test_a_pod_that_is_not_created_is_reported_with_the_reason(
    cluster: KubernetesCluster, world: World, status: int, body: dict[str, Any], reason: str
) -> None:
    world.refusal = status, body
    with pytest.raises(ActionError):
        await cluster.create_pod(request_pod())
    assert (world.creations, world.refusals) == ([], [reason])


async def test_every_store_of_the_cluster_tells_of_its_requests(cluster: KubernetesCluster, world: World) -> None:
    own = cluster.own_storage()
    assert own is not None
    for storage in (own, await cluster.read_storage(make_job())):
        storage.on_request(Operation.READ, Answer.OK, 0.1)
    assert world.requests == [(Operation.READ, Answer.OK)] * 2


def test_all_reasons_of_refusals_are_listed() -> None:
    assert {reason for _, reason, _ in FORBIDDEN_WORDS} < CREATION_REFUSALS


def test_a_store_that_is_opened_tells_of_its_requests(world: World) -> None:
    storage = JobStorage(
        work_uri=f"memory://{uuid4().hex}/",
        installation="here",
        settings=StorageSettings(),
        on_request=world.telemetry().on_request,
    )
    storage.open(storage.work_uri).put("a", b"")
    assert world.requests == [(Operation.WRITE, Answer.OK)]
