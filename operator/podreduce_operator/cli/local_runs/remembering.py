"""Adds a run to the history when it begins and when it ends, with what its tasks have printed.

Rule: a history that cannot be written stops no run.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from podreduce_operator.cli.local_runs.history import LocalRun, begin, open_history
from podreduce_operator.cli.local_runs.printed_logs import forget_others, keep_printed
from podreduce_operator.cli.program_source import ProgramSource
from podreduce_operator.cli.terminal import complain
from podreduce_operator.cli.workspace import Workspace
from podreduce_operator.cluster.local.local_jobs import JOBS_NAME

__all__ = ["as_written", "remember_begin", "remember_end", "remember_pipeline_end"]

INTERRUPTED = "Interrupted"


def remember_begin(name: str, file: str, workspace: Workspace, kind: str = "", command: Sequence[str] = ()) -> LocalRun:
    """Add a run that begins, and return it; `kind` and `command` as in `LocalRun`."""
    run = begin(name, file, workspace.path, kind, command)
    write(run)
    return run


def remember_end(run: LocalRun, status: Mapping[str, Any], workspace: Workspace, *, interrupted: bool) -> None:
    """Add how a run of a job has ended, what is kept of it, and what its tasks printed."""
    write(end(run, status, workspace, interrupted=interrupted), {"": workspace.path})


def remember_pipeline_end(
    run: LocalRun,
    status: Mapping[str, Any],
    workspace: Workspace,
    *,
    interrupted: bool,
    outputs: Mapping[str, str],
    failed_task: str,
    failed_status: Mapping[str, Any],
) -> None:
    """Add how a run of a pipeline has ended, with its steps; the last three arguments as in `LocalRun`."""
    ended = end(run, status, workspace, interrupted=interrupted)
    steps = {
        step["name"]: workspace.path / JOBS_NAME / step["job"] for step in status.get("steps", ()) if "job" in step
    }
    told = msgspec.structs.replace(
        ended, outputs=dict(outputs), failed_task=failed_task, failed_status=dict(failed_status)
    )
    write(told, steps)


def as_written(status: Mapping[str, Any], name: str, source: ProgramSource | None) -> Mapping[str, Any]:
    """Return a status whose tracebacks name the program's file and its lines, as its author knows them."""
    if source is None or "failures" not in status:
        return status
    failures = [
        {**each, "traceback": source.translate(each["traceback"], name)} if "traceback" in each else each
        for each in status["failures"]
    ]
    return {**status, "failures": failures}


def end(run: LocalRun, status: Mapping[str, Any], workspace: Workspace, *, interrupted: bool) -> LocalRun:
    """Return a run that has ended."""
    phase = INTERRUPTED if interrupted else str(status.get("phase", INTERRUPTED))
    return msgspec.structs.replace(
        run, ended_at=time.time(), phase=phase, kept=tuple(sorted(workspace.kept)), status=dict(status)
    )


def write(run: LocalRun, places: Mapping[str, Path] | None = None) -> None:
    """Add a line to the history; of a run that has ended copy the logs from the work directory of each step."""
    history = open_history(os.environ)
    try:
        history.add(run)
        if places is not None:
            keep_printed(history, run.id, places)
            forget_others(history, {each.id for each in history.read()})
    except OSError as error:
        complain(
            f"warning: podreduce list local will not have this run: {history.path}: {error.strerror or error}; "
            "XDG_STATE_HOME names another place"
        )
