"""Pods that take several tasks, or a whole job: on a real kubelet, with real commits, and killed in the middle."""

from collections import Counter
from typing import Any

import obstore
import pytest

from tests.e2e.jobs import SHARED_PROCESSES, WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words
from tests.e2e.test_post_mortem import read_table

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("resumed")]  # likewise a minute after the suspension

SLOW_SECOND_TASK = f"""\
import os
import time

{WORD_COUNT}

if os.environ["PODREDUCE_TASK"] == "m-1" and os.environ["PODREDUCE_POD_NAME"].endswith("-m-0-1"):
    map_func = WordCount.map_func

    def slow(self, key, value):
        time.sleep(0.05)
        yield from map_func(self, key, value)

    WordCount.map_func = slow
"""

UNNUMBERED: dict[str, Any] = {"map": {}, "reduce": {}}
"""A spec that leaves the number of tasks to podreduce."""

TEXT = b"the fox and the hound\nand the end\n" * 1000


def pods_of(world: JobWorld, name: str, tasks: list[str]) -> dict[str, str]:
    """By task, the UID of the pod that committed it."""
    return {task: world.commit(name, task)["attemptId"].rpartition("-")[0] for task in tasks}


def put_text(world: JobWorld) -> str:
    """Put a small object; return its URI."""
    key = f"small/{world.namespace}.txt"
    obstore.put(world.minio.store(world.corpus_bucket), key, TEXT)
    return f"s3://{world.corpus_bucket}/{key}"


def maps(count: int) -> list[str]:
    return [f"m-{index}" for index in range(count)]


def test_twelve_maps_take_four_pods_of_three(world: JobWorld) -> None:
    world.run("packed", WORD_COUNT, map={"shards": 12}, parallelism=2, tasksPerPod=3, speculation="Never")
    assert read_words(world.parts("packed")) == count_words()
    pods = pods_of(world, "packed", maps(12))
    assert Counter(Counter(pods.values()).values()) == {3: 4}

    rows = {row["task"]: row for row in read_table(world, "packed") if row["task"].startswith("m-")}
    assert set(rows) == set(pods)
    for row in rows.values():
        assert (row["result"], bool(row["node"])) == ("Committed", True)
        assert row["created_at"] <= row["scheduled_at"] <= row["started_at"] <= row["finished_at"]
    later = [row for row in rows.values() if not row["attempt_id"].endswith("-0")]
    assert len(later) == 8


def test_a_small_job_is_done_by_one_pod(world: JobWorld) -> None:
    job = world.run("small", WORD_COUNT, input_uri=put_text(world), **UNNUMBERED)
    assert read_words(world.parts("small")) == Counter(TEXT.decode().split())
    pods = pods_of(world, "small", ["m-0", "r-0"])
    assert len(set(pods.values())) == 1
    assert (job["status"]["map"]["progress"], job["status"]["reduce"]["progress"]) == ("1/1", "1/1")
    assert job["status"].get("failures", []) == []
    assert not world.condition("small", "SeveralPods")


def test_a_small_job_that_asks_for_three_maps_gets_three_pods_and_says_why(world: JobWorld) -> None:
    job = world.run("asked", WORD_COUNT, input_uri=put_text(world), map={"shards": 3}, reduce={})
    assert read_words(world.parts("asked")) == Counter(TEXT.decode().split())
    assert len(set(pods_of(world, "asked", [*maps(3), "r-0"]).values())) == 4
    assert world.condition("asked", "SeveralPods")["reason"] == "SeveralTasksAsked"
    assert job["spec"]["execution"] == "Auto", "it is the default"


def test_a_small_map_only_job_has_no_reduces_to_wait_for(world: JobWorld) -> None:
    source = "class Lines:\n    def map_func(self, key, value):\n        yield key, value\n"
    job = world.run("lines", source, input_uri=put_text(world), **UNNUMBERED)
    lines = b"".join(world.parts("lines")).splitlines()
    assert len(lines) == len(TEXT.splitlines())
    assert len(set(pods_of(world, "lines", maps(1)).values())) == 1
    assert job["status"]["reduce"]["progress"] == "0/0"
    assert job["status"].get("failures", []) == []


def test_a_pod_killed_amid_its_second_task_is_made_again_but_for_its_first(world: JobWorld) -> None:
    spec = {"map": {"shards": 3}, "parallelism": 1, "tasksPerPod": 3, "speculation": "Never"}
    world.start("killed", SLOW_SECOND_TASK, podTemplate=SHARED_PROCESSES, **spec)
    world.cluster.wait_for(lambda: world.commits("killed"), "the commit of m-0", 90)
    pod = world.wait_for_progress("killed", "m-0-1")
    assert pod["metadata"]["annotations"]["podreduce.dev/tasks"] == "m-0 m-1 m-2"
    world.kill(pod)
    job = world.wait("killed", "Complete")
    failures = [(failure["task"], failure["reason"]) for failure in job["status"]["failures"]]
    assert failures == [("m-1", "Killed")]
    uid = pod["metadata"]["uid"]
    pods = pods_of(world, "killed", maps(3))
    assert [pods[task] == uid for task in maps(3)] == [True, False, False]
    assert world.commit("killed", "m-0")["attemptId"] == f"{uid}-0"
    assert read_words(world.parts("killed")) == count_words()
