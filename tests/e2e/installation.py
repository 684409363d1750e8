"""The operator as a platform engineer installs it: by its chart, with the images of this checkout."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.object_store import ClusterMinio
from tests.cluster.paths import CHECKOUT

__all__ = ["Installation", "uninstall_all"]

RELEASE = "podreduce"
CHART = CHECKOUT / "charts" / "podreduce"
BOOLEANS = ("true", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A release of the chart in a namespace of its own."""

    cluster: Cluster
    namespace: str

    @classmethod
    def install(
        cls,
        cluster: Cluster,
        images: Images,
        minio: ClusterMinio,
        work_uri: str,
        more: Mapping[str, str] | None = None,
        *,
        chart: Path = CHART,
    ) -> "Installation":
        """Install a chart, with a storage credential of its own and `more` values, and wait until it is ready."""
        namespace = cluster.namespace("podreduce-system")
        repository, _, tag = images.operator.rpartition(":")
        values = {
            "image.repository": repository,
            "image.tag": tag,
            "runtimeImage": images.runtime,
            "log.level": "debug",
            "storage.endpoint": minio.endpoint,
            "storage.accessKey": minio.access_key,
            "storage.secretKey": minio.secret_key,
            "storage.workUri": work_uri,
            **(more or {}),
        }
        settings = [f"--set{'' if value in BOOLEANS else '-string'}={name}={value}" for name, value in values.items()]
        cluster.helm("install", RELEASE, chart, "--namespace", namespace, *settings, "--wait", "--timeout=120s")
        return cls(cluster=cluster, namespace=namespace)

    def uninstall(self) -> None:
        """Remove the release; the CRD stays, as helm leaves it."""
        self.cluster.helm("uninstall", RELEASE, "--namespace", self.namespace, "--wait", check=False)

    def logs(self, lines: int = 60) -> str:
        """Return the operator's last log lines."""
        return self.cluster.kubectl("logs", *self.place, f"--tail={lines}", check=False).stdout

    def patch_container(self, *, command: Sequence[str] = (), environment: dict[str, str]) -> None:
        """Run the operator's container with another command and more variables."""
        env = [{"name": name, "value": value} for name, value in environment.items()]
        container = {"name": "operator", "command": list(command), "env": env}
        patch = json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}})
        self.cluster.kubectl("patch", *self.place, "--patch", patch)
        self.await_rollout()

    def scale(self, replicas: int) -> None:
        """Have so many operators."""
        self.cluster.kubectl("scale", *self.place, f"--replicas={replicas}")
        self.await_rollout()

    def restore(self) -> None:
        """Take the last patch back."""
        self.cluster.kubectl("rollout", "undo", *self.place)
        self.await_rollout()

    def await_rollout(self) -> None:
        """Return once the patched operator is ready and the one before it is gone."""
        self.cluster.kubectl("rollout", "status", *self.place, "--timeout=120s", timeout=130)
        deployment = self.cluster.get("deployment", RELEASE, self.namespace)
        assert deployment is not None
        self.cluster.wait_for(lambda: len(self.pods()) == deployment["spec"]["replicas"], "the old operator's end")

    def pods(self) -> list[str]:
        """Return the names of the operators' pods, those that are ending included."""
        pods = self.cluster.list("pods", self.namespace, "app.kubernetes.io/component=operator")
        return [pod["metadata"]["name"] for pod in pods]

    def leader(self) -> str:
        """Return the name of the pod that holds the lease; empty if none does."""
        lease = self.cluster.get("lease", RELEASE, self.namespace) or {"spec": {}}
        return str(lease["spec"].get("holderIdentity", "")).partition("_")[0]

    def read_log(self, pod: str) -> list[dict[str, Any]]:
        """Return the lines that one operator has logged."""
        text = self.cluster.log(pod, self.namespace)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def read_file(self, path: str) -> str:
        """Return the contents of a file in the operator's container; empty while there is none."""
        return self.cluster.kubectl("exec", *self.place, "--", "cat", path, check=False).stdout

    @property
    def place(self) -> tuple[str, ...]:
        """How kubectl names the operator."""
        return (f"deployment/{RELEASE}", "--namespace", self.namespace)


def uninstall_all(cluster: Cluster) -> None:
    """Take away the operators of the other tests, because two that serve the whole cluster compete for its jobs.

    In a cluster that somebody named, a release that no test has installed stays, and the test is skipped.
    """
    listed = json.loads(cluster.helm("list", "--all-namespaces", "--output=json").stdout)
    releases = [release for release in listed if release["chart"].startswith("podreduce-")]
    foreign = [release for release in releases if not cluster.has_made(release["namespace"])]
    if foreign and cluster.provider == "named":
        names = ", ".join(f"{release['name']} in the namespace {release['namespace']}" for release in foreign)
        pytest.skip(f"another operator serves this cluster: {names}")
    for release in releases:
        cluster.helm("uninstall", release["name"], "--namespace", release["namespace"], "--wait", check=False)
