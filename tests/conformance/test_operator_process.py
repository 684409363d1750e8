"""`python -m podreduce_operator` as a process: how it starts, says it is well, stands by, takes over, and ends."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import pytest

from podreduce_operator.api.crd import GROUP, SCHEDULES
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL
from tests.cluster.cluster import Cluster
from tests.cluster.minio import MinioServer, free_port
from tests.conformance.kubernetes_world import storage_secret

OPERATOR = [sys.executable, "-m", "podreduce_operator"]
LEASE_LOST = 3
SHORT_LEASE = {
    "PODREDUCE_OPERATOR_LEASE": "podreduce",
    "PODREDUCE_OPERATOR_LEASE_SECONDS": "5",
    "PODREDUCE_OPERATOR_LEASE_RENEW_SECONDS": "3",
    "PODREDUCE_OPERATOR_LEASE_RETRY_SECONDS": "1",
}
UNREACHABLE = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "x",
    "users": [{"name": "x", "user": {}}],
    "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A running operator."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return a probe's status and answer; 0 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)
        except (urllib.error.URLError, OSError):
            return 0, {}

    def read(self, path: str) -> str:
        """Return an answer that is a text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
            return str(answer.read(), "utf-8")

    def stands(self) -> str | None:
        """Return its standing once it is ready: `leader`, `standby`, or `none` without an election."""
        status, answer = self.ask("/readyz")
        return str(answer["standing"]).lower() if status == 200 else None

    def end(self, seconds: float = 15) -> tuple[int, str]:
        """Wait for its end; return exit code and log."""
        return self.process.wait(timeout=seconds), self.log.read_text()


