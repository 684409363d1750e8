"""The history of local runs: one file of JSON lines, of a user and not of a directory, bounded.

Rule: lines are only added, under a lock, and the last line of a run counts. If the file is too long, it is replaced by
one with the last runs. A line that cannot be read, such as one of a later release, is left out. The place is that of
the XDG Base Directory Specification for states that outlive a program's restart.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from podreduce.contract.wire import decode_json
from podreduce_operator.cli.workspace import read_lock

__all__ = ["MOST_RUNS", "PIPELINE_RUN", "History", "LocalRun", "begin", "open_history"]

MOST_RUNS = 100
MOST_BYTES = 2 << 20
"""A run takes some KiB: its last status has a cap."""

PIPELINE_RUN = "pipeline"

FILE_NAME = "runs.jsonl"
LOCK_NAME = "runs.lock"
STATE_VARIABLE = "XDG_STATE_HOME"


class LocalRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One run of this machine: of a job, or of a pipeline.

    Attributes:
        id: the name of the job or pipeline, and the mark of its work directory.
        kind: `pipeline`; empty for a job.
        file: as the command line named it, in `directory`.
        workspace: its work directory, of which only what is `kept` stays.
        phase: how it ended: Complete, Failed or Interrupted; empty while it runs, and if its process was killed.
        status: its last status.
        outputs: of a pipeline, the URI of each complete step that has one of its own.
        failed_task: of a pipeline, the step that failed and its task, as `STEP/TASK`; empty if it has none.
        failed_status: of a pipeline, the last status of the job of the step that failed.
        command: the words after `podreduce` that started it; empty if something else did.
    """

    id: str
    kind: str = ""
    name: str
    file: str
    directory: str
    workspace: str
    started_at: float
    ended_at: float | None = None
    phase: str = ""
    kept: tuple[str, ...] = ()
    status: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    failed_task: str = ""
    failed_status: dict[str, Any] = {}
    command: tuple[str, ...] = ()

    @property
    def failed_step(self) -> str:
        """The step of a pipeline that failed; empty if none did."""
        if self.failed_task:
            return self.failed_task.partition("/")[0]
        return next((each["name"] for each in self.status.get("steps", ()) if each["state"] == "Failed"), "")

    def is_running(self) -> bool:
        """Tell whether its engine still works."""
        if self.phase:
            return False
        with suppress(OSError):
            return read_lock(Path(self.workspace))[0] is not None
        return False

    def kept_directory(self, name: str) -> Path | None:
        """Return a directory that was kept of the run; None if it was not, or is gone."""
        path = Path(self.workspace) / name
        return path if name in self.kept and path.is_dir() else None


class History:
    """The history in a directory, which is created when a run is added."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / FILE_NAME

    def add(self, run: LocalRun) -> None:
        """Add a run, or what has changed of it.

        Raises:
            OSError: the file cannot be written.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(msgspec.json.encode(run) + b"\n")
            if self.path.stat().st_size > MOST_BYTES:
                self._shorten()

    def read(self) -> list[LocalRun]:
        """Return the last runs, the newest first. No file is no run.

        Raises:
            OSError: the file cannot be read.
        """
        runs: dict[str, LocalRun] = {}
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                with suppress(msgspec.DecodeError):
                    run = decode_json(line, LocalRun)
                    runs[run.id] = run
        newest_first = list(runs.values())[::-1]
        newest_first.sort(key=lambda run: run.started_at, reverse=True)
        return newest_first[:MOST_RUNS]

    def _shorten(self) -> None:
        """Keep a line for each of the last runs, and of these only as many as fill half of the file."""
        lines: list[bytes] = []
        for run in self.read():
            lines.append(msgspec.json.encode(run) + b"\n")
            if len(lines) > 1 and sum(map(len, lines)) > MOST_BYTES // 2:
                lines.pop()
                break
        with tempfile.NamedTemporaryFile(dir=self.directory, prefix=FILE_NAME, delete=False) as file:
            file.writelines(reversed(lines))
        Path(file.name).replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def open_history(environ: Mapping[str, str]) -> History:
    """Return this user's history."""
    state = environ.get(STATE_VARIABLE, "")
    place = Path(state) if Path(state).is_absolute() else Path(environ.get("HOME") or "~").expanduser() / ".local/state"
    return History(place / "podreduce")


def begin(name: str, file: str, workspace: Path, kind: str = "", command: Sequence[str] = ()) -> LocalRun:
    """Return a run that begins now in a work directory; `kind` and `command` as in `LocalRun`."""
    mark = workspace.name.rpartition("-")[2]
    return LocalRun(
        id=f"{name}-{mark}",
        kind=kind,
        name=name,
        file=file,
        directory=str(Path.cwd()),
        workspace=str(workspace.absolute()),
        started_at=time.time(),
        command=tuple(command),
    )
