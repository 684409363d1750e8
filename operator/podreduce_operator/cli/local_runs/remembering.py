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

__all__ = ["remember_begin", "remember_end"]

INTERRUPTED = "Interrupted"


def remember_begin(name: str, file: str, workspace: Workspace) -> LocalRun:
    """Add a run that begins, and return it."""
    run = begin(name, file, workspace.path)
    write(run)
    return run


def remember_end(run: LocalRun, status: Mapping[str, Any], workspace: Workspace, *, interrupted: bool) -> None:
    """Add how a run has ended, what is kept of it, and what its tasks printed."""
    phase = INTERRUPTED if interrupted else str(status.get("phase", INTERRUPTED))
    ended = msgspec.structs.replace(
        run, ended_at=time.time(), phase=phase, kept=tuple(sorted(workspace.kept)), status=dict(status)
    )
    write(ended, workspace.path)


def write(run: LocalRun, workspace: Path | None = None) -> None:
    """Add a line to the history, and copy the logs from the work directory of a run that has ended."""
    history = open_history(os.environ)
    try:
        history.add(run)
        if workspace is not None:
            keep_printed(history, run.id, workspace)
            forget_others(history, {each.id for each in history.read()})
    except OSError as error:
        complain(
            f"warning: podreduce list local will not have this run: {history.path}: {error.strerror or error}; "
            "XDG_STATE_HOME names another place"
        )
