"""Whole runs whose pods take several tasks: the operator's own loop over real processes and a directory."""

import asyncio
import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce.contract.wire import decode
from podreduce_operator.cluster.local.notices import Notice, PodEnded
from podreduce_operator.cluster.local.processes import ProcessCluster
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.limits import Limits
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.task_runs import WORD_COUNT

SECONDS = 120
TEXT = "".join(f"word{number % 7} the\n" for number in range(300))

FAILS_ONCE = f"""\
import os
{WORD_COUNT}
if os.environ["PODREDUCE_TASK"] == "m-1" and os.environ["PODREDUCE_POD_NAME"].endswith("-m-0-1"):
    def map_func(self, key, value):
        raise ValueError("of my own making")
    WordCount.map_func = map_func
"""
SMALL: dict[str, Any] = {"map": {}, "reduce": {}}
"""A spec that leaves the number of tasks to podreduce: one map for each input, and one reduce."""
MAP_ONLY = "class Lines:\n    def map_func(self, key, value):\n        yield key, value\n"
OWN_PARTITIONS = WORD_COUNT + "    def partition_func(self, key, partitions):\n        return len(key) % partitions\n"


class PackedRun:
    """A run in a directory, whose pods are processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "in").mkdir()
        (directory / "in" / "text.txt").write_text(TEXT)
        lines = TEXT.splitlines(keepends=True)
        for number in range(3):
            (directory / f"in-{number}").mkdir()
            (directory / f"in-{number}" / "text.txt").write_text("".join(lines[number::3]))
        self.pods: list[PodEnded] = []
        self.status: dict[str, Any] = {}

    async def run(self, source: str, *, packs: bool = True, parallelism: int = 1, **spec: Any) -> None:
        """Run the job to its end."""
        job = make_job(uid=str(uuid4()), spec=self.spec(source, spec))

        def tell(notice: Notice) -> None:
            if isinstance(notice, PodEnded):
                self.pods.append(notice)
                reconciler.wake(job.key)

        cluster = ProcessCluster(
            job=job, config_maps={}, work_directory=self.directory / "work", parallelism=2, tell=tell
        )
        limits = Limits(parallelism=parallelism, speculates=False, packs=packs)
        reconciler = Reconciler(cluster, limits=limits, status_interval_seconds=0.1)
        try:
            await asyncio.wait_for(reconciler.settle(job.key), SECONDS)
        finally:
            await reconciler.close()
            await cluster.close()
        self.status = dict(cluster.job.status)

    def spec(self, source: str, changes: dict[str, Any]) -> dict[str, Any]:
        return {
            "program": {"source": source},
            "input": {**make_job().raw_spec["input"], "uris": [f"file://{self.directory}/in/"]},
            "output": make_raw_output(uri=f"file://{self.directory}/out/"),
            "map": {"shards": 3},
            "reduce": {"partitions": 1},
            "backoff": {"initialSeconds": 0, "factor": 1, "maxSeconds": 0, "outOfMemoryFactor": 1},
            **changes,
        }

    def three_inputs(self) -> dict[str, Any]:
        """The same lines as three inputs: each is a map task's, without any number in the spec."""
        options = make_job().raw_spec["input"]
        named = [
            {**options, "name": f"part{number}", "uris": [f"file://{self.directory}/in-{number}/"]}
            for number in range(3)
        ]
        return {"input": None, "inputs": named, **SMALL}

    def words(self) -> Counter[str]:
        lines = [line for path in sorted(self.directory.glob("out/part-*")) for line in path.read_text().splitlines()]
        return Counter({word: int(count) for word, count in (line.split("\t") for line in lines)})

    def records(self, kind: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.directory.glob(f"work/store/**/{kind}/*.json"))]

    def committed(self) -> dict[str, str]:
        """By task, the pod and its turn: `0-1` is the second of the first pod that ended."""
        commits = [decode(data, CommitRecord) for data in self.records("commits")]
        uids = [ended.pod.uid for ended in self.pods]
        return {
            str(commit.task): f"{uids.index(commit.attempt_id.rpartition('-')[0])}-{commit.attempt_id[-1]}"
            for commit in commits
        }

    def table(self) -> list[dict[str, Any]]:
        """The rows of the attempts' table."""
        (path,) = self.directory.glob("work/store/**/attempts.parquet")
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows


@pytest.fixture
def packed(tmp_path: Path) -> PackedRun:
    return PackedRun(tmp_path)


