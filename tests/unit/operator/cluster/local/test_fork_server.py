"""Tasks that are forked behave as tasks that are started: environment, output, exit codes, ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.process_variables import FORK_CHANNEL_VARIABLE
from podreduce_operator.cluster.local.fork_server import ForkServer, ForkServerGoneError
from podreduce_operator.cluster.local.task_process import TASK_COMMAND, TaskProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no fork server elsewhere")

SECONDS = 30


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer.open()
    assert server is not None
    yield server
    server.close()


async def start(
    server: ForkServer, directory: Path, environ: Mapping[str, str], command: tuple[str, ...] = TASK_COMMAND
) -> tuple[TaskProcess, list[str]]:
    lines: list[str] = []
    process = await asyncio.wait_for(
        TaskProcess.start(command, environ, directory / "log", lines.append, server), SECONDS
    )
    return process, lines


async def test_a_forked_task_says_and_ends_as_a_started_one(server: ForkServer, tmp_path: Path) -> None:
    environ = {"PODREDUCE_TASK": "m-0", "PATH": os.environ["PATH"]}
    forked, lines = await start(server, tmp_path, environ)
    code = await asyncio.wait_for(forked.wait(), SECONDS)
    alone: list[str] = []
    started = await TaskProcess.start(TASK_COMMAND, environ, tmp_path / "log", alone.append)
    assert code == await asyncio.wait_for(started.wait(), SECONDS) != 0
    shown = [line.partition('"timestamp"')[0] for line in lines]
    assert shown == [line.partition('"timestamp"')[0] for line in alone]
    assert "PODREDUCE_RUN_URI" in shown[0]


async def test_a_forked_task_is_a_session_of_its_own(server: ForkServer, tmp_path: Path) -> None:
    process, _ = await start(server, tmp_path, full_environment(tmp_path))
    pid = process.process.pid
    assert os.getsid(pid) == pid != os.getsid(0)
    process.send_signal(signal.SIGKILL)
    await asyncio.wait_for(process.wait(), SECONDS)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_the_end_of_a_task_by_a_signal_is_told(
    server: ForkServer, tmp_path: Path, number: signal.Signals
) -> None:
    process, _ = await start(server, tmp_path, full_environment(tmp_path))
    process.send_signal(number)
    code = await asyncio.wait_for(process.wait(), SECONDS)
    stopped = (ExitCode.TERMINATED, 128 + signal.SIGTERM)  # the latter where it came before the task could listen
    assert code in ((137,) if number == signal.SIGKILL else stopped)


async def test_without_the_server_a_task_is_started_as_it_would_be_anyway(server: ForkServer, tmp_path: Path) -> None:
    os.kill(server._process.pid, signal.SIGKILL)  # noqa: SLF001 - the only way to lose it
    process, lines = await start(server, tmp_path, {}, (sys.executable, "-c", "print('alone')"))
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    assert lines == ["alone"]


async def test_tasks_of_a_server_that_is_lost_are_killed(server: ForkServer, tmp_path: Path) -> None:
    process, _ = await start(server, tmp_path, full_environment(tmp_path))
    pid = process.process.pid
    assert is_running(pid)
    os.kill(server._process.pid, signal.SIGKILL)  # noqa: SLF001 - likewise
    assert await asyncio.wait_for(process.process.wait(), SECONDS) == -signal.SIGKILL
    async with asyncio.timeout(SECONDS):
        while is_running(pid):  # noqa: ASYNC110 - nobody tells of the end of a process that is not ours
            await asyncio.sleep(0.01)
    assert await asyncio.wait_for(process.wait(), SECONDS) == 137
    with pytest.raises(ForkServerGoneError):
        await server.start({}, (0, 1, 2))


async def test_more_environment_than_a_message_holds_is_no_hindrance(server: ForkServer, tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import os; print(len(os.environ['LARGE']))")
    process, lines = await start(server, tmp_path, {"LARGE": "x" * 100_000, "MORE": "y" * 120_000}, command)
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    assert lines == ["100000"]


async def test_a_forked_task_has_no_input_whatever_the_servers_is(tmp_path: Path) -> None:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other:
        serving = subprocess.Popen(  # noqa: ASYNC220 - as ForkServer.open does
            [sys.executable, "-m", "podreduce.process.fork_server"],
            env={**os.environ, FORK_CHANNEL_VARIABLE: str(other.fileno())},
            stdin=subprocess.PIPE,
            pass_fds=(other.fileno(),),
        )
    own.setblocking(False)  # noqa: FBT003 - as socket has it
    server = ForkServer(serving, own)
    process, _ = await start(server, tmp_path, full_environment(tmp_path))
    assert (input_of(serving.pid) == os.devnull, input_of(process.process.pid)) == (False, os.devnull)
    process.send_signal(signal.SIGKILL)
    await asyncio.wait_for(process.wait(), SECONDS)
    server.close()
    assert serving.stdin is not None
    serving.stdin.close()


def input_of(pid: int) -> str:
    """What a process has as its standard input."""
    return str(Path(f"/proc/{pid}/fd/0").readlink())


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only what its parent has not yet asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def full_environment(directory: Path) -> dict[str, str]:
    """A task whose plan lies in a pipe that nobody writes to: it waits until it is ended."""
    run = directory / "run"
    (run / "plan").mkdir(parents=True)
    os.mkfifo(run / "plan" / "plan.json")
    return {
        "PODREDUCE_RUN_URI": f"file://{run}/",
        "PODREDUCE_PLAN_DIGEST": "0",
        "PODREDUCE_TASK": "m-0",
        "PODREDUCE_GENERATION": "0",
        "PODREDUCE_POD_UID": "uid",
        "PODREDUCE_POD_NAME": "pod",
        "PODREDUCE_TERMINATION_LOG": str(directory / "termination-log"),
    }
