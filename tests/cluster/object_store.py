"""A MinIO inside the cluster, for tests that run jobs there.

Rule: its data lie in an emptyDir, which lives as long as the pod: the server's process may crash and come back with
everything it had, as a real object store would.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import obstore.store

from tests.cluster.buckets import Buckets
from tests.cluster.cluster import Cluster
from tests.cluster.images import MINIO_IMAGE, minio_archive
from tests.cluster.minio import answers

PORT = 9000
ACCESS_KEY = "podreduce-tests"
SECRET_KEY = "podreduce-tests-secret"  # noqa: S105 - of a store that lives as long as its test
LABELS = {"app": "minio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMinio:
    """A MinIO that runs in a namespace. `endpoint` is for pods, `outside` for the tests."""

    cluster: Cluster
    namespace: str
    outside: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = "us-east-1"

    @property
    def endpoint(self) -> str:
        """The address for pods."""
        return f"http://minio.{self.namespace}.svc:{PORT}"

    @property
    def buckets(self) -> Buckets:
        """The same store as seen from the tests."""
        return Buckets(endpoint=self.outside, access_key=self.access_key, secret_key=self.secret_key)

    def make_bucket(self, name: str) -> str:
        """Create a bucket, or find it there, and return its name."""
        return self.buckets.make_bucket(name)

    def store(self, bucket: str, prefix: str | None = None) -> obstore.store.S3Store:
        """Return an obstore store over a bucket, usable from the tests."""
        return self.buckets.store(bucket, prefix)

    def restart(self) -> None:
        """Crash the server and return once the kubelet has restarted it; pod and data stay."""
        before = self._restarts()
        self.cluster.kubectl("exec", "--namespace", self.namespace, "deployment/minio", "--", "/crash", check=False)
        self.cluster.wait_for(lambda: self._restarts() > before, "the restart of MinIO's container")
        self.await_ready()

    def await_ready(self) -> None:
        """Return once the Service has an endpoint and the server answers the tests."""
        condition = "--for=condition=Available"
        place = ("--namespace", self.namespace)
        self.cluster.kubectl("wait", condition, *place, "deployment/minio", "--timeout=60s", timeout=70)
        ready = f"{self.outside}/minio/health/ready"
        self.cluster.wait_for(lambda: answers(ready), f"an answer at {ready}")

    def secret(self, work_uri: str, name: str = "podreduce-storage") -> dict[str, Any]:
        """Return the Secret that a job's namespace needs to use this store."""
        values = {
            "endpoint": self.endpoint,
            "region": self.region,
            "accessKey": self.access_key,
            "secretKey": self.secret_key,
            "workUri": work_uri,
        }
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}

    def _restarts(self) -> int:
        statuses = [
            status
            for pod in self.cluster.list("pods", self.namespace, "app=minio")
            for status in pod["status"].get("containerStatuses", [])
        ]
        return sum(status["restartCount"] for status in statuses)


def deploy(cluster: Cluster, namespace: str, data: Mapping[str, Any] | None = None) -> ClusterMinio:
    """Run a MinIO in a namespace and wait until pods and tests can use it; `data` is the emptyDir of its data."""
    cluster.load_image(minio_archive())
    cluster.apply(*manifests(data or {}), namespace=namespace)
    place = ("--namespace", namespace)
    cluster.kubectl("rollout", "status", "deployment/minio", *place, "--timeout=90s", timeout=100)
    minio = ClusterMinio(
        cluster=cluster, namespace=namespace, outside=f"http://{cluster.reach(namespace, 'minio', PORT)}"
    )
    minio.await_ready()
    return minio


def manifests(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the Deployment and the Service, fit for `restricted` pod security."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "minio", "labels": LABELS},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": _pod(data)},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "minio", "labels": LABELS},
            "spec": {"selector": LABELS, "ports": [{"port": PORT, "targetPort": PORT}]},
        },
    ]


def _pod(data: Mapping[str, Any]) -> dict[str, Any]:
    places = {"data": data, "tmp": {}}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(tuple(places))],
        "volumes": [{"name": place, "emptyDir": kind} for place, kind in places.items()],
    }


def _container(places: tuple[str, ...]) -> dict[str, Any]:
    credentials = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY}
    settings = credentials | {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
    return {
        "name": "minio",
        "image": MINIO_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["server", "--quiet", "--certs-dir=/tmp/certs", f"--address=:{PORT}", "/data"],
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/minio/health/ready", "port": PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": place, "mountPath": f"/{place}"} for place in places],
    }
