"""`python -m tests.bench.launch SECONDS REPORT COMMAND…`: run a command and write down what it and its children took.

A process of its own, so that its children's resource usage is the command's alone. It adopts what the command leaves
behind, waits for that too, and so counts every process once it is gone; orphans of others are no concern of it.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.bench.process_tree import list_descendants, resident_bytes

__all__ = ["SAMPLE_SECONDS", "launch"]

SAMPLE_SECONDS: Final = 0.05
ORPHAN_SECONDS: Final = 10.0
PR_SET_CHILD_SUBREAPER: Final = 36


class MemorySampler(threading.Thread):
    """Keeps the highest sum of the resident memory of all descendants, looked at every 50 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            total = sum(map(resident_bytes, list_descendants(os.getpid())))
            self.peak_bytes = max(self.peak_bytes, total)


def launch(command: list[str], limit_seconds: float) -> dict[str, float | int | bool]:
    """Run the command to its end, or kill it with all it started after `limit_seconds`."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sampler = MemorySampler()
    sampler.start()
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        exit_code = process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        exit_code = None
    wall_seconds = time.monotonic() - started
    reap_all(0.0 if exit_code is None else ORPHAN_SECONDS)
    sampler.ended.set()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "exit_code": -signal.SIGKILL if exit_code is None else exit_code,
        "timed_out": exit_code is None,
        "wall_seconds": wall_seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": sampler.peak_bytes,
    }


def reap_all(patience_seconds: float) -> None:
    """Wait for everything that is left, and kill it when patience is over."""
    deadline = time.monotonic() + patience_seconds
    with suppress(ChildProcessError):
        while True:
            process, _ = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                if time.monotonic() >= deadline:
                    kill_all()
                time.sleep(0.01)


def kill_all() -> None:
    """Kill every descendant."""
    for process in list_descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def main() -> int:
    """Run what the command line asks for."""
    limit_seconds, report, *command = sys.argv[1:]
    try:
        measured = launch(command, float(limit_seconds))
    except KeyboardInterrupt:
        reap_all(ORPHAN_SECONDS)
        return 128 + signal.SIGINT
    Path(report).write_text(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
