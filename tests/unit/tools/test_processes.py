"""Processes of the test cluster are known by pid and start time."""

import fcntl
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import build, commands, processes
from tests.cluster.locks import only_caller
from tests.cluster.processes import Process


def make_process(pid: int) -> Process:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return Process(name="unit-test", pid=pid, start_time=ticks, order=0.0)


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")


def test_a_process_is_alive_while_pid_and_start_time_agree() -> None:
    itself = make_process(os.getpid())
    assert processes.is_alive(itself)
    assert not processes.is_alive(replace(itself, start_time=itself.start_time + 1))


def test_a_reused_pid_is_not_ended() -> None:
    with subprocess.Popen(["sleep", "30"]) as other:
        processes.stop(replace(make_process(other.pid), start_time=1))
        assert other.poll() is None
        other.kill()


def test_a_process_is_ended_by_its_record() -> None:
    with subprocess.Popen(["sleep", "30"]) as other:
        recorded = make_process(other.pid)
        processes.stop(recorded)
        assert not processes.is_alive(recorded)


def test_the_directory_of_a_tool_depends_on_what_decides_its_bytes() -> None:
    minio = build.TOOLS["minio"]
    assert build.tool_directory(minio) == build.tool_directory(build.TOOLS["minio"])
    assert build.pins_digest(minio) != build.pins_digest(replace(minio, tags="other"))


def test_a_lock_is_held_by_one_caller_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "of" / "the-cluster"
    with only_caller(lock), lock.open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo why >&2; exit 3", "ended with 3:\nwhy"), ("sleep 30", "did not end within 0.1 s")],
    ids=["fails", "is late"],
)
def test_a_command_that_does_not_succeed_says_which_and_why(script: str, said: str) -> None:
    with pytest.raises(processes.ClusterError, match=said) as raised:
        commands.run(["sh", "-c", script], timeout=0.1 if "sleep" in script else 30)
    assert f"sh -c {script}" in str(raised.value)