Start = Callable[..., Operator]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an operator with these variables and no other of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start_operator(**variables: str) -> Operator:
        port, log = free_port(), tmp_path / f"log-{len(started)}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PODREDUCE_OPERATOR_")}
        ports = {"PODREDUCE_OPERATOR_HEALTH_PORT": f"{port}", "PODREDUCE_OPERATOR_PROGRESS_PORT": f"{free_port()}"}
        environ = kept | ports | {"TMPDIR": str(tmp_path)} | variables  # one that is killed leaves its directory
        with log.open("wb") as file:
            started.append(subprocess.Popen(OPERATOR, env=environ, stderr=file))
        return Operator(process=started[-1], port=port, log=log)

    yield start_operator
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def installed(cluster: Cluster) -> dict[str, str]:
    """The variables of an operator on the cluster that serves a namespace of its own."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds/")
    namespace = cluster.namespace("operator")
    return {
        "KUBECONFIG": str(cluster.kubeconfig),
        "PODREDUCE_OPERATOR_RUNTIME_IMAGE": "runtime:1",
        "PODREDUCE_OPERATOR_NAMESPACES": namespace,
        "PODREDUCE_OPERATOR_LEASE_NAMESPACE": namespace,
    }


def test_without_an_image_it_says_which_variable_is_missing(start: Start) -> None:
    code, log = start().end(30)
    assert code == 2
    assert "PODREDUCE_OPERATOR_RUNTIME_IMAGE is not set" in log


def test_it_waits_for_an_api_server_that_is_away_alive_and_not_ready(start: Start, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(UNREACHABLE))
    operator = start(KUBECONFIG=str(kubeconfig), PODREDUCE_OPERATOR_RUNTIME_IMAGE="runtime:1")
    deadline = time.monotonic() + 30
    while "127.0.0.1:9" not in operator.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "waiting for the API server" in operator.log.read_text()
    assert operator.ask("/healthz")[0] == 200
    status, answer = operator.ask("/readyz")
    assert status == 503
    assert answer["problems"] == ["pods and jobs are not listed yet: see the log for API server errors"]
    assert "Traceback" not in operator.log.read_text()


def test_without_credentials_it_ends_and_says_what_to_set(start: Start) -> None:
    code, log = start(KUBECONFIG="/nowhere", PODREDUCE_OPERATOR_RUNTIME_IMAGE="runtime:1").end(30)
    assert code == 1
    assert "no credentials for the API server" in log
    assert "set KUBECONFIG" in log


@pytest.mark.e2e
def test_it_gets_well_and_ends_at_once_when_told_to(cluster: Cluster, start: Start, installed: dict[str, str]) -> None:
    operator = start(**installed)
    assert cluster.wait_for(operator.stands, "the operator's readiness", timeout=30) == "none"
    assert operator.ask("/healthz") == (200, {**operator.ask("/healthz")[1], "ok": True, "problems": []})
    assert "podreduce_leader 1.0" in operator.read("/metrics")
    time.sleep(2)  # kopf is well before it knows the API's resources, and a stop amid that ends with its traceback
    asked = time.monotonic()
    operator.process.send_signal(signal.SIGTERM)
    code, log = operator.end()
    assert code == 0, log
    assert time.monotonic() - asked < 4
    assert "stopped" in log
    assert "Traceback" not in log


@pytest.mark.e2e
def test_of_two_one_leads_the_other_stands_by_and_takes_over(
    cluster: Cluster, start: Start, installed: dict[str, str]
) -> None:
    first = start(**installed, **SHORT_LEASE)
    assert cluster.wait_for(first.stands, "the first one's readiness", timeout=30) == "leader"
    second = start(**installed, **SHORT_LEASE)
    assert cluster.wait_for(second.stands, "the second one's readiness", timeout=30) == "standby"
    assert second.ask("/readyz")[1]["leader"] == first.ask("/readyz")[1]["leader"]
    time.sleep(2)
    first.process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    cluster.wait_for(lambda: second.stands() == "leader", "the second one's lead", timeout=10)
    assert time.monotonic() - asked < 5
    code, log = first.end()
    assert code == 0, log
    assert "the lease is released" in log


@pytest.mark.e2e
def test_a_leader_that_was_stopped_for_longer_than_its_lease_ends_when_it_goes_on(
    cluster: Cluster, start: Start, installed: dict[str, str]
) -> None:
    first = start(**installed, **SHORT_LEASE)
    cluster.wait_for(first.stands, "the first one's readiness", timeout=30)
    second = start(**installed, **SHORT_LEASE)
    cluster.wait_for(second.stands, "the second one's readiness", timeout=30)
    first.process.send_signal(signal.SIGSTOP)
    cluster.wait_for(lambda: second.stands() == "leader", "the second one's lead", timeout=20)
    first.process.send_signal(signal.SIGCONT)
    code, log = first.end()
    assert code == LEASE_LOST
    assert "the lease is lost" in log
    assert second.stands() == "leader"


@pytest.mark.e2e
def test_a_standby_does_not_touch_a_job_until_it_leads(
    cluster: Cluster, start: Start, installed: dict[str, str]
) -> None:
    namespace = installed["PODREDUCE_OPERATOR_NAMESPACES"]
    first = start(**installed, **SHORT_LEASE)
    cluster.wait_for(first.stands, "the first one's readiness", timeout=30)
    second = start(**installed, **SHORT_LEASE)
    cluster.wait_for(second.stands, "the second one's readiness", timeout=30)
    first.process.send_signal(signal.SIGSTOP)
    cluster.apply(make_job(), namespace=namespace)
    deadline, stood_by = time.monotonic() + 2, 0
    while time.monotonic() < deadline:
        job = cluster.get("mrj", "waits", namespace)
        assert job is not None
        stands = second.stands()
        stood_by += stands == "standby"
        assert stands != "standby" or "status" not in job
    assert stood_by, "it was asked while it stood by"
    cluster.wait_for(lambda: (cluster.get("mrj", "waits", namespace) or {}).get("status"), "a status", timeout=20)
    assert second.stands() == "leader"


@pytest.mark.e2e
def test_a_schedule_has_its_job_made_and_told_of(cluster: Cluster, start: Start, installed: dict[str, str]) -> None:
    """Killed and started again, the operator makes no second job for a time."""
    namespace = installed["PODREDUCE_OPERATOR_NAMESPACES"]
    cluster.apply(make_schedule(), namespace=namespace)
    operator = start(**installed)
    first = cluster.wait_for(lambda: find_jobs(cluster, namespace), "the first job", timeout=120)
    skew = "podreduce_schedule_skew_seconds_count"
    assert f"\n{skew} 1.0" in operator.read("/metrics")
    operator.process.kill()
    start(**installed)
    cluster.wait_for(lambda: find_jobs(cluster, namespace) > first, "the next job", timeout=120)
    ends = [int(name.rpartition("-")[2]) for name in sorted(find_jobs(cluster, namespace))]
    assert ends == list(range(ends[0], ends[-1] + 1)), "one a minute"

    def is_told() -> bool:
        """The status follows the job, a moment later."""
        schedule = cluster.get("mrs", "minutely", namespace)
        return schedule is not None and bool(schedule["status"].get("active"))

    cluster.wait_for(is_told, "the job in the status", timeout=30)


def find_jobs(cluster: Cluster, namespace: str) -> set[str]:
    """Return the names of the schedule's jobs."""
    return {job["metadata"]["name"] for job in cluster.list("mrj", namespace, f"{SCHEDULE_LABEL}=minutely")}