async def test_a_pod_commits_three_attempts_of_three_tasks(packed: PackedRun) -> None:
    await packed.run(WORD_COUNT, tasksPerPod=3)
    assert packed.words() == Counter(TEXT.split())
    assert packed.committed() == {"m-0": "0-0", "m-1": "0-1", "m-2": "0-2", "r-0": "1-0"}
    assert packed.records("failures") == []


async def test_each_attempt_of_a_pod_is_in_the_table_with_its_own_times(packed: PackedRun) -> None:
    await packed.run(WORD_COUNT, tasksPerPod=3)
    rows = packed.table()
    assert [(row["task"], row["result"]) for row in rows] == [
        (task, "Committed") for task in ("m-0", "m-1", "m-2", "r-0")
    ]
    for row in rows:
        assert row["node"]
        assert row["created_at"] <= row["started_at"] <= row["finished_at"]
    turns = rows[:3]
    assert len({row["attempt"] for row in turns}) == 1
    assert all(earlier["finished_at"] <= later["started_at"] for earlier, later in itertools.pairwise(turns))


async def test_a_task_that_fails_costs_those_behind_it_nothing(packed: PackedRun) -> None:
    await packed.run(FAILS_ONCE, tasksPerPod=3)
    assert packed.words() == Counter(TEXT.split())
    (failure,) = [decode(data, FailureRecord) for data in packed.records("failures")]
    assert (str(failure.task), failure.reason, failure.counted) == ("m-1", "ProgramError", True)
    assert failure.attempt_id == f"{packed.pods[0].pod.uid}-1"
    assert packed.committed()["m-0"] == "0-0"
    assert {packed.committed()[task][0] for task in ("m-1", "m-2")} == {"1", "2"}
    failed = [row["task"] for row in packed.table() if row["result"] == "Failed"]
    assert failed == ["m-1"]


async def test_a_small_job_is_one_pods(packed: PackedRun) -> None:
    started = time.monotonic()
    await packed.run(WORD_COUNT, **packed.three_inputs())
    assert packed.words() == Counter(TEXT.split())
    assert packed.committed() == {"m-0": "0-0", "m-1": "0-1", "m-2": "0-2", "r-0": "0-3"}
    assert packed.records("failures") == []
    assert time.monotonic() - started < 20
    (pod,) = packed.pods
    assert (pod.pod.exit_code, pod.killed) == (0, False)


async def test_a_small_job_that_turns_out_map_only_waits_for_no_reduce(packed: PackedRun) -> None:
    await packed.run(MAP_ONLY, **packed.three_inputs())
    assert packed.status["phase"] == "Complete"
    assert packed.committed() == {"m-0": "0-0", "m-1": "0-1", "m-2": "0-2"}
    assert packed.records("failures") == []


async def test_a_job_that_asks_for_several_tasks_gets_a_pod_for_each_and_says_why(packed: PackedRun) -> None:
    await packed.run(WORD_COUNT, reduce={})
    assert packed.words() == Counter(TEXT.split())
    assert len(packed.pods) == 4
    (told,) = [each for each in packed.status["conditions"] if each["type"] == "SeveralPods"]
    assert (told["status"], told["reason"]) == ("True", "SeveralTasksAsked")
    assert told["message"] == "spec.map.shards asks for 3 map tasks, and the tasks of one pod run one after another"


async def test_what_one_pod_has_not_done_others_do(packed: PackedRun) -> None:
    await packed.run(FAILS_ONCE, **packed.three_inputs())
    assert packed.words() == Counter(TEXT.split())
    assert [json.loads(data)["task"] for data in packed.records("failures")] == [{"type": "map", "index": 1}]
    assert packed.committed()["m-0"] == "0-0"
    assert not [place for task, place in packed.committed().items() if task != "m-0" and place.startswith("0")]


async def test_a_program_that_partitions_itself_may_have_more_reduces_than_the_pod_knew(packed: PackedRun) -> None:
    await packed.run(OWN_PARTITIONS, parallelism=3, **packed.three_inputs())
    assert packed.words() == Counter(TEXT.split())
    assert packed.committed()["r-0"] == "0-3"


async def test_on_one_machine_auto_is_a_pod_for_each_task(packed: PackedRun) -> None:
    await packed.run(WORD_COUNT, packs=False, tasksPerPod="Auto", **packed.three_inputs())
    assert packed.words() == Counter(TEXT.split())
    assert len(packed.pods) == 4
