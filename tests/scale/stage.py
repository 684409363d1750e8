"""Where it is measured: a real control plane with fake nodes, and MinIO, all on this machine."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, connect, core_path
from podreduce_operator.loop.apply import CONCURRENT_PODS
from tests.bench.object_store import choose_directory
from tests.cluster import provider
from tests.cluster.cluster import Cluster
from tests.cluster.minio import MinioServer
from tests.cluster.paths import CHECKOUT
from tests.cluster.processes import ClusterError
from tests.scale.fake_nodes import fake_nodes
from tests.scale.fake_tasks import FakeTasks, Times

__all__ = ["INPUT", "OUTPUT", "WORK", "Stage", "open_stage", "poll"]

INPUT, OUTPUT, WORK = "input", "output", "work"
INPUT_BYTES = 1_000_000
POLL_SECONDS = 0.25
MOST_POLL_SECONDS = 3.0
POLL_SHARE = 0.1
"""Asking takes no more of the time than this: a thousand jobs are megabytes, which the API server would rather not."""

TIMEOUT_SECONDS = 1200.0


@dataclass(kw_only=True)
class Stage:
    """Everything a measurement needs. `namespace` is that of the one under way; `times` are those of its pods."""

    cluster: Cluster
    api: ApiServer
    minio: MinioServer
    logs: Path
    namespace: str = ""
    times: Times = field(default_factory=Times)

    @asynccontextmanager
    async def new_namespace(self) -> AsyncIterator[None]:
        """Have a namespace in which fake tasks commit, and remove all that is left in it."""
        self.namespace = self.cluster.namespace("scale", restricted=False)
        self.cluster.apply(secret(self.minio), namespace=self.namespace)
        work, output = self.minio.store(WORK), self.minio.store(OUTPUT)
        tasks = FakeTasks(self.api, self.namespace, work, output, f"s3://{WORK}/")
        self.times = tasks.times
        watching = asyncio.create_task(tasks.run())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await self.remove_pods()
        if not watching.cancelled():
            watching.result()

    async def remove_pods(self) -> None:
        """Remove the namespace's pods, so that they cost the next measurement nothing."""
        await poll(self.have_gone, "the pods to go")

    async def have_gone(self) -> bool:
        """Delete what pods there are, which may take longer than a request; tell whether there are none."""
        path = core_path("pods", self.namespace)
        if not (await self.api.get(path, {"limit": "1"}))["items"]:
            return True
        await self.api.delete(path, {"gracePeriodSeconds": 0})
        return False

    async def create(self, path: str, manifests: Sequence[Json]) -> None:
        """Create objects, as many at a time as the operator would."""
        todo = iter(manifests)

        async def work() -> None:
            for manifest in todo:
                await self.api.create(path, manifest)

        await asyncio.gather(*(work() for _ in range(CONCURRENT_PODS)))


def secret(minio: MinioServer) -> Mapping[str, Any]:
    """Return the storage Secret of the jobs."""
    values = {
        "endpoint": minio.endpoint,
        "region": minio.region,
        "accessKey": minio.access_key,
        "secretKey": minio.secret_key,
        "workUri": f"s3://{WORK}/",
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "podreduce-storage"}, "stringData": values}


async def poll(condition: Any, what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        asked = time.monotonic()
        try:
            if await condition():
                return
        except ApiError as error:
            if not error.is_passing:
                raise
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {TIMEOUT_SECONDS:.0f} s in vain for {what}")
        took = time.monotonic() - asked
        await asyncio.sleep(min(max(POLL_SECONDS, took / POLL_SHARE), MOST_POLL_SECONDS))


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Bring everything up, and take it away again."""
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster) or chosen.name != "harness":
        raise ClusterError("the measurement needs the harness's own cluster: its nodes are made for it")
    cluster = chosen.start()
    minio = MinioServer.create(choose_directory())
    try:
        minio.make_bucket(OUTPUT)
        minio.make_bucket(WORK)
        obstore.put(minio.store(INPUT), "lines.txt", (b"x" * 99 + b"\n") * (INPUT_BYTES // 100))
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", CHECKOUT / "crds")
        with fake_nodes(cluster), tempfile.TemporaryDirectory(prefix="podreduce-scale-") as logs:
            async with connect(cluster.kubeconfig) as api:
                yield Stage(cluster=cluster, api=api, minio=minio, logs=Path(logs))
    finally:
        minio.close()
        cluster.close()
