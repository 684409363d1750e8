"""The operator as a process of this machine, and what it takes of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process_tree import cpu_seconds
from tests.cluster.minio import answers, free_port
from tests.cluster.processes import ClusterError

__all__ = ["OperatorProcess", "run_operator"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProcess:
    """A running operator."""

    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used: user and system."""
        return cpu_seconds(self.process.pid)

    def peak_mib(self) -> float:
        """Return the most that was resident at a time."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def run_operator(kubeconfig: Path, log: Path, parallelism_limit: int) -> Iterator[OperatorProcess]:
    """Run the operator of this checkout, without a lease, until the block is left."""
    port = free_port()
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "PODREDUCE_OPERATOR_RUNTIME_IMAGE": "fake:1",
        "PODREDUCE_OPERATOR_PARALLELISM_LIMIT": str(parallelism_limit),
        "PODREDUCE_OPERATOR_HEALTH_PORT": str(port),
        "PODREDUCE_OPERATOR_PROGRESS_PORT": str(free_port()),
        "PODREDUCE_OPERATOR_LOG_FORMAT": "json",
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "podreduce_operator"],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", log)
        yield OperatorProcess(process=process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the operator says that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ClusterError(f"the operator did not get ready; its log ends:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
