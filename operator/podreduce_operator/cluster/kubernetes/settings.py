"""The installation's settings for the API server and the task pods."""

from dataclasses import dataclass
from pathlib import Path

from podreduce_operator.api.storage_endpoints import Endpoint
from podreduce_operator.pods.pod_manifest import PodDefaults

__all__ = ["ClusterSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The installation's settings for the API server and the task pods.

    Attributes:
        pod_defaults: defaults for every task's pod.
        namespaces: the served namespaces; empty means all.
        release: the chart's namespace and release. It distinguishes the installations in one cluster.
        installation: replaces the cluster's UID and the release, if kube-system cannot be read.
        progress_url: the URL where tasks report their progress; None means that they do not.
        progress_port: the port where the operator listens for these reports.
        storage_directory: the installation's own storage Secret, mounted. Used to clean up if a job's Secret is gone.
        storage_endpoints: the endpoints that jobs' storage Secrets may name; empty means any.
        pods_per_second: how many pods are created per second at most; fewer if the API server is overloaded.
    """

    pod_defaults: PodDefaults
    namespaces: tuple[str, ...] = ()
    release: str = "podreduce"
    installation: str | None = None
    storage_directory: Path | None = None
    storage_endpoints: tuple[Endpoint, ...] = ()
    pods_per_second: int = 1000
    progress_url: str | None = None
    progress_port: int = 8081
