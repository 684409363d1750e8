"""What the other end-to-end tests take for granted about the cluster, its images and its object store."""

from typing import Any

import pytest

from tests.cluster import object_store
from tests.cluster.build import program
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.minio import answers
from tests.cluster.object_store import ClusterMinio
from tests.cluster.port_forward import PortForward

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    return cluster.namespace("harness")


@pytest.fixture(scope="module")
def object_store_there(cluster: Cluster, namespace: str) -> ClusterMinio:
    return object_store.deploy(cluster, namespace)


def make_pod(name: str, image: str, code: str, *arguments: str) -> dict[str, Any]:
    container = {
        "name": "task",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", code, *arguments],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of the pod's own
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def run_pod(cluster: Cluster, namespace: str, pod: dict[str, Any]) -> tuple[str, str]:
    """Run a pod to its end; return its phase and its log."""
    name = pod["metadata"]["name"]
    cluster.apply(pod, namespace=namespace)

    def phase_at_end() -> str | None:
        found = cluster.get("pod", name, namespace)
        phase = str(found["status"]["phase"]) if found else "gone"
        return phase if phase in {"Succeeded", "Failed", "gone"} else None

    phase = cluster.wait_for(phase_at_end, f"the end of pod {name}")
    return phase, cluster.log(name, namespace)


def test_the_runtime_image_runs_under_restricted_pod_security(cluster: Cluster, images: Images, namespace: str) -> None:
    code = "import os, podreduce; open('/tmp/x', 'w').write('1'); print(os.getuid(), podreduce.__name__)"
    assert run_pod(cluster, namespace, make_pod("runtime", images.runtime, code)) == ("Succeeded", "65532 podreduce\n")


def test_the_operator_image_holds_kopf_and_the_runtime_image_does_not(
    cluster: Cluster, images: Images, namespace: str
) -> None:
    code = "import importlib.util as u; print(u.find_spec('kopf') is not None, u.find_spec('pip') is not None)"
    operator = run_pod(cluster, namespace, make_pod("operator-content", images.operator, code))
    runtime = run_pod(cluster, namespace, make_pod("runtime-content", images.runtime, code))
    assert (operator[1], runtime[1]) == ("True False\n", "False False\n")


def test_a_failing_pod_ends_failed_with_its_exit_code(cluster: Cluster, images: Images, namespace: str) -> None:
    assert run_pod(cluster, namespace, make_pod("failing", images.runtime, "raise SystemExit(7)"))[0] == "Failed"
    pod = cluster.get("pod", "failing", namespace)
    assert pod is not None
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 7


def test_a_pod_over_its_memory_limit_is_killed(cluster: Cluster, images: Images, namespace: str) -> None:
    pod = make_pod("greedy", images.runtime, "x = b'1' * (256 << 20); print(len(x))")
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    assert run_pod(cluster, namespace, pod)[0] == "Failed"
    found = cluster.get("pod", "greedy", namespace)
    assert found is not None
    assert found["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_pod_finds_the_api_server_by_its_dns_name(cluster: Cluster, images: Images, namespace: str) -> None:
    code = "import socket; s = socket.create_connection(('kubernetes.default.svc', 443), 5); print(s.getpeername()[1])"
    assert run_pod(cluster, namespace, make_pod("dns", images.runtime, code)) == ("Succeeded", "443\n")


def test_pods_and_tests_share_one_object_store(
    cluster: Cluster, images: Images, namespace: str, object_store_there: ClusterMinio
) -> None:
    object_store_there.store("shared").put("from-the-test", b"hello")
    code = (
        "import sys; from obstore.store import S3Store;"
        "s = S3Store('shared', endpoint=sys.argv[1], region='us-east-1', access_key_id=sys.argv[2],"
        " secret_access_key=sys.argv[3], client_options={'allow_http': True});"
        "s.put('from-the-pod', bytes(s.get('from-the-test').bytes()).upper()); print('done')"
    )
    arguments = (object_store_there.endpoint, object_store_there.access_key, object_store_there.secret_key)
    assert run_pod(cluster, namespace, make_pod("store", images.runtime, code, *arguments)) == ("Succeeded", "done\n")
    assert bytes(object_store_there.store("shared").get("from-the-pod").bytes()) == b"HELLO"


def test_a_crash_of_the_object_store_loses_no_data(object_store_there: ClusterMinio) -> None:
    object_store_there.store("kept").put("before", b"1")
    object_store_there.restart()
    assert bytes(object_store_there.store("kept").get("before").bytes()) == b"1"


def test_a_forwarded_port_outlives_the_container_behind_it(cluster: Cluster, object_store_there: ClusterMinio) -> None:
    command = (
        "kubectl",
        f"--kubeconfig={cluster.kubeconfig}",
        "port-forward",
        f"--namespace={object_store_there.namespace}",
    )
    forward = PortForward((program(command[0]), *command[1:]), "service/minio", object_store.PORT)
    try:
        ready = f"http://{forward.address}/minio/health/ready"
        cluster.wait_for(lambda: answers(ready), "an answer through the forwarded port")
        object_store_there.restart()
        cluster.wait_for(lambda: answers(ready), "an answer through the forwarded port after the restart")
    finally:
        forward.close()


def test_helm_speaks_to_the_cluster(cluster: Cluster, namespace: str) -> None:
    assert cluster.helm("list", "--namespace", namespace, "--output", "json").stdout.strip() == "[]"
