"""Several tasks in one process tree, as a pod runs them: each an attempt of its own, the next only after a commit."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord, TaskRef
from podreduce.contract.wire import decode
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.side_inputs import put_side_input
from tests.support.task_processes import Ended, TaskProcesses
from tests.support.task_runs import WORD_COUNT, TaskRun

THREE_LINES = {"a": b"one\ntwo\nend\n"}
M0, M1, M2 = map_task(0), map_task(1), map_task(2)

FRESH = """
SEEN = []
class Job:
    def map_func(self, key, value):
        SEEN.append(value)
        yield "seen", len(SEEN)
"""
"""Yields 1 for the first record of each process."""

ON_TWO = """
import os, sys, time
class Job:
    def map_func(self, key, value):
        if value == "two":
            {}
        yield value, 1
"""


@pytest.fixture
def tasks(tmp_path: Path) -> TaskProcesses:
    return TaskProcesses(tmp_path)


def three(tasks: TaskProcesses, source: str, **fields: Any) -> TaskRun:
    """A run of three maps, a line each."""
    return tasks.run(source=source, objects=THREE_LINES, cuts=(4, 8), **{"partitions": 1, **fields})


def call_three(tasks: TaskProcesses, run: TaskRun) -> Ended:
    return tasks.call(run, M0, pod_uid="uid", more_tasks=(M1, M2))


def committed(run: TaskRun) -> dict[TaskRef, str]:
    """By task, the attempt that committed it."""
    keys = [meta.key for meta in run.store.list("commits/")]
    records = [decode(run.store.get(key), CommitRecord) for key in keys]
    return {record.task: record.attempt_id for record in records}


def test_three_tasks_of_a_pod_commit_three_attempts(tasks: TaskProcesses) -> None:
    run = three(tasks, FRESH)
    ended = call_three(tasks, run)
    assert (ended.code, ended.outcome, ended.stderr) == (0, None, "")
    assert committed(run) == {M0: "uid-0", M1: "uid-1", M2: "uid-2"}
    told = {(event["task"], event["attempt"]) for event in ended.events}
    assert told == {("m-0", "uid-0"), ("m-1", "uid-1"), ("m-2", "uid-2")}


def test_each_task_finds_the_program_as_it_was_loaded(tasks: TaskProcesses) -> None:
    run = three(tasks, FRESH, partitions=0)
    assert call_three(tasks, run).code == 0
    parts = [decode(run.store.get(commit_key(task, 0)), CommitRecord) for task in (M0, M1, M2)]
    assert run.lines_of(parts) == ["seen\t1"] * 3


IMPORTING = """
import sys
import numpy as np
import pyarrow as pa
BEFORE = set(sys.modules)
class Job:
    def map_batch(self, batch):
        return pa.table({{"key": np.arange(len(batch)), "value": np.ones(len(batch))}})
    def setup(self, context):
        self.task = context.task
    def teardown(self):
        found = sorted(set(sys.modules) - BEFORE)
        open(f"{directory}/{{self.task}}", "w").write("\\n".join(found))
"""


def test_tasks_over_columns_are_forked_with_what_the_first_has_imported(tasks: TaskProcesses) -> None:
    run = three(tasks, IMPORTING.format(directory=tasks.directory))
    assert call_three(tasks, run).code == 0
    assert len(committed(run)) == 3
    imported = [(tasks.directory / str(task)).read_text().split() for task in (M0, M1, M2)]
    assert "podreduce.task.map_batches" in imported[0]
    assert imported[1:] == [[], []]


ONCE = """
import os
class Job:
    def setup(self, context):
        self.words = [value for _, value in context.side_input("words")]
        self.rows = context.side_table("words").num_rows
        if os.path.exists({path!r}):
            os.remove({path!r})
    def map_func(self, key, value):
        yield value, (self.rows, *self.words)
