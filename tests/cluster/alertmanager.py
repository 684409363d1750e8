"""A Prometheus Alertmanager of the tests' own on loopback, which keeps alerts and tells nobody of them."""

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.build import TOOLS, program, tool_directory
from tests.cluster.minio import answers, free_port

START_SECONDS = 30.0
CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def why_not() -> str | None:
    """Return why Alertmanager cannot run here; None where it can."""
    if tool_directory(TOOLS["alertmanager"]).is_dir() or shutil.which("go"):
        return None
    return "Alertmanager is built from its Go module, and Go is not here"


class Alertmanager:
    """One process with an empty store. The caller ends it with `close()`."""

    def __init__(self, directory: Path) -> None:
        """Build it where needed, start it, and return once it serves."""
        executable = program("alertmanager")
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        configuration = directory / "alertmanager.yaml"
        configuration.write_text(CONFIGURATION)
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    executable,
                    f"--config.file={configuration}",
                    f"--storage.path={directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_it_serves()

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that it has, as its API shows them."""
        with urllib.request.urlopen(f"{self.address}/api/v2/alerts", timeout=10) as response:  # noqa: S310 - its own address
            found: list[dict[str, Any]] = json.load(response)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{self.address}/-/ready"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"Alertmanager did not start at {self.address}; its log ends:\n{log}")
            time.sleep(0.05)
