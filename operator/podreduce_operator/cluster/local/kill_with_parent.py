"""Kills a child process and everything it started when its parent ends, even after `kill -9`.

The parent keeps the writing end of a pipe, and the child's process group the reading end. When the pipe breaks, Linux
signals the group (fcntl(2), F_SETSIG), whatever the group is doing. A thread that watches the pipe could be blocked by
a regular expression that holds the interpreter's lock. On other systems such a thread is used: `main`.
"""

import fcntl
import os
import runpy
import signal
import sys
import threading
from contextlib import suppress
from typing import Self

from podreduce.contract.process_variables import LIFELINE_VARIABLE

__all__ = ["IS_LINUX", "Lifeline", "main"]


IS_LINUX = sys.platform == "linux"


class Lifeline:
    """The pipe between this process and one child's process group. Close it when the child is gone."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading = reading
        self.writing = writing

    @classmethod
    def open(cls) -> Self:
        """Open the pipe. Pass `reading` to the child, then call `attach`."""
        return cls(*os.pipe())

    def attach(self, group: int) -> None:
        """Tie the process group to this process."""
        if IS_LINUX:
            fcntl.fcntl(self.reading, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(self.reading, fcntl.F_GETFL)
            fcntl.fcntl(self.reading, fcntl.F_SETFL, flags | os.O_ASYNC)
            with suppress(ProcessLookupError):  # the group has ended already
                fcntl.fcntl(self.reading, fcntl.F_SETOWN, -group)
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        """Close the pipe. Processes left in the group are killed."""
        for end in (self.reading, self.writing):
            if end >= 0:
                os.close(end)
        self.reading = self.writing = -1


def main(arguments: list[str]) -> None:
    """Run the module `arguments[0]` like `python -m`, and end with the parent. For systems other than Linux."""
    descriptor = int(os.environ[LIFELINE_VARIABLE])
    threading.Thread(target=end_with_parent, args=(descriptor,), daemon=True).start()
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def end_with_parent(descriptor: int) -> None:
    """Wait until the pipe breaks, then kill this process group."""
    with suppress(OSError):
        os.read(descriptor, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
