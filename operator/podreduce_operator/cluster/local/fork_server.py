"""The engine's side of the fork server: asks it for processes, and learns how they ended.

Rule: if the fork server fails, tasks can be started without it.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from podreduce_operator.cluster.local.fork_server_process import start_process

__all__ = ["ForkServer", "ForkServerGoneError", "ForkedProcess"]

MAX_NOTICE_BYTES = 1024
KILLED = -int(signal.SIGKILL)


class ForkServerGoneError(OSError):
    """The fork server has ended, or cannot take this request."""


class ForkedProcess:
    """A process that the fork server started: `pid`, and `wait` for its exit code (-n: signal n ended it)."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Wait for the end and return the exit code. Several callers may wait."""
        return await asyncio.shield(self._code)

    def end(self, code: int) -> None:
        """Set the exit code."""
        if not self._code.done():
            self._code.set_result(code)


class ForkServer:
    """A running fork server. Start it early, because its imports take time. Close it at the end."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._reading: asyncio.AbstractEventLoop | None = None
        self._starting: deque[asyncio.Future[ForkedProcess]] = deque()
        self._running: dict[int, ForkedProcess] = {}
        self._is_gone = False

    @classmethod
    def open(cls) -> "ForkServer | None":
        """Start the server; None if this system does not support it."""
        started = start_process()
        return None if started is None else cls(*started)

    async def start(self, environ: Mapping[str, str], descriptors: Sequence[int]) -> ForkedProcess:
        """Start a task's process with exactly this environment; `descriptors`: its output, error output and lifeline.

        Raises:
            ForkServerGoneError: the server has ended, or the environment is too large for one message.
        """
        loop = asyncio.get_running_loop()
        if self._reading is not loop and not self._is_gone:  # each run has a loop of its own
            self._reading = loop
            loop.add_reader(self._channel, self._read)
        if self._is_gone:
            raise ForkServerGoneError("the fork server has ended")
        try:
            socket.send_fds(self._channel, [json.dumps(dict(environ)).encode()], list(descriptors))
        except OSError as error:
            raise ForkServerGoneError(f"the fork server cannot be asked: {error}") from error
        started: asyncio.Future[ForkedProcess] = loop.create_future()
        self._starting.append(started)
        return await started

    def close(self) -> None:
        """End the server. Running tasks continue."""
        self._stop_reading()
        self._channel.close()
        self._process.kill()  # it may still be importing
        self._process.wait()

    def _stop_reading(self) -> None:
        """Let the loop of the last run read no more, if it still exists."""
        if self._reading is not None and not self._reading.is_closed():
            self._reading.remove_reader(self._channel)
        self._reading = None

    def _read(self) -> None:
        """Read one notice."""
        notice = b""
        with suppress(BlockingIOError, ConnectionError):
            notice = self._channel.recv(MAX_NOTICE_BYTES)
        if notice:
            self._take(json.loads(notice))
        else:
            self._lose()

    def _take(self, notice: dict[str, Any]) -> None:
        """Handle a notice."""
        if "started" in notice:
            process = self._running[notice["started"]] = ForkedProcess(notice["started"])
            self._starting.popleft().set_result(process)
        else:
            self._running.pop(notice["ended"]).end(notice["code"])

    def _lose(self) -> None:
        """Handle the server's end. Its running tasks are killed, because nobody would report their end."""
        self._is_gone = True
        self._stop_reading()
        for started in self._starting:
            started.set_exception(ForkServerGoneError("the fork server has ended"))
        self._starting.clear()
        for pid, process in self._running.items():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            process.end(KILLED)
        self._running.clear()
