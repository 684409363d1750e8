"""The control plane: etcd, API server, controller manager and scheduler, in a network namespace of their own.

Rule: each starts once its predecessor answers. The flags are the least that a conformant cluster needs, plus timings
that let a test see a lost node within seconds.
"""

from pathlib import Path

from tests.cluster import certificates, processes
from tests.cluster.build import program
from tests.cluster.commands import succeeds
from tests.cluster.minio import answers
from tests.cluster.network import CLUSTER_SUBNET, CONTROL_ADDRESS, CONTROL_NETNS, SERVICE_SUBNET
from tests.cluster.paths import DATA

API_SERVICE_ADDRESS = "10.96.0.1"
CLIENT_LIMITS = ("--kube-api-qps=2000", "--kube-api-burst=4000")
"""Of controllers and scheduler: by default they are held to 20 and 50 requests a second, and tests wait for them."""

ETCD = f"http://{CONTROL_ADDRESS}:2379"


def admin_kubeconfig() -> Path:
    """Return the KUBECONFIG of the cluster's administrator."""
    return certificates.kubeconfig("admin", subject="/O=system:masters/CN=admin")


def is_ready() -> bool:
    """Tell whether the API server says that it is ready."""
    return succeeds([program("kubectl"), f"--kubeconfig={admin_kubeconfig()}", "get", "--raw", "/readyz"])


def start() -> None:
    """Start the control plane and return once its API answers."""
    _start_api()
    processes.start("kube-controller-manager", _controller_manager(), netns=CONTROL_NETNS)
    processes.start("kube-scheduler", _scheduler(), netns=CONTROL_NETNS)


def restart() -> None:
    """Kill etcd and the API server, and return once they are back with everything they had."""
    for name in ("kube-apiserver", "etcd"):
        for process in processes.recorded():
            if process.name == name:
                processes.stop(process, grace_seconds=0)
    _start_api()


def _start_api() -> None:
    etcd = processes.start("etcd", _etcd(), netns=CONTROL_NETNS)
    processes.await_ready("etcd", lambda: answers(f"{ETCD}/health"), of=etcd)
    server = processes.start("kube-apiserver", _api_server(), netns=CONTROL_NETNS)
    processes.await_ready("the API server", is_ready, of=server)


def _etcd() -> list[str | Path]:
    return [
        program("etcd"),
        f"--data-dir={DATA / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls=http://{CONTROL_ADDRESS}:2380",
        f"--initial-advertise-peer-urls=http://{CONTROL_ADDRESS}:2380",
        f"--initial-cluster=default=http://{CONTROL_ADDRESS}:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server() -> list[str | Path]:
    names = ("DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost")
    addresses = (f"IP:{API_SERVICE_ADDRESS}", f"IP:{CONTROL_ADDRESS}", "IP:127.0.0.1")
    serving = certificates.issue("kube-apiserver", subject="/CN=kube-apiserver", addresses=names + addresses)
    to_kubelets = certificates.issue("kube-apiserver-kubelet-client", subject="/O=system:masters/CN=kube-apiserver")
    accounts = certificates.service_account_key()
    return [
        program("kube-apiserver"),
        f"--advertise-address={CONTROL_ADDRESS}",
        "--secure-port=6443",
        f"--etcd-servers={ETCD}",
        f"--service-cluster-ip-range={SERVICE_SUBNET}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={certificates.authority().certificate}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--kubelet-certificate-authority={certificates.authority().certificate}",
        f"--kubelet-client-certificate={to_kubelets.certificate}",
        f"--kubelet-client-key={to_kubelets.key}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={accounts}",
        f"--service-account-signing-key-file={accounts}",
        "--service-account-issuer=https://kubernetes.default.svc",
    ]


def _controller_manager() -> list[str | Path]:
    configuration = certificates.kubeconfig("kube-controller-manager", subject="/CN=system:kube-controller-manager")
    authority = certificates.authority()
    return [
        program("kube-controller-manager"),
        f"--kubeconfig={configuration}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={certificates.service_account_key()}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        f"--cluster-cidr={CLUSTER_SUBNET}",
        *CLIENT_LIMITS,
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=20s",
    ]


def _scheduler() -> list[str | Path]:
    configuration = certificates.kubeconfig("kube-scheduler", subject="/CN=system:kube-scheduler")
    return [
        program("kube-scheduler"),
        f"--kubeconfig={configuration}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        *CLIENT_LIMITS,
    ]
