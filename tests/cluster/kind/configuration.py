"""The settings of the engine and of the cluster. Pure: values in, JSON-like values out (YAML takes JSON).

Two of the cluster's are needed where the machine has cgroup v1 and may not lower a process's OOM score. The driver of
control groups is cgroupfs, because with systemd's on cgroup v1 runc freezes each container at its start, which fails on
a busy machine now and then. A crashed container comes back within seconds, as on the harness.
"""

import json

from tests.cluster.kind.places import CGROUP, DATA, NODE_IMAGE, POD_SUBNET, SERVICE_SUBNET, SOCKET

ENGINE_ADDRESS = "172.30.0.1/24"
NETWORKS = {"base": "172.30.16.0/20", "size": 24}

CONTAINERD_PATCH = """[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def engine_settings() -> dict[str, object]:
    """Return the content of the engine's daemon.json."""
    return {
        "hosts": [f"unix://{SOCKET}"],
        "data-root": str(DATA / "docker"),
        "bip": ENGINE_ADDRESS,
        "default-address-pools": [NETWORKS],
        "cgroup-parent": f"/{CGROUP}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "storage-driver": "overlay2",
        "features": {"containerd-snapshotter": False},  # so that builds take a local image of a name first
    }


def cluster_settings() -> dict[str, object]:
    """Return the content of the file that `kind create cluster` is given."""
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "podSubnet": POD_SUBNET,
            "serviceSubnet": SERVICE_SUBNET,
            "kubeProxyMode": "nftables",
            "disableDefaultCNI": True,  # the node image holds the pod network of a single node
        },
        "nodes": [{"role": "control-plane", "image": NODE_IMAGE}],
        "containerdConfigPatches": [CONTAINERD_PATCH],
        "kubeadmConfigPatches": [json.dumps(_kubelet())],
    }


def _kubelet() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "serializeImagePulls": False,
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
    }
