"""Every command about a job and a pipeline that runs, failed or is complete, on a real API server and MinIO, whole.

No operator runs: the tests write the statuses that one would have written, and what its tasks would have stored.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import pytest

from podreduce.contract.layout import run_prefix
from podreduce.contract.task import OutputManifest, OutputPart
from podreduce.contract.wire import digest_bytes, encode
from podreduce_operator.cli.cluster.commands import COMMANDS
from podreduce_operator.pods.pod_names import hash_run
from tests.cluster.cluster import Cluster
from tests.cluster.minio import MinioServer
from tests.conformance.person import Person, appear
from tests.support.job_manifests import (
    complete_job,
    condition,
    failed_job,
    make_pipeline_manifest,
    make_schedule,
    running_job,
    time_before,
)
from tests.support.pairs_oracle import write_pairs
from tests.support.transcripts import play, read_commands

pytestmark = pytest.mark.e2e

PLACE = re.compile(r" --kubeconfig \S+ -n [a-z0-9-]+")
AMOUNT = r"(?:\d+ h \d+ min|\d+ min \d+ s|[\d.]+ s)"
CHANGING = {
    re.compile(rf"\b(for|in|after|took) {AMOUNT}"): r"\1 A WHILE",
    re.compile(rf"{AMOUNT} ago"): "A WHILE ago",
    re.compile(r"(?m)(?<= )\d+m(?= |$)"): "Nm",
    re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"): "TIME",
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"): "UID",
}
SOURCE = "class Words:\n    def map_func(self, key, value):\n        yield value, 1\n"
TOLD = "BackoffLimitExceeded: m-3 failed 5 times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The pipeline `web`: words is for other steps, counts and top have outputs with a URI. A job may be beside it."""

    person: Person
    minio: MinioServer
    bucket: str
    uid: str

    @property
    def run_hash(self) -> str:
        return hash_run(self.uid, "1")

    def types(self, words: Sequence[str]) -> tuple[int, str, str]:
        """Run a command, and return its exit code and what it printed, without what differs from run to run."""
        done = self.person.types(*words, typed="")
        return done.exit_code, self.plain(done.stdout), self.plain(done.stderr)

    def plain(self, text: str) -> str:
        text = PLACE.sub("", text).replace(self.run_hash, "HASH").replace(self.person.namespace, "NS")
        text = text.replace(self.bucket, "BUCKET")
        for pattern, shown in CHANGING.items():
            text = pattern.sub(shown, text)
        return text

    def stands(self, phase: str, *steps: dict[str, Any], conditions: list[dict[str, Any]]) -> None:
        """Write the pipeline's status."""
        done = sum(step["state"] == "Complete" for step in steps)
        manifest = make_pipeline_manifest(
            phase=phase, steps=list(steps), progress=f"{done}/{len(steps)}", conditions=conditions
        )
        status = {
            name: value for name, value in manifest["status"].items() if name not in {"loop", "loops", "criticalPath"}
        }
        if phase in {"Complete", "Failed"}:
            status |= {"startTime": time_before(180), "completionTime": time_before(90)}
        self.person.write_status("mrp", "web", status)

    def has_job(self, step: str, job: dict[str, Any], **logs: str) -> None:
        """Create the job of a step, or `wordcount`, with the logs that the store keeps of its tasks; m-3 failed."""
        name = f"web-{step}-{self.run_hash}" if step else "wordcount"
        owner = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReducePipeline", "name": "web", "uid": self.uid,
                 "controller": True}  # fmt: skip
        labels = {"podreduce.dev/step": step, "podreduce.dev/pipeline-run": self.run_hash}
        job["metadata"] |= {"labels": labels, "ownerReferences": [owner]} if step else {}
        uid = self.person.has(job, name)
        run = f"work/{run_prefix('one', self.person.namespace, name, uid, '1')}"
        for task, text in logs.items():
            self.store(f"{run}logs/{task.replace('_', '-')}-of-{task}-0.log", text.encode())
        if "m_3" in logs:
            self.store(f"{run}failures/m-3-of-m_3-0.json", b"{}")

    def publish(self, name: str) -> None:
        """Store an output with its manifest."""
        data = f"{name}\t1\nb\t2\n".encode()
        part = OutputPart(name="part-r-00000.txt", records=2, bytes=len(data), sha256=digest_bytes(data))
        manifest = OutputManifest(
            job=f"web-{name}", namespace="here", uid="uid", run_id="1", plan_digest="0" * 64, format="Text",
            records=2, bytes=len(data), parts=(part,),
        )  # fmt: skip
        for key, stored in ((part.name, data), ("_MANIFEST.json", encode(manifest)), ("_SUCCESS", b"")):
            self.store(f"{name}/{key}", stored)

    def store(self, key: str, data: bytes) -> None:
        obstore.put(self.minio.store(self.bucket), key, data)


def line(web: Web, name: str, state: str, **fields: Any) -> dict[str, Any]:
    job = {} if state in {"Waiting", "NotReached"} else {"job": f"web-{name}-{web.run_hash}"}
    amount = {"records": 2, "bytes": 8, "seconds": 4} if state == "Complete" else {}
    return {"name": name, "state": state, **job, **amount, **fields}


