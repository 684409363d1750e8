"""`podreduce replay`: which task it takes, where its run is, and what it says at the end."""

import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce.contract.wire import encode
from podreduce_operator.cli.cluster.connection import Connection, open_connection
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import parse_reference
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.replay.replay import ReplayOptions, render_end, replay_job, replay_kept
from podreduce_operator.cli.replay.task_replay import Replayed
from tests.support.builders.records import make_commit, make_failure
from tests.support.job_manifests import NAMESPACE, failed_job
from tests.support.kube_api import KubeApi, serve
from tests.support.podreduce_command import COMMAND
from tests.support.task_runs import TaskRun

MAP = TaskRef.parse("m-1")
PICKY = """
class Picky:
    def map_func(self, key, value):
        if value == "7":
            print("now", value)
            raise ValueError(value)
        yield value, 1
"""


@pytest.fixture
async def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[KubeApi, Connection]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    async with serve(tmp_path) as api:
        place = Place(kubeconfig=api.kubeconfig, namespace=NAMESPACE)
        async with open_connection(place) as opened:
            yield api, opened


def make_failed_run(tmp_path: Path) -> TaskRun:
    """A run of two maps. The second fails, and two attempts of it are recorded."""
    run = TaskRun(source=PICKY, objects={"a.txt": b"1\n2\n7\n"}, cuts=(4,), partitions=0, root=f"file://{tmp_path}/")
    for attempt, finished_at in (("first", 1.0), ("second", 2.0)):
        failure = make_failure(MAP, attempt_id=attempt, finished_at=finished_at, message="ValueError: 7")
        run.store.put(f"failures/m-1-{attempt}.json", encode(failure))
    return run


async def test_the_task_of_a_job_that_failed_last_fails_again_with_its_own_error(
    tmp_path: Path, connection: tuple[KubeApi, Connection], capfd: pytest.CaptureFixture[str]
) -> None:
    api, opened = connection
    run = make_failed_run(tmp_path)
    api.put(failed_job(planDigest=run.digest, postMortem={"uri": f"{run.store.uri}post-mortem.json"}))
    found = await replay_job(opened, parse_reference("wordcount"), ReplayOptions())
    assert found is CommandExit.FAILED
    printed = capfd.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "ValueError: 7"
    assert lines[1].startswith("at the record: ")
    assert lines[2].startswith("m-1: failed here after ")
    assert lines[2].endswith(": ProgramError; the same as recorded")
    assert '  File "wordcount.py", line 6, in map_func' in lines
    assert printed.err == "now 7\n"


async def test_a_task_that_is_named_goes_well_or_is_refused(
    tmp_path: Path, connection: tuple[KubeApi, Connection], capfd: pytest.CaptureFixture[str]
) -> None:
    api, opened = connection
    run = make_failed_run(tmp_path)
    api.put(failed_job(planDigest=run.digest, postMortem={"uri": f"{run.store.uri}post-mortem.json"}))
    assert await replay_job(opened, parse_reference("wordcount"), ReplayOptions(task="map-0")) is CommandExit.DONE
    assert "m-0: went well here in " in capfd.readouterr().out
    with pytest.raises(CommandError, match="a job has no steps"):
        await replay_job(opened, parse_reference("wordcount"), ReplayOptions(step="x"))


async def test_another_plan_than_the_status_names_is_refused(
    tmp_path: Path, connection: tuple[KubeApi, Connection]
) -> None:
    api, opened = connection
    run = make_failed_run(tmp_path)
    api.put(failed_job(planDigest="0" * 64, postMortem={"uri": f"{run.store.uri}post-mortem.json"}))
    with pytest.raises(CommandError, match="somebody has changed it"):
        await replay_job(opened, parse_reference("wordcount"), ReplayOptions())


def test_a_directory_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"{tmp_path}: no records of a run: podreduce run names the directory"):
        replay_kept(tmp_path, ReplayOptions(task="m-0"))


