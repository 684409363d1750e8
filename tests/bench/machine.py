"""On what a benchmark was run: the machine, the versions, the commit."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.bench.paths import CHECKOUT, PEER_PYTHON

__all__ = ["describe_machine"]

PACKAGES: Final = ("msgspec", "numpy", "obstore", "pyarrow")
PEER_PACKAGES: Final = ("dask", "duckdb", "mrjob", "numpy", "polars", "pyarrow", "pyspark")


@cache
def describe_machine() -> dict[str, object]:
    """Return everything that figures depend on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": run("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "cpu": read_field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "peers": peer_versions(),
        "java": read_java_version(),
        "sort": run("sort", "--version").partition("\n")[0],
    }


def peer_versions() -> dict[str, str]:
    """Return the versions in the peers' environment; none where it is not there."""
    if not PEER_PYTHON.exists():
        return {}
    script = "import json, sys, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    versions: dict[str, str] = json.loads(run(str(PEER_PYTHON), "-c", script, *PEER_PACKAGES) or "{}")
    return versions


def read_java_version() -> str:
    """Return the first line of `java -version`, which it writes to standard error."""
    return run("java", "-version").partition("\n")[0]


def read_field(path: Path, name: str) -> str:
    """Return the value of the first `name: value` line of a file of /proc."""
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def run(*command: str) -> str:
    """Return what a command writes; empty if it cannot be run or fails."""
    try:
        ran = subprocess.run(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ran.stdout.strip()
