"""What a post-mortem on a real cluster knows of its attempts: nodes, times, requests, logs, and who was taken away."""

import json
from io import BytesIO
from typing import Any

import obstore
import pyarrow.parquet as pq
import pytest

from tests.e2e.jobs import WORD_COUNT, JobWorld, slow_attempt

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("schedules")]  # minutes pass meanwhile

FAILING = """\
import os

class Failing:
    def map_func(self, key, value):
        if "-m-1-" in os.environ["PODREDUCE_POD_NAME"]:
            print("about to fail", flush=True)
            raise ValueError("of my own making")
        yield value, 1
"""

HANGING = """\
import time

class Hanging:
    def map_func(self, key, value):
        print("waiting with", key, flush=True)
        time.sleep(600)
        yield value, 1
"""


def read_link(world: JobWorld, name: str, link: str) -> bytes:
    """Wait until the job's status has the link, and read what it leads to."""
    uri: str = world.cluster.wait_for(
        lambda: world.job(name)["status"].get("postMortem", {}).get(link), f"the {link} of {name}", timeout=60
    )
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(obstore.get(world.minio.store(bucket), key).bytes())


def read_table(world: JobWorld, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(BytesIO(read_link(world, name, "attemptsUri"))).to_pylist()
    return rows


def test_a_failed_job_tells_its_story(world: JobWorld) -> None:
    backoff = {"initialSeconds": 1, "factor": 1, "maxSeconds": 1}
    world.start("told", FAILING, map={"shards": 3}, reduce={"partitions": 1}, backoffLimitPerTask=1, backoff=backoff)
    job = world.wait("told", "Failed", timeout=120)
    rows, story = read_table(world, "told"), json.loads(read_link(world, "told", "uri"))

    failed = [row for row in rows if row["result"] == "Failed"]
    assert [(row["task"], row["reason"], row["counted"], row["ordinal"]) for row in failed] == [
        ("m-1", "ProgramError", True, 1),
        ("m-1", "ProgramError", True, 2),
    ]
    assert {failure["attempt"] for failure in job["status"]["failures"]} == {row["attempt"] for row in failed}
    for row in rows:
        assert row["node"]
        assert row["memory_requested_bytes"] > 0
        assert row["cpu_requested"] > 0
    for row in failed:
        assert row["created_at"] <= row["scheduled_at"] <= row["started_at"] <= row["finished_at"]
    committed = [row for row in rows if row["result"] == "Committed"]
    assert committed
    assert {row["why_deleted"] for row in committed} <= {"committed", "job failed", "job ended"}
    assert [attempt["attempt"] for attempt in story["timeline"]] == [row["attempt"] for row in rows]
    assert story["reason"] == "BackoffLimitExceeded"
    assert len(story["failures"]) == len(failed)
    for failure in story["failures"]:
        assert failure["traceback"][-1] == "ValueError: of my own making"
        assert "about to fail" in failure["log"]


def test_attempts_that_the_jobs_deadline_stops_leave_their_last_words(world: JobWorld) -> None:
    world.start("late", HANGING, map={"shards": 2}, activeDeadlineSeconds=25)
    assert not world.wait("late", "Failed")["status"].get("failures")
    story = json.loads(read_link(world, "late", "uri"))
    assert story["reason"] == "DeadlineExceeded"
    assert story["totals"]["byResult"] == {"Stopped": 2}
    assert {stopped["task"] for stopped in story["stopped"]} == {"m-0", "m-1"}
    for stopped in story["stopped"]:
        assert stopped["node"]
        assert any(line.startswith("waiting with") for line in stopped["log"]), stopped["log"]


def test_a_pod_deleted_by_hand_is_in_the_story(world: JobWorld) -> None:
    world.start("taken", slow_attempt(WORD_COUNT, "m-5-1"), backoffLimitPerTask=0)
    pod = world.wait_for_progress("taken", "m-5-1")
    world.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--namespace", world.namespace)
    world.wait("taken", "Complete")
    rows = {row["attempt_id"]: row for row in read_table(world, "taken")}
    row = rows[f"{pod['metadata']['uid']}-0"]
    assert (row["task"], row["result"], row["reason"], row["counted"]) == ("m-5", "Failed", "PodDeleted", False)
    assert (row["node"], row["why_deleted"]) == (pod["spec"]["nodeName"], None)
    assert row["deleted_at"] >= row["started_at"]
    assert sum(row["result"] == "Committed" for row in rows.values()) == 8 + 3
