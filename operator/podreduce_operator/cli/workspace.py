"""The working directory of a local run: created, locked and removed, also after an engine was killed.

Rule: each engine holds a lock on its directory until it ends, for any reason. If the lock is free, the directory is
unused and the next run removes it. A lock on the output, always in the system's temporary directory, tells whether
another run is writing there, wherever its working directory is.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

__all__ = [
    "LOGS_NAME",
    "RECORDS_NAME",
    "OutputBusyError",
    "Workspace",
    "hold_output",
    "no_empty_directory",
    "open_workspace",
]

PREFIX = "podreduce-run-"
LOCK_NAME = "engine.lock"
LOGS_NAME = "logs"
QUARANTINE_NAME = "quarantine"
POST_MORTEM_NAME = "post-mortem"
RECORDS_NAME = "run"


class OutputBusyError(Exception):
    """Another local run is writing to this output. The message names its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A run's directory. `kept`: names of its directories that stay after the run."""

    path: Path
    kept: set[str] = field(default_factory=set)

    @property
    def logs(self) -> Path:
        """Where the logs of failed attempts are."""
        return self.path / LOGS_NAME

    @property
    def quarantine(self) -> Path:
        """Where the bad records are after the run."""
        return self.path / QUARANTINE_NAME

    @property
    def post_mortem(self) -> Path:
        """Where the post-mortem of a failed run is after the run."""
        return self.path / POST_MORTEM_NAME

    @property
    def records(self) -> Path:
        """Where the records of a failed run are after the run."""
        return self.path / RECORDS_NAME

    def keep(self, directory: Path) -> Path | None:
        """Keep a directory of the workspace after the run. Return it, or None if it is empty."""
        if not directory.is_dir() or not any(directory.iterdir()):
            return None
        (self.path / LOCK_NAME).unlink(missing_ok=True)
        self.kept.add(directory.name)
        return directory


@contextmanager
def open_workspace(output_uri: str, parent: Path | None = None) -> Iterator[Workspace]:
    """Create a run's directory below `parent` (default: the system's temporary directory), and remove it at the end.

    Raises:
        OutputBusyError: another run on this machine is writing to `output_uri`.
    """
    parent = parent or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    workspace = Workspace(path=path)
    lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(lock, f"{os.getpid()}\n{output_uri}\n".encode())
        visit_others(parent, path, output_uri)
        with hold_output(output_uri), no_empty_directory(output_uri):
            yield workspace
    finally:
        remove(workspace)
        os.close(lock)


@contextmanager
def hold_output(output_uri: str) -> Iterator[None]:
    """Hold the lock of an output. It is free as soon as its process has ended, for any reason.

    Raises:
        OutputBusyError: another run on this machine is writing to `output_uri`.
    """
    path = output_lock(output_uri)
    while True:
        lock = open_lock(path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 100).decode(errors="replace").strip() or "another process"
            os.close(lock)
            raise OutputBusyError(f"{output_uri} is being written by process {pid}: wait for it or stop it") from None
        with suppress(FileNotFoundError):  # its last holder may have removed it after it was opened here
            if os.path.samestat(os.fstat(lock), path.stat()):
                break
        os.close(lock)
    try:
        with suppress(OSError):  # another user's file is only read
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(lock)


def output_lock(output_uri: str) -> Path:
    """Return the lock file of an output. Two names of one directory have the same."""
    place = output_uri.rstrip("/")
    if place.startswith("file://"):
        place = f"file://{os.path.realpath(place.removeprefix('file://'))}"
    return Path(tempfile.gettempdir()) / f"podreduce-output-{sha256(place.encode()).hexdigest()[:32]}.lock"


def open_lock(path: Path) -> int:
    """Open a lock file, and create it if there is none. Links are not followed: anybody may write to this directory."""
    while True:
        with suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            except PermissionError:
                return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)


@contextmanager
def no_empty_directory(output_uri: str) -> Iterator[None]:
    """Remove the output directory if the run created it and left it empty."""
    path = Path(output_uri.removeprefix("file://"))
    existed = not output_uri.startswith("file://") or path.exists()
    try:
        yield
    finally:
        if not existed:
            with suppress(OSError):
                path.rmdir()


def visit_others(parent: Path, own: Path, output_uri: str) -> None:
    """Remove the directories of killed engines. Refuse an output that a running engine writes to."""
    for directory in sorted(parent.glob(f"{PREFIX}*")):
        if directory == own or directory.is_symlink():
            continue
        with suppress(OSError):
            pid, uri = read_lock(directory)
            if pid is None:
                shutil.rmtree(directory, ignore_errors=True)
            elif uri == output_uri:
                raise OutputBusyError(f"{output_uri} is being written by process {pid}: wait for it or stop it")


def read_lock(directory: Path) -> tuple[str | None, str]:
    """Return the process and output of the engine that works in `directory`; None as process if it has ended.

    A lock file that is still empty belongs to an engine that is just starting.

    Raises:
        OSError: there is no lock file. The directory is not a workspace, or something in it was kept.
    """
    lock = os.open(directory / LOCK_NAME, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid, _, uri = os.read(lock, 64 * 1024).decode(errors="replace").partition("\n")
        return pid, uri.rstrip("\n")
    else:
        return (None, "") if os.fstat(lock).st_size else ("", "")
    finally:
        os.close(lock)


def remove(workspace: Workspace) -> None:
    """Remove the directory except what was kept."""
    if not workspace.kept:
        shutil.rmtree(workspace.path, ignore_errors=True)
        return
    for child in workspace.path.iterdir():
        if child.name not in workspace.kept:
            shutil.rmtree(child, ignore_errors=True)
