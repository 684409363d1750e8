"""Where a rehearsal plays: a cluster with two nodes, MinIO and the operator on the first, and one job at a time.

Rule: MinIO and operator stay on the first node, whatever happens to the second.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore

from tests.chaos.sorting import MAPS, REDUCES, SOURCE, make_records
from tests.cluster import provider, spare_node
from tests.cluster.cluster import Cluster
from tests.cluster.images import load_project_images, minio_archive, project_archive
from tests.cluster.node import FIRST
from tests.cluster.object_store import ClusterMinio, deploy
from tests.cluster.processes import ClusterError
from tests.e2e.installation import Installation

__all__ = ["CORPUS", "JOB", "OUTPUT", "WORK", "Stage", "deploy_store", "open_stage"]

CORPUS, OUTPUT, WORK = "corpus", "output", "work"
JOB = "sort"
TIMEOUT_SECONDS = 420.0
POLL_SECONDS = 0.2
WORKING_SECONDS = 2.0
DISK = "2Gi"
"""Small enough to be filled, and gone with the pod."""


@dataclass(kw_only=True)
class Stage:
    """What a fault may lay hands on."""

    cluster: Cluster
    installation: Installation
    minio: ClusterMinio
    namespace: str = ""
    started_at: float = 0.0

    def set_up(self, secret: dict[str, Any]) -> None:
        """Make a namespace for the next job, whose storage Secret this is."""
        self.namespace = self.cluster.namespace("chaos", restricted=True)
        self.cluster.apply(secret, namespace=self.namespace)

    def secret(self, endpoint: str | None = None) -> dict[str, Any]:
        """Return the storage Secret, with another endpoint if one is given."""
        manifest = self.minio.secret(f"s3://{WORK}/")
        if endpoint is not None:
            manifest["stringData"]["endpoint"] = endpoint
        return manifest

    def start(self, **spec: Any) -> None:
        """Apply the job."""
        source = SOURCE
        for name in ("slow_attempt", "full_attempt"):
            source = source.replace(f'{name.upper()} = ""', f"{name.upper()} = {spec.pop(name, '')!r}")
        defaults: dict[str, Any] = {
            "program": {"source": source},
            "input": {"uris": [f"s3://{CORPUS}/records/"]},
            "output": {"uri": self.output_uri, "order": "Total"},
            "map": {"shards": MAPS},
            "reduce": {"partitions": REDUCES},
            "parallelism": 8,
            "backoff": {"initialSeconds": 1, "factor": 2, "maxSeconds": 8},
            "podTemplate": {"spec": {"shareProcessNamespace": True}},
            "speculation": "Never",
        }
        manifest = {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReduceJob",
            "metadata": {"name": JOB},
            "spec": {**defaults, **spec},
        }
        self.cluster.apply(manifest, namespace=self.namespace)
        self.started_at = time.monotonic()

    @property
    def output_uri(self) -> str:
        """Where the job's output goes."""
        return f"s3://{OUTPUT}/{self.namespace}/"

    def status(self) -> dict[str, Any]:
        """Return the job's status, or nothing while the API server does not answer."""
        try:
            found = self.cluster.get("mrj", JOB, self.namespace)
        except ClusterError:
            return {}
        status: dict[str, Any] = (found or {}).get("status") or {}
        return status

    def ended(self) -> dict[str, Any] | None:
        """Return the condition that ended the job, if one has."""
        conditions = self.status().get("conditions", [])
        ends = ("Complete", "Failed")
        return next((one for one in conditions if one["type"] in ends and one["status"] == "True"), None)

    def pods(self) -> list[dict[str, Any]]:
        """Return the job's pods."""
        return self.cluster.list("pods", self.namespace, f"podreduce.dev/job={JOB}")

    def running(self, node: str | None = None) -> list[str]:
        """Return the names of the pods that run, on a node if one is given."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods()
            if pod["status"].get("phase") == "Running" and node in (None, pod["spec"].get("nodeName"))
        ]

    def working(self) -> list[str]:
        """Return the names of the pods that have run for a while, and whose tasks are not committed."""
        paths = [found["path"] for page in obstore.list(self.minio.store(WORK)) for found in page]
        begun = datetime.now(UTC) - timedelta(seconds=WORKING_SECONDS)
        found = []
        for pod in self.pods():
            labels = pod["metadata"]["labels"]
            key = f"/commits/{labels['podreduce.dev/task-type'][0]}-{labels['podreduce.dev/task-index']}-"
            statuses = pod["status"].get("containerStatuses", ())
            times = [one["state"].get("running", {}).get("startedAt") for one in statuses]
            has_begun = any(at and datetime.fromisoformat(at) <= begun for at in times)
            if has_begun and not any(f"/{self.namespace}/{JOB}/" in path and key in path for path in paths):
                found.append(pod["metadata"]["name"])
        return found

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        self.cluster.wait_for(condition, what, TIMEOUT_SECONDS)

    def wait_until_half_way(self) -> None:
        """Wait until half of the maps are committed."""
        self.wait(lambda: self.status().get("map", {}).get("succeeded", 0) >= MAPS // 2, "half of the maps")

    def wait_for_end(self) -> float:
        """Wait until the job has ended; return how many seconds it took."""
        while self.ended() is None:
            if time.monotonic() - self.started_at > TIMEOUT_SECONDS:
                story = f"{json.dumps(self.status(), indent=1)}\n{self.installation.logs()}"
                raise ClusterError(f"the job did not end:\n{story}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - self.started_at

    def read_parts(self) -> list[bytes]:
        """Return the published parts in order; none if the output is not complete."""
        store = self.minio.store(OUTPUT, self.namespace)
        names = [found["path"] for page in obstore.list(store) for found in page]
        if "_SUCCESS" not in names:
            return []
        return [bytes(obstore.get(store, name).bytes()) for name in sorted(names) if name.startswith("part-")]

    def count_attempts(self) -> tuple[int, int]:
        """Return how many attempts there were, and how many of them failed, by what the job left in the store."""
        store = self.minio.store(WORK)
        paths = [found["path"] for page in obstore.list(store) for found in page]
        ours = [path for path in paths if f"/{self.namespace}/{JOB}/" in f"/{path}"]
        failures = sum("/failures/" in path for path in ours)
        return sum("/commits/" in path for path in ours) + failures, failures

    def clean(self) -> None:
        """Remove the job's namespace, so that the next one has the machine to itself."""
        self.cluster.kubectl("delete", "namespace", self.namespace, "--wait=true", "--timeout=120s", timeout=130)


def deploy_store(cluster: Cluster) -> ClusterMinio:
    """Start a MinIO with the buckets."""
    minio = deploy(cluster, cluster.namespace("minio"), {"medium": "Memory", "sizeLimit": DISK})
    for bucket in (CORPUS, OUTPUT, WORK):
        minio.make_bucket(bucket)
    return minio


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Bring everything up, and take it away again."""
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster) or chosen.name != "harness":
        raise ClusterError("chaos needs the harness's own cluster: it restarts its API server and kills its nodes")
    cluster = chosen.start()
    try:
        images = load_project_images(cluster)
        minio = deploy_store(cluster)
        for name, data in make_records().items():
            obstore.put(minio.store(CORPUS, "records"), name, data)
        values = {"chaos.enabled": "true", r"nodeSelector.kubernetes\.io/hostname": FIRST.name}
        installation = Installation.install(cluster, images, minio, f"s3://{WORK}/", values)
        spare_node.join([project_archive(images), minio_archive()])
        yield Stage(cluster=cluster, installation=installation, minio=minio)
    finally:
        spare_node.leave()
        cluster.close()
