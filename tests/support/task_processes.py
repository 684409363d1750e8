"""`python -m podreduce` as a pod starts it, on runs in a directory: how it ends, and what it leaves behind."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podreduce.contract.process_variables import INTERPRETER_VARIABLES
from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce.contract.wire import decode
from tests.support.task_runs import TaskRun

__all__ = ["Ended", "TaskProcesses"]

OBJECTS = {"a": b"the fox\nthe end\n"}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended, and what it left behind."""

    code: int
    events: list[dict[str, Any]]
    stderr: str
    outcome: TaskOutcome | None


class TaskProcesses:
    """Runs in a directory, whose tasks are processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "termination-log"

    def run(self, **fields: Any) -> TaskRun:
        return TaskRun(root=f"file://{self.directory}/", **{"objects": OBJECTS, **fields})

    def environ(self, run: TaskRun, task: TaskRef, **changes: Any) -> dict[str, str]:
        told = run.environment(task, termination_log=str(self.log), **changes).to_environ()
        return {**os.environ, **INTERPRETER_VARIABLES, **told, **run.settings.to_environ()}

    def open(self, environ: Mapping[str, str], preexec: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "podreduce"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec,  # noqa: PLW1509 - sets a limit, nothing else
        )

    def finish(self, process: "subprocess.Popen[str]") -> Ended:
        out, err = process.communicate(timeout=120)
        said = self.log.read_bytes() if self.log.exists() else b""
        events = [json.loads(line) for line in out.splitlines()]
        outcome = decode(said, TaskOutcome) if said else None
        return Ended(code=process.returncode, events=events, stderr=err, outcome=outcome)

    def call(self, run: TaskRun, task: TaskRef, **changes: Any) -> Ended:
        return self.finish(self.open(self.environ(run, task, **changes)))
