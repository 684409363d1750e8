"""Jobs as the end-to-end tests apply and watch them: by kubectl, in a namespace with its own storage Secret."""

import json
from dataclasses import dataclass
from typing import Any

import obstore

from podreduce.contract.environment import SCRATCH_DIRECTORY
from tests.cluster.cluster import Cluster
from tests.cluster.object_store import ClusterMinio
from tests.cluster.processes import ClusterError
from tests.e2e.installation import Installation

__all__ = [
    "CORPUS",
    "LOG_ANALYSIS",
    "OUTPUT",
    "SHARED_PROCESSES",
    "WORD_COUNT",
    "WORK",
    "JobWorld",
    "make_manifest",
    "slow_attempt",
]

CORPUS, OUTPUT, WORK = "corpus", "output", "work"
"""The buckets of the tests' MinIO."""

WORD_COUNT = """\
class WordCount:
    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""

LOG_ANALYSIS = """\
class LogAnalysis:
    def map_func(self, key, value):
        fields = value.split(',')
        yield fields[0], fields[1]

    def reduce_func(self, key, values):
        counts = {}
        for url in values:
            counts[url] = counts.get(url, 0) + 1
        for url, count in counts.items():
            yield key, (url, count)
"""


KILL_THE_TASK = """\
import os, signal
for pid in filter(str.isdecimal, os.listdir('/proc')):
    with open(f'/proc/{pid}/cmdline', 'rb') as file:
        if b'podreduce' in file.read() and int(pid) != os.getpid():
            os.kill(int(pid), signal.SIGKILL)
"""
GO_ON = f"os.environ.get('{SCRATCH_DIRECTORY}', '/tmp') + '/go-on'"
"""In Python: the path of the file that ends slowness."""

GATED = {"spec": {"schedulingGates": [{"name": "example.com/admission"}]}}
"""The pod template of pods that wait until `open_gate`."""
SHARED_PROCESSES = {"spec": {"shareProcessNamespace": True}}
"""A pod template: without it nobody in a container can kill its first process."""


def slow_attempt(program: str, attempt: str) -> str:
    """Return `program`, slowed down in the pod whose name ends in `attempt`, such as `m-3-1`.

    It is slow for some 20 s, or until `JobWorld.go_on`.
    """
    return f"""\
import os
import time

{program}

def slowed(function):
    calls = iter(range(1000))

    def slow(*arguments):
        for _ in calls:
            if not os.path.exists({GO_ON}):
                time.sleep(0.02)
            break
        yield from function(*arguments)
    return slow


if os.environ["PODREDUCE_POD_NAME"].endswith("-{attempt}"):
    for job in [value for value in globals().values() if hasattr(value, "map_func")]:
        job.map_func = slowed(job.map_func)
        job.reduce_func = slowed(job.reduce_func)
