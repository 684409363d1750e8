"""`python -m podreduce` as a pod or the local engine starts it: exit codes, termination messages, what goes where."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord, LostOutput, TaskRef
from podreduce.contract.wire import decode
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.task_processes import TaskProcesses


@pytest.fixture
def tasks(tmp_path: Path) -> TaskProcesses:
    return TaskProcesses(tmp_path)


def test_a_map_and_a_reduce_commit_and_exit_with_0(tasks: TaskProcesses) -> None:
    run = tasks.run(partitions=1)
    ended = tasks.call(run, map_task(0), pod_uid="uid-1")
    assert (ended.code, ended.outcome, ended.stderr) == (0, None, "")
    record = decode(run.store.get(commit_key(map_task(0), 0)), CommitRecord)
    assert (record.attempt_id, record.records_in) == ("uid-1-0", 2)
    progress = [event for event in ended.events if event["event"] == "progress"][-1]
    assert (progress["task"], progress["records"], progress["bytes"], progress["recordsOut"]) == ("m-0", 2, 16, 4)
    assert progress["done"] is True
    run.shuffle([record])
    assert tasks.call(run, reduce_task(0)).code == 0
    reduced = decode(run.store.get(commit_key(reduce_task(0), 0)), CommitRecord)
    assert run.lines_of([reduced]) == ["end\t1", "fox\t1", "the\t2"]


RAISES = """
import sys
class Job:
    def map_func(self, key, value):
        print("printed", value)
        sys.stdout.flush()
        raise {}
"""


@pytest.mark.parametrize(
    ("fields", "task", "changes", "code", "reason", "message"),
    [
        (
            {"source": RAISES.format("KeyError('x')")},
            map_task(0),
            {},
            ExitCode.PROGRAM_ERROR,
            "ProgramError",
            "KeyError",
        ),
        ({"source": RAISES.format("MemoryError")}, map_task(0), {}, ExitCode.OUT_OF_MEMORY, "OutOfMemory", "memory"),
        ({"source": RAISES.format("SystemExit(0)")}, map_task(0), {}, ExitCode.PROGRAM_ERROR, "ProgramError", "Exit"),
        ({"source": "nonsense("}, map_task(0), {}, ExitCode.PROGRAM_ERROR, "ProgramInvalid", "wordcount.py cannot be"),
        ({"objects": {"a": b"\xff"}}, map_task(0), {}, ExitCode.INPUT_ERROR, "InputError", "byte 0 is not UTF-8"),
        (
            {"source": RAISES.format("KeyError('x')"), "plan_changes": {"bad_records": "Skip"}},
            map_task(0),
            {"max_bad_records": 0},
            ExitCode.TOO_MANY_BAD_RECORDS,
            "TooManyBadRecords",
            "this shard has more bad records (1) than spec.maxBadRecords (0); the last: KeyError: 'x'",
        ),
        ({}, map_task(0), {"plan_digest": "0"}, ExitCode.PLAN_MISMATCH, "PlanMismatch", "its SHA-256 is"),
        ({}, map_task(9), {}, ExitCode.PLAN_MISMATCH, "PlanMismatch", "no shard 9"),
        ({}, reduce_task(0), {"shuffle_generation": None}, ExitCode.INTERNAL_ERROR, "InternalError", "generation"),
    ],
    ids=["raises", "memory", "exits", "syntax", "input", "bad records", "plan", "shard", "internal"],
)
def test_a_failure_has_its_exit_code_and_termination_message(  # noqa: PLR0917 - one argument a column
    tasks: TaskProcesses, fields: Any, task: TaskRef, changes: Any, code: ExitCode, reason: str, message: str
) -> None:
    ended = tasks.call(tasks.run(**fields), task, **changes)
    assert ended.code == code
    assert ended.outcome
    assert ended.outcome.reason == reason
    assert message in ended.outcome.message
    assert ended.events[-1]["event"] == "task failed"
    assert ("printed the fox" in ended.stderr) == ("print" in fields.get("source", ""))


def test_the_termination_message_has_the_users_traceback_and_record(tasks: TaskProcesses) -> None:
    run = tasks.run(source=RAISES.format("KeyError('x' * 100_000)"))
    outcome = tasks.call(run, map_task(0)).outcome
    assert outcome
    assert 'File "wordcount.py", line 7, in map_func' in outcome.traceback
    assert outcome.record == f"{run.input.uri}a at byte 0: 'the fox'"
    assert tasks.log.stat().st_size <= 4096


def test_a_lost_map_output_is_told_by_index_and_generation(tasks: TaskProcesses) -> None:
    run = tasks.run(partitions=1)
    run.shuffle([run.map(0)])
    run.store.delete_prefix("data/")
    ended = tasks.call(run, reduce_task(0))
    assert ended.code == ExitCode.MAP_OUTPUT_LOST
    assert ended.outcome
    assert ended.outcome.lost == LostOutput(task=map_task(0), generation=0)


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_store_that_fails_is_unavailable(tasks: TaskProcesses) -> None:
    source = "class Job:\n    def map_func(self, key, value):\n        yield value, 'x' * 1_000_000\n"
    ended = tasks.finish(tasks.open(tasks.environ(tasks.run(source=source), map_task(0)), limit_file_size))
    assert ended.code == ExitCode.STORAGE_UNAVAILABLE
    assert ended.outcome
    assert ended.outcome.reason == "StorageUnavailable"


@pytest.mark.integration
def test_wrong_credentials_are_denied(tasks: TaskProcesses, request: pytest.FixtureRequest) -> None:
    minio = request.getfixturevalue("minio")
    settings = StorageSettings(
        endpoint=minio.endpoint,
        region=minio.region,
        access_key="nobody",
        secret_key="wrong-secret",  # noqa: S106
    )
    environ = {
        **tasks.environ(tasks.run(), map_task(0), run_uri="s3://some-bucket/run/"),
        **settings.to_environ(),
    }
    ended = tasks.finish(tasks.open(environ))
    assert ended.code == ExitCode.STORAGE_DENIED
    assert "wrong-secret" not in ended.stderr + str(ended.events)


SLOW = """
import time
class Job:
    def map_func(self, key, value):
        {}
        yield value, 1
