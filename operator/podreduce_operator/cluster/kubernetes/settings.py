"""What an installation sets of its dealings with Kubernetes."""

from dataclasses import dataclass
from pathlib import Path

from podreduce_operator.pods.pod_manifest import PodDefaults

__all__ = ["ClusterSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The settings of the operator's side that faces the API server and the task pods.

    Attributes:
        pod_defaults: of every task's pod.
        namespaces: which are served; empty means all.
        release: tells the installations in one cluster apart: the chart's namespace and release.
        installation: stands for the cluster's UID and the release, where kube-system may not be read.
        progress_url: where tasks report their progress, as they reach it; None: they do not. `progress_port`: where
            the operator listens for it.
        storage_directory: the installation's own storage Secret, mounted; cleans up where a job's is gone.
        pods_per_second: how many pods are created in a second at most; fewer where the API server is asked too much.
    """

    pod_defaults: PodDefaults
    namespaces: tuple[str, ...] = ()
    release: str = "podreduce"
    installation: str | None = None
    storage_directory: Path | None = None
    pods_per_second: int = 1000
    progress_url: str | None = None
    progress_port: int = 8081
