"""Runs of the application by the command that people use."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from podreduce_apps.catalog import find_pipeline
from tests.support.podreduce_command import COMMAND

__all__ = ["run_application", "run_file", "say"]

SECONDS = 3600


def run_application(
    data: Path, output: Path, parameters: dict[str, str], *options: str
) -> tuple[float, dict[str, Any]]:
    """Run the pipeline, and return how many seconds that took, and what metrics.json has.

    Raises:
        RuntimeError: the run failed. The message has what it printed.
    """
    seconds = run_file(find_pipeline("recommendation"), data, output, parameters, *options)
    metrics = output / "report" / "_files" / "metrics.json"
    return seconds, json.loads(metrics.read_text("utf-8")) if metrics.exists() else {}


def run_file(file: Path, data: Path, output: Path, parameters: dict[str, str], *options: str) -> float:
    """Run a pipeline of this file, and return how many seconds that took.

    Raises:
        RuntimeError: the run failed. The message has what it printed.
    """
    given = {"input": f"{data}/", "output": str(output), **parameters}
    words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
    command = [*COMMAND, "run", str(file)]
    start = time.perf_counter()
    done = subprocess.run([*command, *words, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return seconds


def say(text: str = "") -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
