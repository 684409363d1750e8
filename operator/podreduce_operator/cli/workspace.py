"""The directory a local run works in: made, locked, and taken away again, also after an engine that was killed.

Each engine holds a lock on its directory as long as it lives, whatever ends it. A directory whose lock is free belongs
to nobody: the next run removes it. The locks also tell whether another run writes to the same output just now.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["OutputBusyError", "Workspace", "open_workspace"]

PREFIX = "podreduce-run-"
LOCK_NAME = "engine.lock"
LOGS_NAME = "logs"
QUARANTINE_NAME = "quarantine"
POST_MORTEM_NAME = "post-mortem"


class OutputBusyError(Exception):
    """Another local run writes to this output; the message names its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A run's own directory. `kept`: names of what in it outlives the run."""

    path: Path
    kept: set[str] = field(default_factory=set)

    @property
    def logs(self) -> Path:
        """Where the logs of failed attempts are."""
        return self.path / LOGS_NAME

    @property
    def quarantine(self) -> Path:
        """Where the bad records are, once the run has ended."""
        return self.path / QUARANTINE_NAME

    @property
    def post_mortem(self) -> Path:
        """Where the story of a failed run is, once it has ended."""
        return self.path / POST_MORTEM_NAME

    def keep(self, directory: Path) -> Path | None:
        """Let a directory of the workspace outlive the run; return it, or None if there is nothing in it."""
        if not directory.is_dir() or not any(directory.iterdir()):
            return None
        (self.path / LOCK_NAME).unlink(missing_ok=True)
        self.kept.add(directory.name)
        return directory


@contextmanager
def open_workspace(output_uri: str, parent: Path | None = None) -> Iterator[Workspace]:
    """Make a run's directory below `parent` (default: the system's temporary directory); remove it at the end.

    Raises:
        OutputBusyError: a run of this machine writes to `output_uri` just now.
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
        with no_empty_directory(output_uri):
            yield workspace
    finally:
        remove(workspace)
        os.close(lock)


@contextmanager
def no_empty_directory(output_uri: str) -> Iterator[None]:
    """Take away an output directory that the run has made and left empty."""
    path = Path(output_uri.removeprefix("file://"))
    existed = not output_uri.startswith("file://") or path.exists()
    try:
        yield
    finally:
        if not existed:
            with suppress(OSError):
                path.rmdir()


def visit_others(parent: Path, own: Path, output_uri: str) -> None:
    """Remove the directories of engines that were killed; refuse an output that a living one writes to."""
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
    """Return the process and output of the engine that works in `directory`; no process if it is dead.

    A lock file that is still empty is that of an engine that starts just now.

    Raises:
        OSError: there is no lock: this is no workspace, or one of which something was kept.
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
    """Remove the directory, but for what was kept."""
    if not workspace.kept:
        shutil.rmtree(workspace.path, ignore_errors=True)
        return
    for child in workspace.path.iterdir():
        if child.name not in workspace.kept:
            shutil.rmtree(child, ignore_errors=True)