"""


@pytest.mark.parametrize("body", ["time.sleep(600)", "while True: pass"], ids=["asleep", "busy"])
def test_sigterm_ends_a_task_within_moments(tasks: TaskProcesses, body: str) -> None:
    with tasks.open(tasks.environ(tasks.run(source=SLOW.format(body)), map_task(0))) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["records"] == 1
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=30) == ExitCode.TERMINATED
        finally:
            process.kill()
    assert time.monotonic() - started < 5


def test_progress_is_logged_at_least_every_second(tasks: TaskProcesses) -> None:
    run = tasks.run(source=SLOW.format("time.sleep(0.25)"), objects={"a": b"line\n" * 14}, partitions=0)
    events = [event for event in tasks.call(run, map_task(0)).events if event["event"] == "progress"]
    times = [event["elapsedSeconds"] for event in events]
    assert len(times) >= 4
    assert all(later - earlier < 1.5 for earlier, later in itertools.pairwise(times))
    records = [event["records"] for event in events]
    assert records == sorted(records)
    assert 0 < records[0] < records[1] < 14


def test_a_thread_left_behind_does_not_keep_the_process_alive(tasks: TaskProcesses) -> None:
    source = SLOW.format("import threading; threading.Thread(target=time.sleep, args=(600,)).start()")
    assert tasks.call(tasks.run(source=source), map_task(0)).code == 0


def test_what_c_code_prints_stays_out_of_the_log(tasks: TaskProcesses) -> None:
    ended = tasks.call(
        tasks.run(source=SLOW.format("import os; os.write(1, b'raw'); os.system('echo child')")), map_task(0)
    )
    assert (ended.code, "raw" in ended.stderr, "child" in ended.stderr) == (0, True, True)


def test_without_an_environment_it_says_how_to_run_a_job() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PODREDUCE_")}
    done = subprocess.run([sys.executable, "-m", "podreduce"], env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.INTERNAL_ERROR
    assert "PODREDUCE_RUN_URI" in done.stdout
    assert "podreduce run job.yaml" in done.stdout


def test_a_task_imports_nothing_of_the_operator() -> None:
    code = (
        "import podreduce.task.map_task, podreduce.task.reduce_task, podreduce.process.entry, sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    # rich is not in the list: structlog imports it where it is installed, and the image of tasks has none.
    assert not names & {"kubernetes", "kopf", "typer", "podreduce_operator", "minio", "pyarrow", "yaml"}
