"""The cluster half of the cluster suite: a `KubernetesCluster` on a real one, whose tasks are a small script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from podreduce_operator.api.crd import API_VERSION, KIND, load_crd
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster, open_cluster
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pods import PodPhase, PodRequest, PodView
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.pods import make_pod_request

UNTIL_STOPPED = """\
import os, signal, time
signal.signal(signal.SIGUSR1, lambda *_: os._exit(137))
print("ready", flush=True)
time.sleep(60)
"""
DIE = "import os, signal; os.kill(1, signal.SIGUSR1)"
SECONDS = 60.0
T = TypeVar("T")

STORAGE = {"endpoint": "http://minio:9000", "region": "r", "accessKey": "a", "secretKey": "s", "workUri": "s3://work"}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def storage_secret(name: str = "podreduce-storage", **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": STORAGE | values}


def script_template() -> dict[str, Any]:
    """A pod template under which `python -m podreduce` is the script."""
    files = [{"key": "main", "path": "podreduce/__main__.py"}, {"key": "init", "path": "podreduce/__init__.py"}]
    container = {
        "name": "task",
        "env": [{"name": "PYTHONPATH", "value": "/script"}],
        "volumeMounts": [{"name": "script", "mountPath": "/script"}],
    }
    volume = {"name": "script", "configMap": {"name": "script", "items": files}}
    return {"spec": {"containers": [container], "volumes": [volume]}}


def make_manifest(name: str = "wordcount", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": make_raw_spec(**({"podTemplate": script_template()} | spec)),
    }


@dataclass(kw_only=True)
class KubernetesWorld:
    """A cluster with one job in a namespace of its own, and hands to meddle with it."""

    outside: Cluster
    namespace: str
    cluster: KubernetesCluster
    job: JobView
    woken: list[JobKey] = field(default_factory=list)
    gone_jobs: list[JobView] = field(default_factory=list)

    def request(self, task: str = "m-0", *, ordinal: int = 1, run_hash: str = "0123456789", **spec: Any) -> PodRequest:
        return make_pod_request(self.job, task, ordinal=ordinal, run_hash=run_hash, run_uri="s3://nowhere/", **spec)

    async def running(self, request: PodRequest) -> PodView:
        """Create the pod and wait until its container runs and its status says so: the log is there before it."""
        await self.cluster.create_pod(request)
        await eventually(lambda: self.cluster.read_log_tail(self.job, request.name, 1))
        started = {PodPhase.RUNNING, PodPhase.SUCCEEDED, PodPhase.FAILED}
        await self.until_pods(lambda pods: any(it.name == request.name and it.phase in started for it in pods))
        return await self.pod(request.name)

    async def kill(self, pod: PodView) -> None:
        """End the pod's container as signal 9 would: the kernel spares a container's first process its own."""
        await self.kubectl("exec", pod.name, "--container=task", "--", "python", "-S", "-c", DIE, check=False)
        await self.until_pods(lambda pods: any(seen.is_finished for seen in pods))

    async def gone(self, name: str) -> None:
        """Wait until the pod is gone."""
        await self.until_pods(lambda pods: name not in {pod.name for pod in pods})

    async def pod(self, name: str) -> PodView:
        return next(pod for pod in await self.cluster.list_pods(self.job) if pod.name == name)

    async def until_pods(self, condition: Callable[[tuple[PodView, ...]], bool]) -> None:
        async def holds() -> bool:
            return condition(await self.cluster.list_pods(self.job))

        await eventually(holds)

    async def apply(self, *manifests: dict[str, Any]) -> None:
        await asyncio.to_thread(self.outside.apply, *manifests, namespace=self.namespace)

    async def kubectl(self, *arguments: str, check: bool = True) -> str:
        place = ("--namespace", self.namespace)
        return (await asyncio.to_thread(self.outside.kubectl, *place, *arguments, check=check)).stdout


async def eventually(probe: Callable[[], Awaitable[T | None]]) -> T:
    """Wait until the probe returns something true, and return that."""
    async with asyncio.timeout(SECONDS):
        while not (found := await probe()):  # noqa: ASYNC110 - the cluster changes without telling us
            await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def open_kubernetes_world(outside: Cluster, images: Images) -> AsyncIterator[KubernetesWorld]:
    """Apply a job in a new namespace and connect to the cluster as the administrator."""
    namespace = await asyncio.to_thread(outside.namespace, "interface")
    await asyncio.to_thread(outside.apply_crds, load_crd())
    script = config_map("script", main=UNTIL_STOPPED, init="")
    programs = config_map("programs", **{"job.py": "class Job: ..."})
    await asyncio.to_thread(outside.apply, script, programs, storage_secret(), make_manifest(), namespace=namespace)
    async with open_cluster(make_settings(namespace, images), outside.kubeconfig) as cluster:
        job = await cluster.find_job(JobKey(namespace=namespace, name="wordcount"))
        assert job is not None
        world = KubernetesWorld(outside=outside, namespace=namespace, cluster=cluster, job=job)
        watching = asyncio.create_task(cluster.run(world.woken.append, world.gone_jobs.append))
        yield world
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(outside.kubectl, "delete", "namespace", namespace, "--wait=false")


def make_settings(namespace: str, images: Images) -> ClusterSettings:
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
    defaults = PodDefaults(image=images.runtime, resources=resources, grace_seconds=2)
    return ClusterSettings(pod_defaults=defaults, namespaces=(namespace,))
