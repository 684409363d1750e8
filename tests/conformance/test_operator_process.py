"""`python -m podreduce_operator` as a process: how it starts, says it is well, and ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster

OPERATOR = [sys.executable, "-m", "podreduce_operator"]


def start(**variables: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PODREDUCE_OPERATOR_")}
    return subprocess.Popen(OPERATOR, env=kept | variables, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_without_an_image_it_says_which_variable_is_missing() -> None:
    process = start()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "PODREDUCE_OPERATOR_RUNTIME_IMAGE is not set" in errors


def test_without_an_api_server_it_ends_with_its_address(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "x", "user": {}}],'
        ' "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],'
        ' "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}'
    )
    process = start(KUBECONFIG=str(kubeconfig), PODREDUCE_OPERATOR_RUNTIME_IMAGE="runtime:1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "127.0.0.1:9" in errors
    assert "Traceback" not in errors


@pytest.mark.e2e
def test_it_gets_well_and_ends_at_once_when_told_to(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds/")
    port = free_port()
    process = start(
        KUBECONFIG=str(cluster.kubeconfig),
        PODREDUCE_OPERATOR_RUNTIME_IMAGE="runtime:1",
        PODREDUCE_OPERATOR_NAMESPACES=cluster.namespace("operator"),
        PODREDUCE_OPERATOR_HEALTH_PORT=str(port),
    )
    try:
        cluster.wait_for(lambda: is_healthy(port), "the operator's health", timeout=30)
        time.sleep(2)  # kopf is well before it knows the API's resources, and a stop amid that ends with its traceback
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert time.monotonic() - asked < 4
    assert "stopped" in errors
    assert "Traceback" not in errors
