"""Kueue itself, as its own chart installs it, built from its Go module where somebody has asked for that.

Rule: its webhook sees every pod of the cluster, but it manages only those in namespaces that carry `MANAGED`.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.build import TOOLS, module_directory, pins_digest, program, tool_directory
from tests.cluster.cluster import Cluster
from tests.cluster.image_archive import write_program_archive
from tests.cluster.paths import cache_directory

__all__ = ["GROUP_LABEL", "GROUP_SIZE", "QUEUE", "Kueue", "is_built"]

RELEASE, IMAGE, TAG = "kueue", "localhost/kueue", "test"
API_VERSION = "kueue.x-k8s.io/v1beta2"
GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
GROUP_SIZE = "kueue.x-k8s.io/pod-group-total-count"
"""On a pod: the name of its group, and an annotation with how many pods that has."""

QUEUE = "team"
MANAGED = {"podreduce.dev/tests-kueue": "true"}
CONFIGURATION = {
    "apiVersion": "config.kueue.x-k8s.io/v1beta2",
    "kind": "Configuration",
    "health": {"healthProbeBindAddress": ":8081"},
    "metrics": {"bindAddress": ":8443"},
    "webhook": {"port": 9443},
    "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
    "managedJobsNamespaceSelector": {"matchLabels": MANAGED},
    "integrations": {"frameworks": ["pod"]},
}


def is_built() -> bool:
    """Tell whether this machine has Kueue."""
    return tool_directory(TOOLS["kueue"]).is_dir()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kueue:
    """An installed Kueue."""

    cluster: Cluster
    namespace: str

    @classmethod
    def install(cls, cluster: Cluster) -> "Kueue":
        """Install the chart that lies beside the program's sources, and wait until its webhooks answer."""
        cluster.load_image(archive())
        namespace = cluster.namespace("kueue-system")
        image = {"repository": IMAGE, "tag": TAG, "pullPolicy": "Never"}
        manager = {"image": image, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}
        values = {
            "controllerManager": {"manager": manager},
            "managerConfig": {"controllerManagerConfigYaml": json.dumps(CONFIGURATION)},
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            place = ("--namespace", namespace, "--values", file.name)
            cluster.helm("install", RELEASE, chart(), *place, "--wait", "--timeout=180s")
        return cls(cluster=cluster, namespace=namespace)

    def uninstall(self) -> None:
        """Remove what has finalizers of Kueue's while it is there to lift them, then the release."""
        managed = ",".join(f"{name}={value}" for name, value in MANAGED.items())
        patience = "--timeout=100s"
        self.cluster.kubectl("delete", "namespaces", "--selector", managed, patience, check=False, timeout=110)
        for kind in ("clusterqueues", "resourceflavors"):
            self.cluster.kubectl("delete", f"{kind}.kueue.x-k8s.io", "--all", patience, check=False, timeout=110)
        self.cluster.helm("uninstall", RELEASE, "--namespace", self.namespace, "--wait", check=False)

    def serve(self, namespace: str, cpu: str) -> None:
        """Have a queue of that much CPU, for one namespace alone; a higher priority preempts in it."""
        labels = [f"{name}={value}" for name, value in MANAGED.items()]
        self.cluster.kubectl("label", "namespace", namespace, *labels)
        quota = {"cpu": cpu, "memory": "100Gi"}
        group = {"coveredResources": list(quota), "flavors": [flavor_quota(namespace, quota)]}
        queue = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceGroups": [group],
            "preemption": {"withinClusterQueue": "LowerPriority"},
        }

        self.cluster.apply(
            manifest("ResourceFlavor", namespace),
            manifest("ClusterQueue", namespace, spec=queue),
            manifest("WorkloadPriorityClass", "urgent", value=1000, description="before all others"),
        )
        self.cluster.apply(manifest("LocalQueue", QUEUE, spec={"clusterQueue": namespace}), namespace=namespace)

    def workloads(self, namespace: str) -> dict[str, dict[str, str]]:
        """Return the status of each condition of each workload, by name."""
        return {
            each["metadata"]["name"]: {one["type"]: one["status"] for one in each["status"].get("conditions", ())}
            for each in self.cluster.list("workloads.kueue.x-k8s.io", namespace)
        }


def flavor_quota(name: str, quota: Mapping[str, str]) -> dict[str, Any]:
    """Return how much of each resource of a flavor there is."""
    return {"name": name, "resources": [{"name": kind, "nominalQuota": most} for kind, most in quota.items()]}


def manifest(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return an object of Kueue's."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, **fields}


def archive() -> Path:
    """Return the archive of Kueue's image, made of the built program alone."""
    target = cache_directory() / "images" / f"kueue-{pins_digest(TOOLS['kueue'])}.tar"
    if not target.exists():
        configuration = {"Entrypoint": ["/manager"], "User": "65532:65532"}
        write_program_archive(f"{IMAGE}:{TAG}", {"/manager": program("kueue")}, target, configuration=configuration)
    return target


def chart() -> Path:
    """Return Kueue's own chart, which lies in its Go module."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kueue"]
    found = subprocess.run(
        command, cwd=module_directory(TOOLS["kueue"]), capture_output=True, text=True, check=True
    ).stdout.strip()
    return Path(found) / "charts" / "kueue"
