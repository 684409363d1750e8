"""Adds a run to the history when it begins and when it ends, with what its tasks have printed.

Rule: a history that cannot be written stops no run.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from podreduce_operator.cli.local_runs.history import LocalRun, begin, open_history
from podreduce_operator.cli.local_runs.printed_logs import forget_others, keep_printed
from podreduce_operator.cli.terminal import complain
from podreduce_operator.cli.workspace import Workspace
from podreduce_operator.cluster.local.local_jobs import JOBS_NAME

__all__ = ["remember_begin", "remember_end", "remember_pipeline_end"]

INTERRUPTED = "Interrupted"


def remember_begin(name: str, file: str, workspace: Workspace, kind: str = "") -> LocalRun:
    """Add a run that begins, and return it; `kind` as in `LocalRun`."""
    run = begin(name, file, workspace.path, kind)
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
) -> None:
    """Add how a run of a pipeline has ended, with its steps; `outputs` and `failed_task` as in `LocalRun`."""
    ended = end(run, status, workspace, interrupted=interrupted)
    steps = {
        step["name"]: workspace.path / JOBS_NAME / step["job"] for step in status.get("steps", ()) if "job" in step
    }
    write(msgspec.structs.replace(ended, outputs=dict(outputs), failed_task=failed_task), steps)


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
