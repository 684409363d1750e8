"""A second node that comes and goes: joins the harness's cluster, is cut off or killed, and leaves nothing.

Rule: only who asks for it has it; the cluster that all tests share is whole without it.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster import cgroups, harness, network, processes
from tests.cluster.commands import run, succeeds
from tests.cluster.node import FIRST, Node, import_image, start_containerd, start_kubelet
from tests.cluster.pause import pause_archive

__all__ = ["SPARE", "cut_off", "join", "kill", "leave", "reconnect"]

SPARE = Node(name="node-2", address="198.51.100.12", pod_subnet="10.244.1.0/24")


def join(archives: list[Path]) -> None:
    """Start the node with these images, and return once it is ready."""
    start_containerd(SPARE)
    network.route(SPARE.pod_subnet, via=SPARE.address, netns=FIRST.netns)
    network.route(FIRST.pod_subnet, via=FIRST.address, netns=SPARE.netns)
    with ThreadPoolExecutor() as pool:
        for imported in [pool.submit(import_image, SPARE, archive) for archive in (pause_archive(), *archives)]:
            imported.result()
    start_kubelet(SPARE)
    harness.kubectl("wait", "--for=condition=Ready", "--timeout=90s", f"node/{SPARE.name}")


def cut_off() -> None:
    """Pull the node's cable: everything on it runs on."""
    run(["ip", "link", "set", network.host_interface(SPARE.address), "down"])


def reconnect() -> None:
    """Put the cable back."""
    run(["ip", "link", "set", network.host_interface(SPARE.address), "up"])


def kill() -> None:
    """End everything that runs on the node, at once."""
    for process in processes.recorded():
        if process.name.endswith(f"-{SPARE.name}"):
            processes.stop(process, grace_seconds=0)
    cgroups.kill(SPARE.cgroup)


def leave() -> None:
    """Take the node out of the cluster and off the machine; nothing is waited for on it."""
    kill()
    harness.kubectl("delete", "node", SPARE.name, "--ignore-not-found")
    harness.unmount(SPARE)
    if SPARE.netns in network.namespaces():
        run(["ip", "netns", "delete", SPARE.netns])
    succeeds(["ip", "link", "delete", network.host_interface(SPARE.address)])
    cgroups.remove(SPARE.cgroup)
    harness.remove_files(SPARE)
