"""A MinIO server of the tests' own on loopback: a random port, a temporary directory, ended by its own process handle.

Rule: needs no root and no cluster, only the built program. Data and port survive `stop()` and `start()`, so a test can
take the store away from a running job and give it back.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import obstore.store
from minio import Minio

from tests.cluster.buckets import Buckets
from tests.cluster.build import TOOLS, program, tool_directory

START_SECONDS = 30.0


def why_not() -> str | None:
    """Return why MinIO cannot run here; None where it can."""
    if tool_directory(TOOLS["minio"]).is_dir() or shutil.which("go"):
        return None
    return "MinIO is built from its Go module, and Go is not here"


class MinioServer:
    """One MinIO process. Built by `MinioServer.create()`; the caller ends it with `close()`."""

    def __init__(self, *, executable: Path, directory: Path, port: int) -> None:
        self.executable = executable
        self.directory = directory
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.access_key = "podreduce-tests"
        self.secret_key = secrets.token_hex(16)
        self._buckets = Buckets(endpoint=self.endpoint, access_key=self.access_key, secret_key=self.secret_key)
        self.region = self._buckets.region
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process; None while it is stopped."""
        return None if self._process is None else self._process.pid

    @classmethod
    def create(cls, parent: Path | None = None) -> "MinioServer":
        """Build MinIO where needed and start a server with an empty store, below `parent` (default: temporary)."""
        executable = program("minio")
        directory = Path(tempfile.mkdtemp(prefix="podreduce-minio-", dir=parent))
        server = cls(executable=executable, directory=directory, port=free_port())
        server.start()
        return server

    def start(self) -> None:
        """Start the server and return once it serves; does nothing while it runs."""
        if self._process is not None:
            return
        credentials = {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key}
        (self.directory / "data").mkdir(exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.executable,
                    "server",
                    "--quiet",
                    f"--address=127.0.0.1:{self.port}",
                    f"--certs-dir={self.directory / 'certs'}",
                    self.directory / "data",
                ],
                env=os.environ
                | credentials
                | {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "HOME": str(self.directory)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_it_serves()

    def stop(self) -> None:
        """Kill the server as a crash would, connections and all; the data stays."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Crash the server and start it again on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its data."""
        self.stop()
        shutil.rmtree(self.directory)

    def client(self) -> Minio:
        """Return a client with the server's root credentials."""
        return self._buckets.client()

    def make_bucket(self, name: str) -> str:
        """Create a bucket, or find it there, and return its name."""
        return self._buckets.make_bucket(name)

    def store(self, bucket: str, prefix: str | None = None) -> obstore.store.S3Store:
        """Return an obstore store over one of its buckets, which is created where it is missing."""
        return self._buckets.store(bucket, prefix)

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{self.endpoint}/minio/health/ready"):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"MinIO did not start at {self.endpoint}; its log ends:\n{log}")
            time.sleep(0.05)


def answers(url: str) -> bool:
    """Tell whether an HTTP address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - the harness's own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """Return a loopback port that nothing listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
