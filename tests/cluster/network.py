"""The cluster's network: a bridge on the host, and a network namespace for the control plane and for each node.

Rule: everything lies behind one bridge with addresses of a documentation range (RFC 5737), so removing the bridge and
the namespaces removes every address and route again. The host reaches pods and services by routes through the nodes.
"""

import ipaddress
import json
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.processes import ClusterError

BRIDGE = "podreduce0"
HOST_ADDRESS = "198.51.100.1"
CONTROL_ADDRESS = "198.51.100.2"
CONTROL_NETNS = "podreduce-control"
NODE_SUBNET = "198.51.100.0/24"
SERVICE_SUBNET = "10.96.0.0/16"
CLUSTER_SUBNET = "10.244.0.0/16"


def create_bridge() -> None:
    """Create the host's bridge, unless the host already uses one of the ranges for something else."""
    if succeeds(["ip", "link", "show", BRIDGE]):
        return
    _refuse_taken_ranges()
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "addr", "add", f"{HOST_ADDRESS}/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def create_netns(name: str, address: str) -> None:
    """Create a network namespace with one address on the bridge. Interface names have at most 15 characters."""
    if name in namespaces():
        return
    outside = host_interface(address)
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name])
    run(["ip", "link", "set", outside, "master", BRIDGE, "up"])
    run(["ip", "-n", name, "link", "set", "lo", "up"])
    run(["ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0"])
    run(["ip", "-n", name, "link", "set", "eth0", "up"])
    run(["ip", "-n", name, "route", "replace", "default", "via", HOST_ADDRESS])
    run(["nsenter", f"--net=/run/netns/{name}", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])


def route(subnet: str, *, via: str, netns: str | None = None) -> None:
    """Send a range to a node, from a namespace or (without one) from the host."""
    place = ["-n", netns] if netns else []
    run(["ip", *place, "route", "replace", subnet, "via", via])


def host_interface(address: str) -> str:
    """Name the host's end of an address's cable; taking it down cuts the node off."""
    return f"podreduce-{address.rpartition('.')[2]}"


def namespaces() -> list[str]:
    """Name the cluster's network namespaces that exist."""
    return sorted(path.name for path in Path("/run/netns").glob("podreduce-*"))


def processes() -> list[int]:
    """Return the ids of the processes in the cluster's namespaces, whether their records were written or not."""
    return [int(pid) for name in namespaces() for pid in run(["ip", "netns", "pids", name]).split()]


def links() -> list[str]:
    """Name the cluster's network interfaces on the host that exist."""
    names = [link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show"]))]
    return [name for name in names if name == BRIDGE or name.startswith("podreduce-")]


def remove() -> None:
    """Remove the namespaces and the bridge, and with them every address, cable and route of the cluster."""
    for name in namespaces():
        run(["ip", "netns", "delete", name])
    for link in links():
        succeeds(["ip", "link", "delete", link])  # deleting a namespace takes its cables away, a little later


def _refuse_taken_ranges() -> None:
    ours = [ipaddress.ip_network(subnet) for subnet in (NODE_SUBNET, SERVICE_SUBNET, CLUSTER_SUBNET)]
    for entry in json.loads(run(["ip", "-json", "route", "show"]) or "[]"):
        if entry["dst"] == "default":
            continue
        taken = ipaddress.ip_network(entry["dst"])
        if any(taken.overlaps(subnet) for subnet in ours):
            raise ClusterError(
                f"the host routes {taken} already: the test cluster needs {NODE_SUBNET}, "
                f"{SERVICE_SUBNET} and {CLUSTER_SUBNET}; use PODREDUCE_TEST_KUBECONFIG"
            )
