"""Keeps one `kubectl port-forward` alive: where Services have no route from here, tests reach them through it.

Rule: the local port stays the same for good; when the forwarded pod goes away kubectl ends, and is started again.
"""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.minio import free_port

PAUSE_SECONDS = 0.3


class PortForward:
    """A forwarded port on loopback, from now until `close()`."""

    def __init__(self, command: Sequence[str | Path], target: str, port: int) -> None:
        local = free_port()
        self.address = f"127.0.0.1:{local}"
        self._argv = [*command, target, f"{local}:{port}"]
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the forwarding."""
        self._ended.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(timeout=10)

    def _keep_alive(self) -> None:
        while not self._ended.is_set():
            with subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as self._process:
                self._process.wait()
            self._ended.wait(PAUSE_SECONDS)