@pytest.mark.e2e
def test_without_the_crd_of_schedules_it_says_so_and_serves_jobs(
    cluster: Cluster, start: Start, installed: dict[str, str]
) -> None:
    namespace = installed["PODREDUCE_OPERATOR_NAMESPACES"]
    cluster.kubectl("delete", "crd", f"{SCHEDULES.plural}.{GROUP}", "--timeout=60s", timeout=70)
    try:
        operator = start(**installed)
        cluster.wait_for(operator.stands, "the operator's readiness", timeout=60)
        cluster.apply(make_job(), namespace=namespace)
        cluster.wait_for(lambda: (cluster.get("mrj", "waits", namespace) or {}).get("status"), "a status", timeout=60)
        log = operator.log.read_text()
        assert log.count("MapReduceSchedule") == 1
        assert "apply the files in crds/ and restart the operator" in log
        assert "Traceback" not in log
    finally:
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds/")


FIGURES = {
    "the loop": "podreduce_reconcile_seconds_count",
    "pods": "podreduce_pod_creation_seconds_count",
    "stores": 'podreduce_storage_requests_total{code="OK",operation="create"}',
    "jobs": 'podreduce_jobs{phase="Mapping"}',
    "waiting pods": "podreduce_pending_pods",
    "standing": "podreduce_leader",
    "the process": "process_resident_memory_bytes",
}
"""One figure of each group at /metrics; all are 0 in an operator that has seen no job, or where a part tells nobody."""


@pytest.mark.e2e
def test_each_part_tells_the_metrics_what_it_does(
    cluster: Cluster, minio: MinioServer, start: Start, installed: dict[str, str]
) -> None:
    """The job is planned in a real store, and its pods wait for an image that does not exist."""
    namespace = installed["PODREDUCE_OPERATOR_NAMESPACES"]
    for bucket in ("corpus", "output", "work"):
        minio.make_bucket(bucket)
    obstore.put(minio.store("corpus"), f"{namespace}/a.txt", b"line\n")
    keys = {"accessKey": minio.access_key, "secretKey": minio.secret_key, "workUri": f"s3://work/{namespace}/"}
    secret = storage_secret(endpoint=minio.endpoint, region=minio.region, **keys)
    job = make_job()
    job["spec"]["input"]["uris"] = [f"s3://corpus/{namespace}/"]
    job["spec"]["output"]["uri"] = f"s3://output/{namespace}/"
    operator = start(**installed)
    cluster.wait_for(operator.stands, "the operator's readiness", timeout=30)
    before = read_figures(operator)
    assert before | {"the process": 0.0, "standing": 0.0} == dict.fromkeys(FIGURES, 0.0)
    cluster.apply(secret, job, namespace=namespace)
    cluster.wait_for(lambda: all(read_figures(operator).values()), "a figure of each group", timeout=60)


def read_figures(operator: Operator) -> dict[str, float]:
    """Return the sum of the samples of each figure."""
    lines = [line.rpartition(" ") for line in operator.read("/metrics").splitlines() if not line.startswith("#")]
    return {
        group: sum(float(value) for sample, _, value in lines if sample == name or sample.startswith(f"{name}{{"))
        for group, name in FIGURES.items()
    }


def make_schedule() -> dict[str, Any]:
    """A schedule of every minute that makes jobs as `make_job` does, whether or not earlier ones have ended."""
    template = {"spec": make_job()["spec"]}
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": SCHEDULES.kind,
        "metadata": {"name": "minutely"},
        "spec": {"schedule": "* * * * *", "concurrencyPolicy": "Allow", "jobTemplate": template},
    }


def make_job() -> dict[str, Any]:
    """A job that waits for its storage Secret."""
    program = "class Job:\n    def map_func(self, key, value):\n        yield key, value\n"
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {"name": "waits"},
        "spec": {
            "program": {"source": program},
            "input": {"uris": ["s3://corpus/in/"]},
            "output": {"uri": "s3://output/out/"},
        },
    }