"""


def make_manifest(name: str, source: str, *, input_uri: str, output_uri: str, **spec: Any) -> dict[str, Any]:
    """Return a MapReduceJob of 8 shards and 3 partitions that retries soon."""
    defaults: dict[str, Any] = {
        "program": {"source": source},
        "input": {"uris": [input_uri]},
        "output": {"uri": output_uri},
        "map": {"shards": 8},
        "reduce": {"partitions": 3},
        "parallelism": 4,
        "backoff": {"initialSeconds": 1, "factor": 2, "maxSeconds": 8},
    }
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {"name": name},
        "spec": {**defaults, **spec},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWorld:
    """A namespace with a storage Secret, for one test."""

    cluster: Cluster
    minio: ClusterMinio
    installation: Installation
    namespace: str
    corpus_bucket: str
    output_bucket: str
    work_bucket: str

    @classmethod
    def create(cls, cluster: Cluster, minio: ClusterMinio, installation: Installation) -> "JobWorld":
        """Make a namespace for jobs of this installation."""
        namespace = cluster.namespace("jobs")
        cluster.apply(minio.secret(f"s3://{WORK}/"), namespace=namespace)
        return cls(
            cluster=cluster,
            minio=minio,
            namespace=namespace,
            corpus_bucket=CORPUS,
            output_bucket=OUTPUT,
            work_bucket=WORK,
            installation=installation,
        )

    def input_uri(self, corpus: str) -> str:
        """Return the prefix of a corpus: `words` or `logs`."""
        return f"s3://{self.corpus_bucket}/{corpus}/"

    def output_uri(self, name: str) -> str:
        """Return an output prefix of this test's own."""
        return f"s3://{self.output_bucket}/{self.namespace}/{name}/"

    def start(self, name: str, source: str, *, corpus: str = "words", **spec: Any) -> None:
        """Apply a job over a corpus."""
        spec = {"output_uri": self.output_uri(name), "input_uri": self.input_uri(corpus), **spec}
        self.cluster.apply(make_manifest(name, source, **spec), namespace=self.namespace)

    def wait(self, name: str, condition: str, timeout: int = 240) -> dict[str, Any]:
        """Wait for a condition and return the job; a job that ends otherwise, or never, shows its story."""

        def settled() -> str | None:
            true = {each["type"] for each in self.conditions(name) if each["status"] == "True"}
            return next((kind for kind in (condition, "Complete", "Failed") if kind in true), None)

        try:
            found = self.cluster.wait_for(settled, f"{condition} of {name}", timeout)
        except ClusterError as late:
            raise AssertionError(f"{late}\n{self.describe(name)}") from late
        assert found == condition, self.describe(name)
        return self.job(name)

    def run(self, name: str, source: str, **spec: Any) -> dict[str, Any]:
        """Apply a job and wait until it is complete."""
        self.start(name, source, **spec)
        return self.wait(name, "Complete")

    def patch(self, name: str, **spec: Any) -> None:
        """Change fields of a job's spec."""
        change = ("--type=merge", "--patch", json.dumps({"spec": spec}))
        self.cluster.kubectl("patch", "mrj", name, *change, "--namespace", self.namespace)

    def open_gate(self, pod: str) -> None:
        """Let a pod that was created with `GATED` be scheduled."""
        lift = '[{"op": "remove", "path": "/spec/schedulingGates"}]'
        self.cluster.kubectl("patch", "pod", pod, "--type=json", "--patch", lift, "--namespace", self.namespace)

    def job(self, name: str) -> dict[str, Any]:
        """Return the MapReduceJob."""
        job = self.cluster.get("mrj", name, self.namespace)
        assert job is not None, f"no job {name}"
        return job

    def describe(self, name: str) -> str:
        """Return what a person would look at: the job's description and its pods."""
        place = ("--namespace", self.namespace)
        texts = [
            self.cluster.kubectl("describe", "mrj", name, *place, check=False).stdout,
            self.cluster.kubectl("get", "pods", *place, "-o", "wide", check=False).stdout,
            self.installation.logs(),
        ]
        return "\n".join(texts)

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return a condition, or nothing while there is none."""
        return next((condition for condition in self.conditions(name) if condition["type"] == kind), {})

    def conditions(self, name: str) -> list[dict[str, Any]]:
        """Return all conditions; one request."""
        conditions: list[dict[str, Any]] = self.job(name).get("status", {}).get("conditions", [])
        return conditions

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Return the job's pods."""
        return self.cluster.list("pods", self.namespace, f"podreduce.dev/job={name}")

    def running_pods(self, name: str) -> list[str]:
        """Return the names of the job's pods that have not ended."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods(name)
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def wait_for_progress(self, name: str, attempt: str, timeout: int = 90) -> dict[str, Any]:
        """Wait until the pod whose name ends in `attempt` has logged that it read records; return the pod."""

        def progressing() -> dict[str, Any] | None:
            for pod in self.pods(name):
                if pod["metadata"]["name"].endswith(f"-{attempt}") and self.records_logged(pod) > 0:
                    return pod
            return None

        return self.cluster.wait_for(progressing, f"progress of {attempt}", timeout)

    def records_logged(self, pod: dict[str, Any]) -> int:
        """Return how many records the pod's last progress line says it has read; 0 without one."""
        logs = self.cluster.log(pod["metadata"]["name"], self.namespace)
        lines = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
        records = [line["records"] for line in lines if line.get("event") == "progress"]
        return max(records, default=0)

    def go_on(self, pod: dict[str, Any]) -> None:
        """Have a `slow_attempt` be slow no longer; one that has ended needs no telling."""
        touch = f"import os; open({GO_ON}, 'w').close()"
        name = pod["metadata"]["name"]
        self.cluster.kubectl("exec", name, "--namespace", self.namespace, "--", "python3", "-c", touch, check=False)

    def kill(self, pod: dict[str, Any]) -> None:
        """Kill the task's processes by SIGKILL, from another process of their container."""
        name = pod["metadata"]["name"]
        command = ("exec", name, "--namespace", self.namespace, "--", "python3", "-c", KILL_THE_TASK)
        self.cluster.kubectl(*command, check=False)

    def parts(self, name: str, output_uri: str | None = None) -> list[bytes]:
        """Return the published parts, in order; the output must be complete, and what was staged goes in a moment."""
        bucket, _, prefix = (output_uri or self.output_uri(name)).removeprefix("s3://").partition("/")
        store = self.minio.store(bucket)
        keys = self.keys(bucket, prefix)
        assert f"{prefix}_SUCCESS" in keys, keys
        self.cluster.wait_for(
            lambda: not any("_podreduce-" in key for key in self.keys(bucket, prefix)),
            "the end of claim and staged parts",
        )
        names = sorted(key for key in keys if key.removeprefix(prefix).startswith("part-"))
        return [bytes(obstore.get(store, key).bytes()) for key in names]

    def objects(self, name: str) -> dict[str, bytes]:
        """Return all objects of an output, by their names below it."""
        bucket, _, prefix = self.output_uri(name).removeprefix("s3://").partition("/")
        store = self.minio.store(bucket)
        return {key.removeprefix(prefix): bytes(obstore.get(store, key).bytes()) for key in self.keys(bucket, prefix)}

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return all keys below a prefix."""
        pages = obstore.list(self.minio.store(bucket), prefix=prefix or None)
        return [found["path"] for page in pages for found in page if found["path"].startswith(prefix)]

    def work_keys(self, name: str) -> list[str]:
        """Return what the operator and tasks keep for the job's runs."""
        return [key for key in self.keys(self.work_bucket, "") if f"/{self.namespace}/{name}/" in f"/{key}"]

    def commits(self, name: str) -> list[str]:
        """Return the keys of the job's commit records."""
        return [key for key in self.work_keys(name) if "/commits/" in key]

    def commit(self, name: str, task: str) -> dict[str, Any]:
        """Return the commit record of a task, such as `m-3`."""
        keys = [key for key in self.work_keys(name) if f"/commits/{task}-" in key]
        assert len(keys) == 1, keys
        record: dict[str, Any] = json.loads(bytes(obstore.get(self.minio.store(self.work_bucket), keys[0]).bytes()))
        return record
