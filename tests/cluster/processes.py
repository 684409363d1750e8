"""Processes that outlive their starter, recorded by id: a file each in a ledger, with the process's start time.

Rule: a process is ended only if the pid still has the start time that was recorded, so a reused pid is never hit; and
nothing is ever ended by name.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.build import announce
from tests.cluster.paths import DATA, STATE

LOGS = DATA / "logs"


class ClusterError(Exception):
    """A part of the cluster did not come up; the message names it and the place of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where the records and the logs of processes that belong together lie."""

    records: Path
    logs: Path


CLUSTER = Ledger(records=STATE / "processes", logs=LOGS)
"""The harness's own processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A recorded process. `order` is the order of starting; processes end in the reverse order."""

    name: str
    pid: int
    start_time: int
    order: float


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    netns: str | None = None,
    environment: Mapping[str, str] | None = None,
    ledger: Ledger = CLUSTER,
) -> Process:
    """Start a process that outlives this one, in a network namespace where one is named, and record it."""
    ledger.logs.mkdir(parents=True, exist_ok=True)
    entering = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
    with (ledger.logs / f"{name}.log").open("ab") as log:
        started = subprocess.Popen(
            [*entering, *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment or {}),
            cwd="/",
            start_new_session=True,
        )
    start_time = _start_time(started.pid)
    if start_time is None:
        raise ClusterError(f"{name} ended at once; see {ledger.logs / name}.log")
    process = Process(name=name, pid=started.pid, start_time=start_time, order=time.time())
    ledger.records.mkdir(parents=True, exist_ok=True)
    (ledger.records / f"{name}.json").write_text(json.dumps(asdict(process)))
    started.returncode = 0  # the handle is dropped on purpose: the record is what ends the process
    return process


def recorded(ledger: Ledger = CLUSTER) -> list[Process]:
    """Return the recorded processes, last started first."""
    files = ledger.records.glob("*.json") if ledger.records.is_dir() else []
    return sorted((Process(**json.loads(file.read_text())) for file in files), key=lambda it: -it.order)


def is_alive(process: Process) -> bool:
    """Tell whether the recorded process itself still runs (a zombie does not)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return _start_time(process.pid) == process.start_time


def stop(process: Process, *, grace_seconds: float = 5, ledger: Ledger = CLUSTER) -> None:
    """End a recorded process, by force after a grace period, and forget it."""
    for number, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        if not is_alive(process):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        _poll(lambda: not is_alive(process), seconds=patience)
    (ledger.records / f"{process.name}.json").unlink(missing_ok=True)


def await_ready(
    what: str,
    is_ready: Callable[[], bool],
    *,
    of: Process | None = None,
    seconds: float = 60,
    ledger: Ledger = CLUSTER,
) -> None:
    """Wait until a part answers, and give up early when its process has ended.

    Raises:
        ClusterError: it did not answer in time, or ended; the message holds its log's last lines.
    """
    if _poll(lambda: is_ready() or (of is not None and not is_alive(of)), seconds=seconds) and is_ready():
        return
    last = (ledger.logs / f"{of.name}.log").read_text(errors="replace")[-3000:] if of else ""
    raise ClusterError(f"{what} is not ready after {seconds:.0f} s; logs are in {ledger.logs}\n{last}")


def keep_logs(what: str, ledger: Ledger = CLUSTER) -> None:
    """Copy the logs of what did not come up to a place that outlives it, and name the place."""
    kept = Path(tempfile.gettempdir()) / f"{ledger.logs.parent.name}-logs"
    with contextlib.suppress(FileNotFoundError):
        shutil.copytree(ledger.logs, kept, dirs_exist_ok=True)
        announce(f"{what} did not come up; its logs are kept in {kept}")


def _poll(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _start_time(pid: int) -> int | None:
    """Return the process's start in clock ticks since boot; None where it is gone or a zombie (proc(5), stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])
