"""A node: containerd, kubelet and kube-proxy in a network namespace and a control group of the node's own.

Rule: every directory, socket and range carries the node's name, so several nodes live on one machine without cleaning
up each other's pods. The kubelet starts once containerd answers, kube-proxy once the Node object exists (it ends when
the node's address changes under it).
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import certificates, cgroups, network, processes
from tests.cluster.build import program
from tests.cluster.commands import succeeds
from tests.cluster.control_plane import admin_kubeconfig
from tests.cluster.image_import import import_archive
from tests.cluster.paths import DATA, STATE
from tests.cluster.pause import PAUSE_IMAGE

DNS_ADDRESS = "10.96.0.10"
CNI_PROGRAMS = "/usr/lib/cni"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What tells one node from another."""

    name: str
    address: str
    pod_subnet: str

    @property
    def netns(self) -> str:
        """The node's network namespace."""
        return f"podreduce-{self.name}"

    @property
    def cgroup(self) -> str:
        """The node's control group."""
        return f"podreduce-{self.name}"

    @property
    def state(self) -> Path:
        """Sockets and configuration: short paths, gone after a reboot."""
        return STATE / self.name

    @property
    def data(self) -> Path:
        """Images, volumes and logs."""
        return DATA / self.name

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return self.state / "containerd.sock"


FIRST = Node(name="node-1", address="198.51.100.11", pod_subnet="10.244.0.0/24")


def start_containerd(node: Node) -> None:
    """Connect the node and start its containerd, which needs no API server."""
    network.create_netns(node.netns, node.address)
    network.route(node.pod_subnet, via=node.address)
    network.route(node.pod_subnet, via=node.address, netns=network.CONTROL_NETNS)
    cgroups.create(node.cgroup)
    for directory in (node.state / "cni", node.data / "pod-logs"):
        directory.mkdir(parents=True, exist_ok=True)
    (node.state / "cni" / "10-pods.conflist").write_text(json.dumps(_cni(node)))
    (node.state / "containerd.toml").write_text(_containerd(node))
    started = _start(node, "containerd", [program("containerd"), "--config", node.state / "containerd.toml"])
    processes.await_ready("containerd", lambda: succeeds(ctr(node, "version")), of=started)


def start_kubelet(node: Node) -> None:
    """Start the kubelet and, once it has registered the node, kube-proxy."""
    (node.state / "resolv.conf").write_text(f"nameserver {DNS_ADDRESS}\n")
    (node.state / "kubelet.json").write_text(json.dumps(_kubelet(node), indent=1))
    kubelet = _start(node, "kubelet", _kubelet_command(node))
    lookup = (program("kubectl"), f"--kubeconfig={admin_kubeconfig()}", "get", "node", node.name)
    processes.await_ready(f"the node {node.name}", lambda: succeeds(lookup), of=kubelet)
    (node.state / "kube-proxy.json").write_text(json.dumps(_kube_proxy(node), indent=1))
    _start(node, "kube-proxy", [program("kube-proxy"), f"--config={node.state / 'kube-proxy.json'}"])


def ctr(node: Node, *arguments: str | Path) -> list[str | Path]:
    """Return a `ctr` command that speaks to the node's containerd."""
    return [program("ctr"), f"--address={node.socket}", "--namespace=k8s.io", *arguments]


def import_image(node: Node, archive: Path) -> None:
    """Import an image archive into the node, unpacked and ready to run."""
    import_archive(ctr(node), archive)


def _start(node: Node, name: str, argv: list[str | Path]) -> processes.Process:
    entering = cgroups.create(node.cgroup)
    within: list[str | Path] = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', entering, *argv]
    return processes.start(f"{name}-{node.name}", within, netns=node.netns)


def _containerd(node: Node) -> str:
    return f"""version = 3
root = "{node.data}/containerd"
state = "{node.state}/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{node.socket}"
[ttrpc]
  address = "{node.socket}.ttrpc"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{CNI_PROGRAMS}"]
  conf_dir = "{node.state}/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = "{program("containerd-shim-runc-v2")}"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "{program("runc")}"
  Root = "{node.state}/runc"
"""


def _cni(node: Node) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": str(node.state / "addresses"),
        "ranges": [[{"subnet": node.pod_subnet}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    # ptp, not bridge: answers between two pods of a node must pass the node's routing, where the address translation
    # of Services is undone; on a bridge they would not, unless the kernel has br_netfilter.
    cable = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": node.netns, "plugins": [cable, ports]}


def _kubelet_command(node: Node) -> list[str | Path]:
    configuration = certificates.kubeconfig(
        f"kubelet-{node.name}", subject=f"/O=system:nodes/CN=system:node:{node.name}"
    )
    return [
        program("kubelet"),
        f"--config={node.state / 'kubelet.json'}",
        f"--kubeconfig={configuration}",
        f"--root-dir={node.data / 'kubelet'}",
        f"--cert-dir={node.state / 'kubelet-keys'}",
        f"--node-ip={node.address}",
        f"--hostname-override={node.name}",
    ]


def _kubelet(node: Node) -> dict[str, object]:
    serving = certificates.issue(
        f"kubelet-serving-{node.name}", subject=f"/CN={node.name}", addresses=(f"IP:{node.address}",)
    )
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates.authority().certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "resolvConf": str(node.state / "resolv.conf"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(node.data / "pod-logs"),
        "volumePluginDir": str(node.data / "volume-plugins"),
        "serializeImagePulls": False,
        # A test machine's disk may be nearly full, and the loaded images cannot be pulled again.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 10,
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
    }


def _kube_proxy(node: Node) -> dict[str, object]:
    configuration = certificates.kubeconfig("kube-proxy", subject="/CN=system:kube-proxy")
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(configuration)},
        "hostnameOverride": node.name,
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "200ms"},
        "clusterCIDR": network.CLUSTER_SUBNET,
        "conntrack": {"maxPerCore": 0},
        "oomScoreAdj": 0,
    }
