"""Cluster DNS: CoreDNS as a process beside the control plane, behind a `kube-dns` Service without a selector.

Rule: it answers cluster names only; nothing in the cluster can look up, or reach, the world.
"""

from typing import Any

from tests.cluster import certificates, processes
from tests.cluster.build import program
from tests.cluster.network import CONTROL_ADDRESS, CONTROL_NETNS
from tests.cluster.node import DNS_ADDRESS
from tests.cluster.paths import STATE


def start() -> None:
    """Start CoreDNS."""
    configuration = certificates.kubeconfig("coredns", subject="/O=system:masters/CN=coredns")
    corefile = STATE / "Corefile"
    corefile.write_text(
        ".:53 {\n"
        "  errors\n"
        "  kubernetes cluster.local in-addr.arpa {\n"
        f"    kubeconfig {configuration} podreduce\n"
        "  }\n"
        "}\n"
    )
    processes.start("coredns", [program("coredns"), f"-conf={corefile}"], netns=CONTROL_NETNS)


def manifests() -> list[dict[str, Any]]:
    """Return the Service at the address every pod is told, and its endpoint."""
    ports = [{"name": name.lower(), "port": 53, "protocol": name} for name in ("UDP", "TCP")]
    place = {"name": "kube-dns", "namespace": "kube-system"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"clusterIP": DNS_ADDRESS, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": place | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [CONTROL_ADDRESS], "conditions": {"ready": True}}],
            "ports": ports,
        },
    ]