"""


def test_the_tasks_of_a_pod_fetch_a_side_input_once(tasks: TaskProcesses) -> None:
    """The first task deletes the object: no other can fetch it again."""
    place = tasks.directory / "side"
    side = put_side_input(f"file://{place}/", "words", {"words.txt": b"a\nb\n"})
    (tasks.directory / "scratch").mkdir()
    run = three(
        tasks,
        ONCE.format(path=str(place / "words.txt")),
        partitions=0,
        plan_changes={"side_inputs": (side,)},
        scratch_directory=str(tasks.directory / "scratch"),
    )
    ended = call_three(tasks, run)
    assert (ended.code, ended.outcome) == (0, None)
    parts = [decode(run.store.get(commit_key(task, 0)), CommitRecord) for task in (M0, M1, M2)]
    assert run.lines_of(parts) == [f'{word}\t[2,"a","b"]' for word in ("one", "two", "end")]
    again = tasks.call(run, M0, generation=1, scratch_directory=str(tasks.directory))
    assert again.outcome
    assert again.outcome.reason == "InputError"
    assert "side input words: " in again.outcome.message
    assert "the object is gone since the plan was made" in again.outcome.message


WRITING = """
import os, signal
class Job:
    def setup(self, context):
        path = context.output_file(f"{context.task}-{os.environ.get('PODREDUCE_POD_UID', 'twin')}.txt")
        path.write_text("text")
        if os.environ.get("PODREDUCE_POD_UID") == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    def map_func(self, key, value):
        yield value, 1
