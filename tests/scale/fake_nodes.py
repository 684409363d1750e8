"""Nodes whose pods only seem to run, by kwok, beside a real control plane.

Rule: only pods that ask for it land on a fake node, and those on no other.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import certificates, control_plane, processes
from tests.cluster.build import program
from tests.cluster.cluster import Cluster
from tests.cluster.network import CONTROL_ADDRESS, CONTROL_NETNS

__all__ = ["TEMPLATE_SPEC", "fake_nodes", "running_time", "runs_for"]

NODES = 20
PORT = 10247
STAGES = Path(__file__).with_name("stages.yaml")
MARK = "kwok.x-k8s.io/node"

TEMPLATE_SPEC: dict[str, Any] = {
    "nodeSelector": {MARK: "fake"},
    "tolerations": [{"key": MARK, "operator": "Exists", "effect": "NoSchedule"}],
}
"""What a pod's spec must hold to be placed on a fake node."""


RUNS_FOR = "scale.podreduce.dev/runs-for"


def runs_for(seconds: float) -> dict[str, str]:
    """Return the annotations of a pod that seems to run for so long."""
    return {RUNS_FOR: f"{seconds:g}s"}


def running_time(pod: Mapping[str, Any]) -> float:
    """Return for how many seconds the pod seems to run."""
    return float(pod["metadata"]["annotations"][RUNS_FOR].removesuffix("s"))


@contextmanager
def fake_nodes(cluster: Cluster) -> Iterator[None]:
    """Have the fake nodes, all ready."""
    cluster.apply(*(fake_node(number) for number in range(NODES)))
    kwok = processes.start("kwok", command(), netns=CONTROL_NETNS)
    try:
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "nodes", "--selector", f"{MARK}=fake")
        yield
    finally:
        processes.stop(kwok)
        cluster.kubectl("delete", "nodes", "--selector", f"{MARK}=fake", check=False)


def command() -> list[str | Path]:
    """Return kwok's command line; it serves as a kubelet does, so that asking it for logs costs what it costs there."""
    serving = certificates.issue("kwok", subject="/O=system:nodes/CN=kwok", addresses=(f"IP:{CONTROL_ADDRESS}",))
    return [
        program("kwok"),
        f"--kubeconfig={control_plane.admin_kubeconfig()}",
        f"--config={STAGES}",
        f"--manage-nodes-with-annotation-selector={MARK}=fake",
        f"--node-ip={CONTROL_ADDRESS}",
        f"--node-port={PORT}",
        f"--server-address=0.0.0.0:{PORT}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--node-lease-duration-seconds=40",
    ]


def fake_node(number: int) -> dict[str, Any]:
    """Return a node that kwok takes for its own."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"fake-{number}",
            "labels": {MARK: "fake", "kubernetes.io/hostname": f"fake-{number}"},
            "annotations": {MARK: "fake"},
        },
        "spec": {"taints": [{"key": MARK, "value": "fake", "effect": "NoSchedule"}]},
    }