@pytest.fixture
def web(cluster: Cluster, minio: MinioServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with appear(cluster, monkeypatch) as person:
        bucket = minio.make_bucket("pipelines")
        person.has_storage(minio, bucket)
        manifest = make_pipeline_manifest()
        del manifest["status"]
        read = [{"uris": [f"s3://{bucket}/texts/"]}]
        manifest["spec"] = {
            "program": {"source": SOURCE},
            "steps": [
                {"name": "words", "inputs": read},
                {"name": "counts", "inputs": [{"from": "words"}], "output": {"uri": f"s3://{bucket}/counts/"}},
                {"name": "top", "inputs": [{"from": "counts"}], "output": {"uri": f"s3://{bucket}/top/"}},
            ],
        }
        uid = person.has(manifest)
        made = Web(person=person, minio=minio, bucket=bucket, uid=uid)
        steps = f"work/{run_prefix('one', person.namespace, 'web', uid, '_steps')}data/words/"
        made.store(f"{steps}part-r-00000.pairs", write_pairs([("a", 1), (("b", 2), 3)]))
        made.store(f"{steps}_SUCCESS", b"")
        yield made


def run_on(web: Web) -> None:
    """Have the step counts running: its job waits for a quota."""
    web.stands(
        "Running",
        line(web, "words", "Complete"),
        line(web, "counts", "Running", progress="maps 4/16"),
        line(web, "top", "Waiting"),
        conditions=[condition("Ready", "Running", holds=False), condition("Reconciling", "Running")],
    )
    web.has_job("words", complete_job(), r_0="words went well\n")
    web.has_job("counts", running_job("QuotaExceeded", "exceeded quota: few"), m_0="one is done\n")


def fail(web: Web) -> None:
    """Have the step counts failed."""
    web.stands(
        "Failed",
        line(web, "words", "Complete"),
        line(web, "counts", "Failed", message=TOLD),
        line(web, "top", "NotReached"),
        conditions=[
            condition("Ready", "StepFailed", holds=False),
            condition("Failed", "StepFailed", f"the step counts failed: {TOLD}"),
        ],
    )
    web.has_job("words", complete_job(), r_0="words went well\n")
    web.has_job("counts", failed_job(), m_0="one is done\n", m_3="one\nboom\n")


def complete(web: Web) -> None:
    """Have everything done."""
    names = ("words", "counts", "top")
    web.stands(
        "Complete",
        *(line(web, name, "Complete") for name in names),
        conditions=[condition("Ready", "AllStepsComplete"), condition("Complete", "AllStepsComplete")],
    )
    for name in names:
        web.has_job(name, complete_job(), r_0=f"{name} went well\n")
    for name in names[1:]:
        web.publish(name)


def have_job(web: Web, job: dict[str, Any]) -> None:
    """Have a job beside the pipeline, with what the store keeps of its tasks."""
    failed = job["status"]["phase"] == "Failed"
    web.has_job("", job, m_0="m-0 went well\n", **({"m_3": "one\nboom\n"} if failed else {}))


def complete_one(web: Web) -> None:
    """Have a complete job, with its output."""
    web.publish("counts")
    have_job(web, complete_job(output={"uri": f"s3://{web.bucket}/counts/", "records": 2, "bytes": 13}))


STATES: dict[str, Callable[[Web], None]] = {
    "job-running": lambda web: have_job(web, running_job("QuotaExceeded", "exceeded quota: few")),
    "job-failed": lambda web: have_job(web, failed_job()),
    "job-complete": complete_one,
    "pipeline-running": run_on,
    "pipeline-failed": fail,
    "pipeline-complete": complete,
}
TRANSCRIPTS = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("state", STATES)
def test_every_command_prints_what_its_transcript_has(web: Web, state: str) -> None:
    STATES[state](web)
    expected = (TRANSCRIPTS / f"{state}.txt").read_text(encoding="utf-8")
    assert play(expected, web.types) == expected


def test_each_transcript_has_every_command() -> None:
    for state in STATES:
        typed = read_commands((TRANSCRIPTS / f"{state}.txt").read_text(encoding="utf-8"))
        assert {command.split()[0] for command in typed} == set(COMMANDS), state


def test_a_schedule_is_answered_by_the_newest_pipeline_that_it_made(web: Web) -> None:
    complete(web)
    nightly = make_schedule()
    nightly["spec"] = {"schedule": "0 2 * * *", "pipelineTemplate": {"spec": web.person.get("mrp", "web")["spec"]}}
    uid = web.person.has(nightly)
    owner = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceSchedule", "name": "nightly", "uid": uid,
             "controller": True}  # fmt: skip
    patch = json.dumps({"metadata": {"ownerReferences": [owner]}})
    web.person.cluster.kubectl("patch", "mrp", "web", "-n", web.person.namespace, "--type=merge", "-p", patch)
    expected = (TRANSCRIPTS / "schedule-of-pipelines.txt").read_text(encoding="utf-8")
    assert play(expected, web.types) == expected
