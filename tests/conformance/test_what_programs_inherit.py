"""What a program finds in its process, and what the processes that it starts find in theirs, however the task starts.

It starts cold (a pod of its own, a laptop without Linux), forked by the fork server (a local run), or forked in turn (a
pod of several tasks). All three must agree, with one another and with the program run by hand.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord, TaskRef
from podreduce.contract.wire import decode
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.task_process import TASK_COMMAND, TaskProcess
from tests.support.builders.tasks import map_task
from tests.support.task_processes import TaskProcesses
from tests.support.task_runs import TaskRun

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells, and the fork server is there")

LINES = {"a": b"one\ntwo\n"}
M0, M1 = map_task(0), map_task(1)
SECONDS = 60

Start = Callable[[TaskProcesses, TaskRun], int]


def start_cold(tasks: TaskProcesses, run: TaskRun) -> int:
    return max(tasks.finish(tasks.open(tasks.environ(run, task))).code for task in (M0, M1))


def start_in_turn(tasks: TaskProcesses, run: TaskRun) -> int:
    return tasks.finish(tasks.open(tasks.environ(run, M0, more_tasks=(M1,)))).code


def start_forked(tasks: TaskProcesses, run: TaskRun) -> int:
    async def start() -> int:
        server = ForkServer.open()
        assert server is not None
        codes = []
        try:
            for task in (M0, M1):
                environ = tasks.environ(run, task)
                process = await TaskProcess.start(TASK_COMMAND, environ, tasks.directory / "log", print, server)
                codes.append(await asyncio.wait_for(process.wait(), SECONDS))
        finally:
            server.close()
        return max(codes)

    return asyncio.run(start())


STARTS = {"cold": start_cold, "forked": start_forked, "in-turn": start_in_turn}


@pytest.fixture(params=STARTS.values(), ids=STARTS)
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; and a seed and a search path that are somebody else's."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path / "here"


def outputs(tmp_path: Path, start: Start, source: str) -> list[Any]:
    """What each of two tasks of a map-only program has yielded, as values of JSON."""
    tasks = TaskProcesses(tmp_path)
    run = tasks.run(source=source, objects=LINES, cuts=(4,), partitions=0)
    assert start(tasks, run) == 0
    return [json.loads(told(run, task).partition("\t")[2]) for task in (M0, M1)]


def told(run: TaskRun, task: TaskRef) -> str:
    (line,) = run.lines_of([decode(run.store.get(commit_key(task, 0)), CommitRecord)])
    return line


HASHES = """
class Hashes:
    def map_func(self, key, value):
        words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"}
        yield "k", [hash("a"), hash(b"a"), hash(("a", 1)), list(words), list(frozenset(words))]
"""


def test_hashes_and_the_order_of_sets_are_the_same_in_every_process(tmp_path: Path, here: Path, start: Start) -> None:
    del here
    by_hand = 'words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"}; import json; print(json.dumps('
    by_hand += '[hash("a"), hash(b"a"), hash(("a", 1)), list(words), list(frozenset(words))]))'
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    said = subprocess.run([sys.executable, "-c", by_hand], env=environ, capture_output=True, check=True).stdout
    assert outputs(tmp_path, start, HASHES) == [json.loads(said)] * 2


PROCESS = """
import json, os, subprocess, sys, threading

LOOK = '''
import json, os
status = dict(line.split(":\\\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\\\t" in line)
kept = {os.environ.get("PODREDUCE_LIFELINE")}
umask = os.umask(0)
os.umask(umask)
print(json.dumps({
    "blocked": status["SigBlk"],
    "ignored": status["SigIgn"],
    "umask": umask,
    "descriptors": sorted(int(each) for each in os.listdir("/proc/self/fd") if each not in kept)[:-1],
    "nice": os.nice(0),
}))
'''

def look():
    return json.loads(subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True).stdout)

def look_in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(look()))
    thread.start()
    thread.join()
    return found[0]
"""

CHILDREN = (
    PROCESS
    + """
class Children:
    def map_func(self, key, value):
        yield "k", [look(), look_in_thread()]
"""
)


def test_what_a_program_starts_inherits_what_it_would_by_hand(tmp_path: Path, here: Path, start: Start) -> None:
    del here
    command = [sys.executable, "-c", f"{PROCESS}\nprint(json.dumps([look(), look_in_thread()]))"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    assert outputs(tmp_path, start, CHILDREN) == [json.loads(said)] * 2


ENDS = """
import multiprocessing, os, signal, subprocess, sys, time

def end(pid):
    time.sleep(0.05)
    os.kill(pid, signal.SIGTERM)

class Ends:
    def map_func(self, key, value):
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        ended = [child.wait(30), subprocess.run(["timeout", "0.1", "sleep", "60"]).returncode]
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        end(pid)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        worker.start()
        end(worker.pid)
        worker.join(30)
        yield "k", [*ended, worker.exitcode]
"""


def test_sigterm_ends_whatever_a_program_starts_and_not_the_task(tmp_path: Path, here: Path, start: Start) -> None:
    del here
    assert outputs(tmp_path, start, ENDS) == [[-15, 124, -15, -15]] * 2


LIBRARIES = ("podreduce", "podreduce_operator", "numpy", "pyarrow", "obstore", "msgspec", "structlog", "botocore")
IMPORTS = """
import random, my_own_words

class Imports:
    def map_func(self, key, value):
        import queue
        yield "k", [random.Random(1).random(), my_own_words.WORDS]
"""


@pytest.mark.parametrize("names", [sys.stdlib_module_names, LIBRARIES], ids=["standard library", "libraries"])
def test_no_script_beside_the_job_takes_the_place_of_a_module(
    tmp_path: Path, here: Path, start: Start, names: Collection[str]
) -> None:
    for name in names:
        (here / f"{name}.py").write_text(f'open("was-run", "a").write("{name} ")\n')
    (here / "my_own_words.py").write_text('WORDS = "found"\n')
    assert outputs(tmp_path, start, IMPORTS) == [[0.13436424411240122, "found"]] * 2
    assert not (here / "was-run").exists()
