"""One attempt's process: started in its own session, read line by line, stopped with everything it started.

Rule: what is left of the process group when its leader ends is killed, as a container's other processes are.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from podreduce_operator.cluster.lifeline import IS_LINUX, LIFELINE_VARIABLE, Lifeline

__all__ = ["TASK_COMMAND", "TaskProcess"]

LIFELINE_MODULE = "podreduce_operator.cluster.lifeline"
TASK_COMMAND = (sys.executable, "-m", *(() if IS_LINUX else (LIFELINE_MODULE,)), "podreduce")

TAIL_LINES = 500
READ_BYTES = 64 * 2**10
MAX_LINE_BYTES = 16 * 2**10
MAX_LOG_BYTES = 64 * 2**20
DRAIN_SECONDS = 1.0
"""How long the output is still read after the process ended: someone else may hold its end of the pipe open."""


class TaskProcess:
    """A running or finished process and what it wrote. Made by `start`; `wait` must be awaited once."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: Lifeline, output: "OutputPipe") -> None:
        self.process = process
        self.lifeline = lifeline
        self.output = output

    @classmethod
    async def start(
        cls, command: Sequence[str], environ: Mapping[str, str], log_path: Path, on_line: Callable[[str], None]
    ) -> Self:
        """Start `command` with exactly the environment `environ`; each line it writes goes to `on_line`.

        Raises:
            OSError: the system will not start it.
        """
        lifeline = Lifeline.open()
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**environ, LIFELINE_VARIABLE: str(lifeline.reading)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=(lifeline.reading,),
                start_new_session=True,
            )
        except OSError:
            lifeline.close()
            os.close(reading)
            raise
        finally:
            os.close(writing)
        lifeline.attach(process.pid)
        return cls(process, lifeline, OutputPipe(reading, LineLog(log_path, on_line)))

    @property
    def log(self) -> "LineLog":
        """What the process wrote."""
        return self.output.log

    async def wait(self) -> int:
        """Wait for the end; return the exit code, 128 + n after signal n, as a container's is told."""
        code = await self.process.wait()
        self.send_signal(signal.SIGKILL)
        await self.output.close()
        self.lifeline.close()
        return 128 - code if code < 0 else code

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process to end, and kill it after the grace."""
        self.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), grace_seconds)
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            await self.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the whole process group; gone means done."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
            os.killpg(self.process.pid, number)


class OutputPipe:
    """The reading end of a process's output. Not asyncio's own: there, a process ends only when its pipes do."""

    def __init__(self, descriptor: int, log: "LineLog") -> None:
        self.descriptor = descriptor
        self.log = log
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self.read)

    def read(self) -> None:
        """Take what is there; end when all holders of the writing end are gone."""
        with suppress(BlockingIOError):
            data = os.read(self.descriptor, READ_BYTES)
            if data:
                self.log.feed(data)
            else:
                self.end()

    def end(self) -> None:
        """Stop reading."""
        if not self.ended.is_set():
            self.ended.set()
            asyncio.get_running_loop().remove_reader(self.descriptor)
            os.close(self.descriptor)

    async def close(self) -> None:
        """Read what is left, and wait no longer than `DRAIN_SECONDS` for heirs of the writing end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), DRAIN_SECONDS)
        self.end()
        self.log.close()


class LineLog:
    """Bytes in, lines out: to a file, to a bounded tail, to whoever listens."""

    def __init__(self, path: Path, on_line: Callable[[str], None]) -> None:
        self.path = path
        self.on_line = on_line
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.pending = b""
        self.written_bytes = 0
        self.file: BinaryIO = path.open("wb")

    def feed(self, data: bytes) -> None:
        """Take bytes as they come; a line longer than 16 KiB is cut into several."""
        *lines, self.pending = (self.pending + data).split(b"\n")
        while len(self.pending) > MAX_LINE_BYTES:
            lines.append(self.pending[:MAX_LINE_BYTES])
            self.pending = self.pending[MAX_LINE_BYTES:]
        for line in lines:
            self.add(line)

    def add(self, line: bytes) -> None:
        """Add one line, without its newline."""
        if self.written_bytes < MAX_LOG_BYTES:
            self.written_bytes += self.file.write(line + b"\n")
        text = line.decode(errors="replace")
        self.tail.append(text)
        self.on_line(text)

    def close(self) -> None:
        """Add a last line that has no newline, and close the file."""
        if self.pending:
            self.add(self.pending)
            self.pending = b""
        self.file.close()
