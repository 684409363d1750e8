"""The cluster of CLUSTER.md: brought up, looked at, taken down.

Rule: `up` of a running cluster changes nothing; `down` works on whatever a broken `up` left, by the recorded process
ids and by the names that carry the harness's prefix, and can be repeated.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster import cgroups, control_plane, dns, network, packages, processes
from tests.cluster.base_image import base_archive
from tests.cluster.build import BuildError, announce, build_all, program
from tests.cluster.commands import run, succeeds
from tests.cluster.locks import only_caller
from tests.cluster.node import FIRST, Node, import_image, start_containerd, start_kubelet
from tests.cluster.paths import DATA, STATE
from tests.cluster.pause import pause_archive

NODES = (FIRST,)
KEPT = STATE / "kept"
LOCK = Path("/run/lock/podreduce-cluster")


def why_not() -> str | None:
    """Return why this machine cannot run the harness; None where it can."""
    if os.uname().sysname != "Linux":
        return "the harness needs Linux"
    if os.geteuid() != 0:
        return "the harness needs root (network namespaces, mounts)"
    if shutil.which("go") is None:
        return "the harness needs Go to build Kubernetes"
    return None


def prepare() -> None:
    """Install packages, build the programs and make the base image: what happens once per machine."""
    packages.install_missing()
    with ThreadPoolExecutor() as pool:
        base = pool.submit(base_archive)  # waits for the network, while the compiler has the processors
        build_all()
        base.result()
    pause_archive()


def is_up() -> bool:
    """Tell whether the cluster runs: each recorded process lives and the API server is ready."""
    running = processes.recorded()
    return bool(running) and all(processes.is_alive(process) for process in running) and control_plane.is_ready()


def up() -> Path:
    """Bring the cluster up where it is not, and return its KUBECONFIG.

    Raises:
        ClusterError: a part did not come up; what had started is taken down again.
    """
    with only_caller(LOCK):
        if is_up():
            return control_plane.admin_kubeconfig()
        prepare()
        _down()
        started = time.monotonic()
        try:
            _start()
        except (processes.ClusterError, BuildError):
            processes.keep_logs("the cluster")
            _down()
            raise
        announce(f"cluster is up after {time.monotonic() - started:.0f} s")
        return control_plane.admin_kubeconfig()


def keep() -> None:
    """Let the cluster outlive the test sessions that use it."""
    KEPT.touch()


def is_kept() -> bool:
    """Tell whether somebody brought the cluster up by hand."""
    return KEPT.exists()


def down() -> None:
    """Take down whatever runs: processes, pods, mounts, namespaces, control groups, files."""
    started = time.monotonic()
    with only_caller(LOCK):
        _down()
    announce(f"cluster is down after {time.monotonic() - started:.0f} s")


def leftovers() -> list[str]:
    """Name everything of a cluster that is on the machine; empty after `down`."""
    held = [f"process {process.name} {process.pid}" for process in processes.recorded() if processes.is_alive(process)]
    held += [f"process {pid} in {group}" for group in cgroups.groups() for pid in cgroups.processes(group)]
    held += [f"process {pid} in a namespace" for pid in network.processes()]
    held += [f"mount {place}" for place in _mounts()]
    held += [f"namespace {name}" for name in network.namespaces()]
    held += [f"link {name}" for name in network.links()]
    held += [f"control group {group}" for group in cgroups.groups()]
    return held + [f"directory {path}" for path in (STATE, DATA) if path.exists()]


def _start() -> None:
    STATE.mkdir(parents=True, mode=0o700)
    DATA.mkdir(parents=True, mode=0o755)
    network.create_bridge()
    network.create_netns(network.CONTROL_NETNS, network.CONTROL_ADDRESS)
    for netns in (None, network.CONTROL_NETNS):  # the API server reaches webhooks by their Services
        network.route(network.SERVICE_SUBNET, via=FIRST.address, netns=netns)
    with ThreadPoolExecutor() as pool:
        containers = [pool.submit(_prepare, node) for node in NODES]
        control_plane.start()
        dns.start()
        for prepared in containers:
            prepared.result()
    kubectl(
        "apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects()})
    )
    for node in NODES:
        start_kubelet(node)
    for node in NODES:
        kubectl("wait", "--for=condition=Ready", "--timeout=90s", f"node/{node.name}")
    processes.await_ready(
        "the default service account",
        lambda: succeeds([*_kubectl(), "get", "serviceaccount", "default", "--namespace=default"]),
    )


def _prepare(node: Node) -> None:
    start_containerd(node)
    for other in NODES:
        if other != node:
            network.route(other.pod_subnet, via=other.address, netns=node.netns)
    import_image(node, pause_archive())


def _objects() -> list[dict[str, object]]:
    proxy = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:kube-proxy"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-proxier"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "podreduce-tests:kube-proxy"},
        "subjects": [proxy],
        "roleRef": role,
    }
    return [*dns.manifests(), binding]


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as the cluster's administrator."""
    return run([*_kubectl(), *arguments], stdin=stdin)


def _kubectl() -> list[str | Path]:
    return [program("kubectl"), f"--kubeconfig={control_plane.admin_kubeconfig()}"]


def _down() -> None:
    for process in processes.recorded():
        # Pods go with their node's group, below; nothing needs a clean shutdown, the data goes too.
        processes.stop(process, grace_seconds=0 if "-node-" in process.name else 3)
    for group in cgroups.groups():
        cgroups.kill(group)
    for pid in network.processes():  # of an `up` that was killed between starting a process and recording it
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for place in _mounts():
        succeeds(["umount", "--lazy", place])
    if shutil.which("ip"):
        network.remove()
    for group in cgroups.groups():
        cgroups.remove(group)
    for path in (*_links_to_logs(), *Path("/var/lib/cni/results").glob("podreduce-*")):
        path.unlink(missing_ok=True)
    for directory in (STATE, DATA):
        shutil.rmtree(directory, ignore_errors=True)


def unmount(node: Node) -> None:
    """Take away what is mounted for a node whose processes are gone."""
    for place in _mounts():
        if place.startswith((f"{node.state}/", f"{node.data}/")):
            succeeds(["umount", "--lazy", place])


def remove_files(node: Node) -> None:
    """Remove a node's directories, which hold no mounts any more."""
    for link in _links_to_logs():
        if str(link.readlink()).startswith(f"{node.data}/"):
            link.unlink(missing_ok=True)
    for directory in (node.state, node.data):
        shutil.rmtree(directory, ignore_errors=True)


def _mounts() -> list[str]:
    """Return the mount points below the cluster's directories, the deepest first."""
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = (f"{STATE}/", f"{DATA}/")
    return sorted((place for place in places if place.startswith(ours)), key=len, reverse=True)


def _links_to_logs() -> Iterator[Path]:
    """Find the links that the kubelet makes in a directory of its own choice."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{DATA}/"):
            yield link
