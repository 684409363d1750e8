"""One attempt's process. It runs in its own session, is read line by line, and is stopped with everything it started.

Rule: when the first process of the group ends, the others are killed, as in a container.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeAlias

from podreduce.contract.process_variables import LIFELINE_VARIABLE
from podreduce_operator.cluster.local.fork_server import ForkedProcess, ForkServer, ForkServerGoneError
from podreduce_operator.cluster.local.kill_with_parent import IS_LINUX, Lifeline

__all__ = ["TASK_COMMAND", "TaskProcess"]

LIFELINE_MODULE = "podreduce_operator.cluster.local.kill_with_parent"
TASK_COMMAND = (sys.executable, "-P", "-m", *(() if IS_LINUX else (LIFELINE_MODULE,)), "podreduce")

OnLine = Callable[[str], None]
Process: TypeAlias = asyncio.subprocess.Process | ForkedProcess

TAIL_LINES = 500
READ_BYTES = 64 * 2**10
MAX_LINE_BYTES = 16 * 2**10
MAX_LOG_BYTES = 64 * 2**20
DRAIN_SECONDS = 1.0
"""How long the output is read after the process ended. Another process may still hold the pipe open."""


class TaskProcess:
    """A running or finished process and its output. Created by `start`. `wait` must be awaited once."""

    def __init__(self, process: Process, lifeline: Lifeline, pipes: Sequence["OutputPipe"], log: "TaskLog") -> None:
        self.process = process
        self.lifeline = lifeline
        self.pipes = pipes
        self.log = log

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environ: Mapping[str, str],
        log_path: Path,
        on_line: OnLine,
        fork_server: ForkServer | None = None,
    ) -> Self:
        """Start `command` with exactly the environment `environ`. Each line that it writes goes to `on_line`.

        With a `fork_server` the process is forked; `command` is used if that is not possible.

        Raises:
            OSError: the system cannot start the process.
        """
        lifeline = Lifeline.open()
        (output, output_end), (error, error_end) = os.pipe(), os.pipe()
        try:
            descriptors = (output_end, error_end, lifeline.reading)
            process = await start_process(command, environ, descriptors, fork_server)
        except OSError:
            lifeline.close()
            os.close(output)
            os.close(error)
            raise
        finally:
            os.close(output_end)
            os.close(error_end)
        lifeline.attach(process.pid)
        log = TaskLog(log_path)
        return cls(process, lifeline, (OutputPipe(output, log, on_line), OutputPipe(error, log, on_line)), log)

    async def wait(self) -> int:
        """Wait for the end and return the exit code. As for a container, it is 128 + n after signal n."""
        code = await self.process.wait()
        self.send_signal(signal.SIGKILL)
        await asyncio.gather(*(pipe.close() for pipe in self.pipes))
        self.log.close()
        self.lifeline.close()
        return 128 - code if code < 0 else code

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process to end, and kill it after the grace period."""
        self.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), grace_seconds)
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            await self.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the whole process group, if it still exists."""
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.process.pid, number)


async def start_process(
    command: Sequence[str],
    environ: Mapping[str, str],
    descriptors: tuple[int, int, int],
    fork_server: ForkServer | None,
) -> Process:
    """Start a process; `descriptors`: its output, error output and lifeline."""
    if fork_server is not None:
        with suppress(ForkServerGoneError):
            return await fork_server.start(environ, descriptors)
    output, error, lifeline = descriptors
    return await asyncio.create_subprocess_exec(
        *command,
        env={**environ, LIFELINE_VARIABLE: str(lifeline)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=error,
        pass_fds=(lifeline,),
        start_new_session=True,
    )


class OutputPipe:
    """The reading end of one output of a process: turns bytes into lines.

    asyncio's own pipes are not used, because with them a process ends only when its pipes do.
    """

    def __init__(self, descriptor: int, log: "TaskLog", on_line: OnLine) -> None:
        self.descriptor = descriptor
        self.log = log
        self.on_line = on_line
        self.pending = b""
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self.read)

    def read(self) -> None:
        """Read what is there. End when no process holds the writing end."""
        with suppress(BlockingIOError):
            data = os.read(self.descriptor, READ_BYTES)
            if data:
                self.feed(data)
            else:
                self.end()

    def feed(self, data: bytes) -> None:
        """Split bytes into lines. A line longer than 16 KiB is cut into several."""
        *lines, self.pending = (self.pending + data).split(b"\n")
        while len(self.pending) > MAX_LINE_BYTES:
            lines.append(self.pending[:MAX_LINE_BYTES])
            self.pending = self.pending[MAX_LINE_BYTES:]
        for line in lines:
            self.add(line)

    def add(self, line: bytes) -> None:
        """Pass one line on, without its newline."""
        text = line.decode(errors="replace")
        self.log.add(text)
        self.on_line(text)

    def end(self) -> None:
        """Stop reading. The last line may have no newline."""
        if self.ended.is_set():
            return
        self.ended.set()
        asyncio.get_running_loop().remove_reader(self.descriptor)
        os.close(self.descriptor)
        if self.pending:
            self.add(self.pending)

    async def close(self) -> None:
        """Read what is left. Wait at most `DRAIN_SECONDS` for other processes with the writing end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), DRAIN_SECONDS)
        self.end()


class TaskLog:
    """What a process wrote: up to 64 MiB in a file, and the last lines in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.written_bytes = 0
        self.file = path.open("wb")

    def add(self, line: str) -> None:
        """Add one line, without its newline."""
        self.tail.append(line)
        if self.written_bytes < MAX_LOG_BYTES:
            self.written_bytes += self.file.write(f"{line}\n".encode())

    def close(self) -> None:
        """Close the file."""
        self.file.close()
