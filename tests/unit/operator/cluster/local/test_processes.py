import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from podreduce_operator.cluster.local import machine
from podreduce_operator.cluster.local.machine import count_oom_kills, share_memory_bytes
from podreduce_operator.cluster.local.notices import EventRecorded, PodEnded, PodStarted, StatusWritten
from podreduce_operator.cluster.local.processes import finished_pod
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pods import PodPhase, PodView
from tests.conformance.process_world import ProcessWorld


async def finish(world: ProcessWorld) -> PodView:
    request = world.request()
    await world.cluster.create_pod(request)
    await world.until(lambda: world.cluster.pods[request.name].is_finished)
    return await world.pod(request.name)


def is_alive(pid: int) -> bool:
    """Whether the process runs: a zombie that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "phase", "code"),
    [
        ("", PodPhase.SUCCEEDED, 0),
        ("raise SystemExit(64)", PodPhase.FAILED, 64),
        ("import os; os.kill(os.getpid(), 9)", PodPhase.FAILED, 137),
        ("import os; os.kill(os.getpid(), 11)", PodPhase.FAILED, 139),
    ],
    ids=["success", "failure", "kill", "segmentation-fault"],
)
async def test_an_exit_is_seen_as_a_pods(tmp_path: Path, script: str, phase: PodPhase, code: int) -> None:
    pod = await finish(ProcessWorld(tmp_path, script))
    assert (pod.phase, pod.exit_code) == (phase, code)


async def test_a_pod_says_since_when_it_runs_where_and_with_how_much_memory(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path, "")
    request = replace(world.request(), memory_factor=1.5)
    await world.cluster.create_pod(request)
    await world.until(lambda: world.cluster.pods[request.name].is_finished)
    pod = await world.pod(request.name)
    assert pod.started_at is not None
    assert pod.finished_at is not None
    assert pod.created_at <= pod.started_at <= pod.finished_at
    assert (pod.node, pod.requests.memory_bytes) == (platform.node(), int(world.cluster.memory_bytes * 1.5))


async def test_the_outcome_comes_from_the_termination_log(tmp_path: Path) -> None:
    outcome = {"reason": "ProgramError", "message": "boom", "traceback": "File job.py"}
    write = f"open(os.environ['PODREDUCE_TERMINATION_LOG'], 'w').write({json.dumps(outcome)!r})"
    script = f"import os, sys; {write}; sys.exit(64)"
    pod = await finish(ProcessWorld(tmp_path, script))
    assert pod.outcome is not None
    assert (pod.outcome.reason, pod.outcome.traceback) == ("ProgramError", "File job.py")


async def test_a_garbled_termination_log_is_no_outcome(tmp_path: Path) -> None:
    script = "import os; open(os.environ['PODREDUCE_TERMINATION_LOG'], 'w').write('{'); raise SystemExit(1)"
    assert (await finish(ProcessWorld(tmp_path, script))).outcome is None


async def test_the_task_learns_its_uid_name_memory_and_scratch_directory(tmp_path: Path) -> None:
    names = ["PODREDUCE_POD_UID", "PODREDUCE_POD_NAME", "PODREDUCE_MEMORY_BYTES", "PODREDUCE_SCRATCH_DIRECTORY"]
    world = ProcessWorld(tmp_path, f"import os; print([os.environ[name] for name in {names}])")
    pod = await finish(world)
    uid, name, memory, scratch = eval(world.lines()[0].line)  # noqa: S307 - our own script's list
    assert (uid, name, int(memory)) == (pod.uid, pod.name, world.cluster.memory_bytes)
    assert Path(scratch).parent.parent == tmp_path


async def test_scratch_goes_with_the_process_and_a_failures_log_stays(tmp_path: Path) -> None:
    script = "import os, sys; open(os.environ['PODREDUCE_SCRATCH_DIRECTORY'] + '/a', 'w'); print('why'); sys.exit(1)"
    pod = await finish(ProcessWorld(tmp_path, script))
    assert list((tmp_path / "scratch").iterdir()) == []
    assert (tmp_path / "logs" / f"{pod.name}.log").read_text() == "why\n"


async def test_a_successes_log_goes(tmp_path: Path) -> None:
    await finish(ProcessWorld(tmp_path, "print('fine')"))
    assert list((tmp_path / "logs").iterdir()) == []


async def test_long_lines_and_a_missing_last_newline_lose_nothing(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path, "print('x' * 100_000); print('end', end='')")
    await finish(world)
    lines = [notice.line for notice in world.lines()]
    assert "".join(lines[:-1]) == "x" * 100_000
    assert lines[-1] == "end"


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    world = ProcessWorld(tmp_path, script, stop_grace_seconds=0.05)
    pod = await world.running(world.request())
    await world.cluster.delete_pod(world.job, pod.name, pod.uid)
    await world.gone(pod.name)


async def test_what_a_task_started_ends_with_it(tmp_path: Path) -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=-3).pid, flush=True)"
    world = ProcessWorld(tmp_path, script)
    await finish(world)
    wait_until_dead(int(world.lines()[0].line))


HEIR = """
import os, pathlib, sys, time
if os.fork() == 0:
    os.setsid()
    while pathlib.Path(sys.argv[1]).exists():
        time.sleep(0.02)