"""


def test_the_files_of_each_task_are_those_of_its_attempt_that_counts(tasks: TaskProcesses) -> None:
    run = three(tasks, WRITING, partitions=0, scratch_directory=str(tasks.directory))
    assert tasks.call(run, M0, pod_uid="killed").code == -signal.SIGKILL
    run.map(1, pod_uid="twin")
    assert call_three(tasks, run).code == 0  # ends when it finds that its second task was beaten
    assert tasks.call(run, M2, pod_uid="last").code == 0
    parts = [decode(run.store.get(commit_key(task, 0)), CommitRecord) for task in (M0, M1, M2)]
    names = [each.name for part in parts for each in part.files]
    assert names == ["m-0-uid.txt", "m-1-twin.txt", "m-2-last.txt"]
    staged = {meta.key for meta in run.output.list() if "-file-" in meta.key}
    assert staged == {each.key for part in parts for each in part.files}


def test_a_task_that_fails_ends_the_pod_and_the_next_has_no_turn(tasks: TaskProcesses) -> None:
    run = three(tasks, ON_TWO.format("raise KeyError(value)"))
    ended = call_three(tasks, run)
    assert ended.code == ExitCode.PROGRAM_ERROR
    assert ended.outcome
    assert (ended.outcome.reason, ended.events[-1]["attempt"]) == ("ProgramError", "uid-1")
    assert committed(run) == {M0: "uid-0"}


@pytest.mark.parametrize(
    ("words", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", 137), ("os._exit(0)", 0), ("os._exit(9)", 9)],
    ids=["killed", "exits with 0", "exits with 9"],
)
def test_a_task_that_ends_without_a_word_ends_the_pod_as_it_did(tasks: TaskProcesses, words: str, code: int) -> None:
    run = three(tasks, ON_TWO.format(f"import signal; {words}"))
    assert call_three(tasks, run).code == code
    assert committed(run) == {M0: "uid-0"}


def test_a_task_beaten_by_a_twin_ends_the_pod_without_a_failure(tasks: TaskProcesses) -> None:
    run = three(tasks, FRESH)
    run.map(1, pod_uid="twin")
    ended = call_three(tasks, run)
    assert (ended.code, ended.outcome) == (0, None)
    assert committed(run) == {M0: "uid-0", M1: "twin-0"}


def test_a_whole_job_goes_on_to_its_reduces_once_they_are_frozen(tasks: TaskProcesses) -> None:
    run = three(tasks, WORD_COUNT)
    environ = tasks.environ(
        run,
        M0,
        pod_uid="uid",
        more_tasks=(M1, M2, reduce_task(0), reduce_task(1)),
        shuffle_generation=0,
        shuffle_wait_seconds=60,
    )
    with tasks.open(environ) as process:
        until(lambda: len(committed(run)) == 3)
        run.shuffle([decode(run.store.get(commit_key(task, 0)), CommitRecord) for task in (M0, M1, M2)])
        ended = tasks.finish(process)
    assert (ended.code, ended.events[-1]["event"]) == (0, "nothing to do")
    assert committed(run)[reduce_task(0)] == "uid-3"
    assert reduce_task(1) not in committed(run)


def test_a_shuffle_that_does_not_come_is_told_as_such(tasks: TaskProcesses) -> None:
    run = three(tasks, WORD_COUNT)
    ended = tasks.call(run, M0, more_tasks=(reduce_task(0),), shuffle_generation=0, shuffle_wait_seconds=1)
    assert ended.code == ExitCode.SHUFFLE_NOT_FROZEN
    assert ended.outcome
    assert ended.outcome.reason == "ShuffleNotFrozen"


def test_a_map_only_program_has_no_reduces_to_wait_for(tasks: TaskProcesses) -> None:
    source = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"
    run = three(tasks, source, partitions=1)
    ended = tasks.call(run, M0, more_tasks=(M1, reduce_task(0)), shuffle_generation=0, shuffle_wait_seconds=60)
    assert ended.code == 0
    assert set(committed(run)) == {M0, M1}


@contextmanager
def asleep_on_two(tasks: TaskProcesses) -> Iterator[subprocess.Popen[str]]:
    """Tasks of which the second sleeps; the last line read is its progress."""
    run = three(tasks, ON_TWO.format("print(os.getpid(), file=sys.stderr, flush=True); time.sleep(600)"))
    with tasks.open(tasks.environ(run, M0, pod_uid="uid", more_tasks=(M1, M2))) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "task killed"])
def test_a_signal_ends_task_and_pod_at_once(tasks: TaskProcesses, number: signal.Signals) -> None:
    with asleep_on_two(tasks) as process:
        assert process.stderr
        task_pid = int(process.stderr.readline())
        started = time.monotonic()
        os.kill(process.pid if number is signal.SIGTERM else task_pid, number)
        code = process.wait(timeout=30)
        assert code == (ExitCode.TERMINATED if number is signal.SIGTERM else 137)
        assert time.monotonic() - started < 5
        until(lambda: not Path(f"/proc/{task_pid}").exists() or "Z" in stat_of(task_pid))
        assert process.stdout
        assert {json.loads(line)["task"] for line in process.stdout} <= {"m-0", "m-1"}


def stat_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


TURN = """
import os, time
from pathlib import Path
from podreduce.process import sequence
from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.task import CommitRecord
sequence.LINGER_SECONDS = 0.2
turn = sequence.take_turn(os.environ)
environment = TaskEnvironment.from_environ(os.environ)
task, log = str(environment.task), Path(environment.termination_log)
print(task, log.exists() and log.read_text(), flush=True)
log.write_text(f"{task} complains")
numbers = dict.fromkeys(("generation", "records_in", "bytes_in", "records_out", "bytes_out"), 0)
times = {"started_at": 0.0, "finished_at": 0.0}
commit = CommitRecord(task=environment.task, attempt_id=environment.attempt_id, pod_name="", **numbers, **times)
turn.end(environment, commit)
if task == "m-0":
    WAY_OUT
os._exit(0)
"""


@pytest.mark.parametrize("way_out", ["os._exit(3)", "time.sleep(600)"], ids=["fails", "lingers"])
def test_a_commit_is_a_turn_that_is_over_whatever_comes_after_it(tmp_path: Path, way_out: str) -> None:
    environ = {
        **os.environ,
        "PODREDUCE_RUN_URI": "memory://run/",
        "PODREDUCE_PLAN_DIGEST": "",
        "PODREDUCE_GENERATION": "0",
        "PODREDUCE_POD_UID": "uid",
        "PODREDUCE_POD_NAME": "pod",
        "PODREDUCE_TASK": "m-0",
        "PODREDUCE_MORE_TASKS": "m-1",
        "PODREDUCE_TERMINATION_LOG": str(tmp_path / "log"),
    }
    code = TURN.replace("WAY_OUT", way_out)
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    left = "" if "exit" in way_out else "m-0 complains"
    assert done.stdout.splitlines() == ["m-0 False", f"m-1 {left}"]