def test_without_a_recorded_failure_a_task_must_be_named(tmp_path: Path) -> None:
    TaskRun(source=PICKY, objects={"a.txt": b"1\n"}, root=f"file://{tmp_path}/")
    with pytest.raises(CommandError, match="no failed attempt is recorded: name a task"):
        replay_kept(tmp_path / "work", ReplayOptions())


def test_a_debugger_without_a_terminal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_failed_run(tmp_path)
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(CommandError, match="a debugger needs a terminal"):
            replay_kept(tmp_path / "work", ReplayOptions(task="m-1", debugs=True))


def test_a_kept_run_has_the_variables_and_the_directory_of_its_tasks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = (
        "import os\nclass Job:\n    def map_func(self, key, value):\n        print(os.environ['MARK'], os.getcwd())\n"
    )
    run = TaskRun(source=source, objects={"a.txt": b"1\n"}, partitions=0, root=f"file://{tmp_path}/")
    place = tmp_path / "place"
    place.mkdir()
    setting = {"environ": {"MARK": "seen"}, "directory": str(place)}
    (tmp_path / "work" / "local-run.json").write_text(json.dumps(setting))
    assert replay_kept(tmp_path / "work", ReplayOptions(task="m-0")) is CommandExit.DONE
    assert f"seen {place}" in capfd.readouterr().err
    assert run.output.exists("anything") is False


SLEEPS = """
import subprocess, sys, time
class Sleeps:
    def map_func(self, key, value):
        print("child", subprocess.Popen(["sleep", "300"]).pid, file=sys.stderr, flush=True)
        time.sleep(300)
        yield value, 1
    def reduce_func(self, key, values):
        yield key, 1
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_of_a_replay_runs_on_after_its_command(tmp_path: Path, number: signal.Signals) -> None:
    TaskRun(source=SLEEPS, objects={"a.txt": b"1\n"}, partitions=1, root=f"file://{tmp_path}/")
    command = [*COMMAND, "replay", str(tmp_path / "work"), "m-0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as replaying:
        assert replaying.stderr is not None
        child = int(replaying.stderr.readline().split()[1])
        replaying.send_signal(number)
        replaying.wait(30)
    deadline = time.monotonic() + 30
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


OUTCOME = TaskOutcome(reason="ProgramError", message="ValueError: 7", traceback="Traceback …\n", record="line 3")
DIFFERS = "what differs here may be the packages, the memory, the machine, or chance"
ENDS = {
    "as-recorded": (
        Replayed(task=MAP, seconds=1.0, exit_code=10, outcome=OUTCOME),
        [make_failure(MAP, message="ValueError: 7")],
        ["ValueError: 7", "at the record: line 3", "m-1: failed here after 1.0 s: ProgramError; the same as recorded",
         "Traceback …"],
    ),
    "otherwise": (
        Replayed(task=MAP, seconds=1.0, exit_code=10, outcome=TaskOutcome(reason="InputError", message="a.txt: gone")),
        [make_failure(MAP, message="ValueError: 7")],
        ["a.txt: gone", "m-1: failed here after 1.0 s: InputError; recorded is another: ProgramError: ValueError: 7"],
    ),
    "first-here": (
        Replayed(task=MAP, seconds=1.0, exit_code=10, outcome=TaskOutcome(reason="InputError", message="a.txt: gone")),
        [],
        ["a.txt: gone", "m-1: failed here after 1.0 s: InputError; no failure of this task is recorded"],
    ),
    "killed": (
        Replayed(task=MAP, seconds=1.0, exit_code=-9),
        [],
        ["m-1: its process ended with the code -9 and said nothing, after 1.0 s"],
    ),
    "well-now": (
        Replayed(task=MAP, seconds=1.0, exit_code=0, commit=make_commit(MAP, records_in=3, records_out=2, bytes_out=8)),
        [make_failure(MAP, reason="OutOfMemory", message="too large")],
        ["m-1: went well here in 1.0 s: 3 records read, 2 records and 8 B written",
         f"recorded is OutOfMemory: too large; {DIFFERS}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_the_end_is_compared_with_what_was_recorded(name: str) -> None:
    replayed, failures, lines = ENDS[name]
    assert list(render_end(replayed, failures)) == lines
