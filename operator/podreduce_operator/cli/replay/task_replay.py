"""Runs a copied task in a process of its own, shows what it prints and how far it is, and tells how it ended.

Rule: as a task of a local run, the process and all that it started end with this process, for any reason. One with a
debugger stays in the terminal's group of processes instead, because only these may read the keyboard.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import commit_key
from podreduce.contract.process_variables import (
    BLOBS_VARIABLE,
    DEBUG_VARIABLE,
    INTERPRETER_VARIABLES,
    LIFELINE_VARIABLE,
)
from podreduce.contract.task import CommitRecord, TaskOutcome, TaskRef
from podreduce.contract.texts import render_count
from podreduce.contract.wire import decode, decode_json
from podreduce_operator.cli.cluster.log_lines import render_log
from podreduce_operator.cli.replay.run_copy import RunCopy
from podreduce_operator.cli.terminal import complain
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.cluster.local.kill_with_parent import Lifeline
from podreduce_operator.cluster.local.task_process import TASK_COMMAND
from podreduce_operator.cluster.progress_board import read_progress_line

__all__ = ["Replayed", "TaskSetting", "replay_task"]

MODULE = "podreduce.process.replay"
DEBUG_COMMAND = (sys.executable, "-P", "-m", MODULE)
COMMAND = (*TASK_COMMAND[:-1], MODULE)
LEFT_OUT = ('"event": "task failed"', '"done": true')
"""Lines about the end of the task, which is told as a whole."""

TERMINAL_SECONDS, PIPE_SECONDS = 1.0, 10.0
"""How often the progress is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSetting:
    """With what tasks are run again.

    Attributes:
        environ: further variables.
        directory: where they run; None: here.
        debugs: whether a debugger is opened where one fails.
        is_quiet: whether what it prints is left out.
        running: the processes that run now, so that whoever gives up can end them.
    """

    settings: StorageSettings
    environ: Mapping[str, str]
    directory: Path | None = None
    debugs: bool = False
    is_quiet: bool = False
    running: set["subprocess.Popen[str]"] = field(default_factory=set)

    def end_all(self) -> None:
        """End all processes."""
        for process in tuple(self.running):
            end(process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How a task ended here: with a commit, or an outcome if it failed. Without both its process was killed."""

    task: TaskRef
    seconds: float
    exit_code: int
    commit: CommitRecord | None = None
    outcome: TaskOutcome | None = None


def replay_task(copy: RunCopy, task: TaskRef, setting: TaskSetting) -> Replayed:
    """Run a task of the copy to its end."""
    environment, started = copy.environment_of(task), time.monotonic()
    environ = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        **INTERPRETER_VARIABLES,
        **setting.environ,
        **setting.settings.to_environ(),
        **environment.to_environ(),
        BLOBS_VARIABLE: copy.blobs_uri,
        **({DEBUG_VARIABLE: "1"} if setting.debugs else {}),
    }
    with interrupts_left_to_task() if setting.debugs else no_change():
        exit_code = run_process(environ, task, setting)
    log = Path(environment.termination_log)
    key = commit_key(task, environment.generation)
    return Replayed(
        task=task,
        seconds=time.monotonic() - started,
        exit_code=exit_code,
        commit=decode(copy.store.get(key), CommitRecord) if exit_code == 0 else None,
        outcome=read_outcome(log),
    )


def run_process(environ: Mapping[str, str], task: TaskRef, setting: TaskSetting) -> int:
    """Run the process, print what it prints, and return its exit code."""
    if setting.debugs:
        return follow_process(DEBUG_COMMAND, environ, task, setting, None)
    lifeline = Lifeline.open()
    try:
        environ = {**environ, LIFELINE_VARIABLE: str(lifeline.reading)}
        return follow_process(COMMAND, environ, task, setting, lifeline)
    finally:
        lifeline.close()


def follow_process(
    command: Sequence[str], environ: Mapping[str, str], task: TaskRef, setting: TaskSetting, lifeline: Lifeline | None
) -> int:
    """Start a process, tie it to the lifeline if it has one, and follow it to its end."""
    with subprocess.Popen(  # noqa: S603 - podreduce itself, by this interpreter
        command,
        env=environ,
        cwd=setting.directory,
        stdin=None if setting.debugs else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if setting.is_quiet else None,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=lifeline is not None,
        pass_fds=() if lifeline is None else (lifeline.reading,),
    ) as process:
        setting.running.add(process)
        try:
            if lifeline is not None:
                lifeline.attach(process.pid)
            show_lines(process, task, setting)
            return process.wait()
        finally:
            end(process)
            setting.running.discard(process)


def end(process: "subprocess.Popen[str]") -> None:
    """End a process and, if it has a group of its own, all that it started. It may have ended."""
    process.kill()
    with suppress(ProcessLookupError):  # it has no group of its own, or nobody is left there
        os.killpg(process.pid, signal.SIGKILL)


def show_lines(process: "subprocess.Popen[str]", task: TaskRef, setting: TaskSetting) -> None:
    """Print the lines of the log in words, and from time to time how far the task is."""
    told_at = time.monotonic()
    interval = TERMINAL_SECONDS if sys.stderr.isatty() else PIPE_SECONDS
    for line in process.stdout or ():
        report = read_progress_line(line)
        if setting.is_quiet or any(each in line for each in LEFT_OUT):
            continue
        if report is None:
            for shown in render_log(line, is_raw=False):
                complain(shown)
        elif time.monotonic() - told_at >= interval:
            told_at = time.monotonic()
            read = f"{render_count(report.records, 'record')}, {render_bytes(report.bytes)}"
            complain(f"{task}: {report.fraction:.0%}, {read}")


def read_outcome(path: Path) -> TaskOutcome | None:
    """Return why a task failed; None if it did not say."""
    try:
        return decode_json(path.read_bytes(), TaskOutcome)
    except (OSError, msgspec.DecodeError):
        return None


@contextmanager
def interrupts_left_to_task() -> Iterator[None]:
    """Leave an interrupt from the keyboard to the debugger. A handler, for an ignored signal stays ignored there."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def no_change() -> Iterator[None]:
    """Do nothing."""
    yield