"""


async def test_an_heir_of_the_output_does_not_hold_up_the_end(tmp_path: Path) -> None:
    may_stay = tmp_path / "the heir may stay"
    may_stay.touch()
    await finish(ProcessWorld(tmp_path / "world", HEIR.replace("sys.argv[1]", repr(str(may_stay)))))
    assert may_stay.exists()
    may_stay.unlink()


async def test_close_leaves_no_process(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path)
    pods = [await world.running(world.request(f"m-{index}")) for index in range(3)]
    pids = [world.cluster.attempts[pod.uid].process.process.pid for pod in pods]
    await world.close()
    assert [pid for pid in pids if is_alive(pid)] == []
    assert await world.cluster.list_pods(world.job) == ()


async def test_the_observer_hears_of_start_end_status_and_events(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path, "raise SystemExit(3)")
    await finish(world)
    await world.cluster.write_status(world.job, {"phase": "Mapping"})
    await world.cluster.record_event(world.job, "Warning", "AttemptFailed", "m-0")
    assert [type(notice) for notice in world.notices] == [PodStarted, PodEnded, StatusWritten, EventRecorded]
    ended = world.notices[1]
    assert isinstance(ended, PodEnded)
    assert ended.pod.exit_code == 3


async def test_a_command_that_cannot_start_is_no_pod(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path)
    world.cluster.command = ("/nonexistent/python",)
    with pytest.raises(ActionError, match="cannot start a process") as refusal:
        await world.cluster.create_pod(world.request())
    assert not refusal.value.permanent
    assert await world.cluster.list_pods(world.job) == ()


ENGINE = """
import asyncio, os, pathlib, sys
sys.path.insert(0, os.getcwd())
from tests.conformance.process_world import ProcessWorld

async def main():
    world = ProcessWorld(pathlib.Path(sys.argv[1]), sys.argv[2])
    pod = await world.running(world.request())
    print(world.cluster.attempts[pod.uid].process.process.pid, world.lines()[0].line, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "then",
    ["time.sleep(60)", "re.match('(a+)+$', 'a' * 64 + 'b')"],
    ids=["idle", "holding-the-interpreters-lock"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which the lock can hold up")
def test_a_killed_engine_takes_tasks_and_what_they_started_with_it(tmp_path: Path, then: str) -> None:
    script = f"import re, subprocess, time; print(subprocess.Popen(['sleep', '60'], stdout=-3).pid, flush=True); {then}"
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, tmp_path, script], stdout=subprocess.PIPE, text=True)
    with engine:
        assert engine.stdout is not None
        pids = [int(word) for word in engine.stdout.readline().split()]
        assert all(map(is_alive, pids))
        engine.kill()
    for pid in pids:
        wait_until_dead(pid)


def test_the_thread_of_other_systems_ends_the_task_too(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    reading, writing = os.pipe()
    task = subprocess.Popen(
        [sys.executable, "-m", "podreduce_operator.cluster.local.kill_with_parent", "sleeper"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PODREDUCE_LIFELINE": str(reading)},
        pass_fds=(reading,),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    with task:
        os.close(reading)
        assert task.stdout is not None
        assert int(task.stdout.readline()) == task.pid
        os.close(writing)
        assert task.wait(10) == -9


@pytest.mark.parametrize(
    ("kills_since", "deleting", "reason"),
    [(1, False, "OOMKilled"), (0, False, "Error"), (1, True, "Error")],
    ids=["killed-for-memory", "killed-by-somebody", "killed-by-us"],
)
async def test_a_kill_is_for_want_of_memory_if_the_kernel_counts_one(
    tmp_path: Path, kills_since: int, deleting: bool, reason: str
) -> None:
    world = ProcessWorld(tmp_path)
    pod = await world.running(world.request())
    attempt = replace(world.cluster.attempts[pod.uid], oom_kills=(count_oom_kills() or 0) - kills_since)
    ended = finished_pod(replace(pod, deleting=deleting), 137, attempt)
    assert (ended.reason, ended.exit_code) == (reason, 137)
    await world.close()


@pytest.mark.parametrize(
    ("free_gib", "limits_gib", "parallelism", "share_mib"),
    [
        (10, [], 1, 8192),
        (10, [], 4, 2048),
        (10, [5], 4, 1024),
        (10, [20], 0, 8192),
        (1, [], 4, 256),
        (10, [], 10**6, 256),
    ],
    ids=["alone", "four", "a group's limit", "nobody", "little memory", "too many"],
)
def test_memory_is_shared_evenly_with_a_floor(
    monkeypatch: pytest.MonkeyPatch, free_gib: int, limits_gib: list[int], parallelism: int, share_mib: int
) -> None:
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: free_gib * 2**30)
    monkeypatch.setattr(machine, "cgroup_limits_bytes", lambda: [limit * 2**30 for limit in limits_gib])
    assert share_memory_bytes(parallelism) == share_mib * 2**20


def test_the_memory_of_this_machine_is_known() -> None:
    assert machine.free_memory_bytes() > share_memory_bytes(10**6) == 256 * 2**20


async def test_many_processes_start_beside_each_other(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path, "")
    await asyncio.gather(*(world.cluster.create_pod(world.request(f"m-{index}")) for index in range(50)))
    await world.until(lambda: all(pod.is_finished for pod in world.cluster.pods.values()))
    assert len(world.cluster.pods) == 50
