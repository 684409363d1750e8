"""Runs of `podreduce run` on a pipeline, timed."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.paths import PODREDUCE
from tests.bench.works import PARALLELISM

__all__ = ["median_seconds", "run_pipeline"]

TAIL_CHARACTERS: Final = 800


def run_pipeline(file: Path, *options: str, parameters: Sequence[str] = ()) -> float:
    """Run a pipeline, and return the seconds from exec to exit.

    Raises:
        RuntimeError: it failed.
    """
    given = [option for each in parameters for option in ("-p", each)]
    command = [str(PODREDUCE), "run", str(file), "--log-format", "lines", "-j", str(PARALLELISM), *given, *options]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[-TAIL_CHARACTERS:]}")
    return seconds


def median_seconds(times: Sequence[float]) -> str:
    """Return the median, with the least and the most."""
    return f"{median(times):.1f} s [{min(times):.1f}-{max(times):.1f}]"
