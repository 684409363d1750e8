"""What tasks print is kept: by the real process, also of tasks that go well and whose pods are gone at once."""

from pathlib import Path

import pytest

from podreduce.contract.layout import LOGS_PREFIX, commit_key, log_key
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode
from podreduce.watching.printed import KEPT_BYTES
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.task_processes import TaskProcesses
from tests.support.task_runs import TaskRun

PRINTS = """
import sys
print("imported")
class Job:
    def setup(self, context):
        self.context = context
        print("set up", file=sys.stderr)
    def map_func(self, key, value):
        print("mapped", value)
        self.context.logger.info("logged", value=value)
        yield value, 1
    def reduce_func(self, key, values):
        print("reduced", key)
        yield key, sum(values)
    def teardown(self):
        sys.stdout.buffer.write(b"torn down\\n")
"""
SILENT = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"


@pytest.fixture
def tasks(tmp_path: Path) -> TaskProcesses:
    return TaskProcesses(tmp_path)


def kept(run: TaskRun) -> dict[str, str]:
    """The logs that the run's store keeps."""
    return {found.key: run.store.get(found.key).decode() for found in run.store.list(LOGS_PREFIX)}


def test_what_map_and_reduce_print_and_log_is_kept_with_their_commits(tasks: TaskProcesses) -> None:
    run = tasks.run(source=PRINTS, partitions=1)
    ended = tasks.call(run, map_task(0), pod_uid="one")
    assert ended.code == 0
    lines = kept(run)[log_key(map_task(0), "one-0")].splitlines()
    printed = [line for line in lines if not line.startswith("{")]
    assert printed == ["imported", "set up", "mapped the fox", "mapped the end", "torn down"]
    assert ended.stderr.splitlines() == printed, "and where it was printed before"
    assert sum('"event": "logged"' in line for line in lines) == 2
    record = decode(run.store.get(commit_key(map_task(0), 0)), CommitRecord)
    run.shuffle([record])
    assert tasks.call(run, reduce_task(0), pod_uid="two").code == 0
    assert "reduced the fox" in kept(run)[log_key(reduce_task(0), "two-0")]


def test_a_task_that_prints_nothing_stores_nothing(tasks: TaskProcesses) -> None:
    run = tasks.run(source=SILENT, partitions=1)
    assert tasks.call(run, map_task(0)).code == 0
    assert kept(run) == {}


def test_of_much_the_last_lines_are_kept(tasks: TaskProcesses) -> None:
    source = SILENT.replace(
        "yield", "print('x' * 99, flush=False)\n        for _ in range(999): print('y' * 99)\n        yield"
    )
    run = tasks.run(source=source, partitions=1)
    ended = tasks.call(run, map_task(0))
    assert (ended.code, len(ended.stderr)) == (0, 200_000)
    (text,) = kept(run).values()
    assert set(text.splitlines()) == {"y" * 99}
    assert KEPT_BYTES - 100 < len(text) <= KEPT_BYTES


@pytest.mark.parametrize(
    ("body", "last"),
    [
        ("raise ValueError('of my own')", "task failed"),
        ("import sys; sys.exit(3)", "task failed"),
        ("yield object(), 1", "task failed"),
    ],
)
def test_what_a_failed_attempt_printed_is_kept_with_its_error(tasks: TaskProcesses, body: str, last: str) -> None:
    source = SILENT.replace("yield", f"print('before')\n        {body}\n        yield")
    run = tasks.run(source=source, partitions=1)
    assert tasks.call(run, map_task(0), pod_uid="one").code != 0
    first, *_, error = kept(run)[log_key(map_task(0), "one-0")].splitlines()
    assert first == "before"
    assert last in error


def test_children_of_a_program_print_once(tasks: TaskProcesses) -> None:
    body = "import os\n        print('parent')\n        pid = os.fork()\n        if not pid:\n"
    body += "            print('child')\n            os._exit(0)\n        os.waitpid(pid, 0)\n        yield"
    run = tasks.run(source=SILENT.replace("yield", body), partitions=1, objects={"a": b"one\n"})
    ended = tasks.call(run, map_task(0))
    assert sorted(ended.stderr.splitlines()) == ["child", "parent"]
    assert list(kept(run).values()) == ["parent\n"]


def test_each_task_of_a_pod_keeps_its_own(tasks: TaskProcesses) -> None:
    run = tasks.run(source=PRINTS, objects={"a": b"one\n", "b": b"two\n"}, cuts=(4,), partitions=1)
    ended = tasks.call(run, map_task(0), more_tasks=(map_task(1),), pod_uid="pod")
    assert ended.code == 0
    logs = kept(run)
    assert [
        "mapped one" in logs[log_key(map_task(0), "pod-0")],
        "mapped two" in logs[log_key(map_task(1), "pod-1")],
    ] == [
        True,
        True,
    ]
    assert "mapped one" not in logs[log_key(map_task(1), "pod-1")]
