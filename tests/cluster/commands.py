"""Runs a short command to its end and says what went wrong.

Rule: a command that fails names itself and its output; nobody has to run it again to learn why.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.processes import ClusterError


def run(argv: Sequence[str | Path], *, stdin: str | None = None, timeout: float = 600) -> str:
    """Run a command and return its standard output.

    Raises:
        ClusterError: it ended with another code than 0, or not in time.
    """
    words = " ".join(str(word) for word in argv)
    try:
        finished = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"`{words}` did not end within {timeout:g} s") from late
    if finished.returncode != 0:
        raise ClusterError(
            f"`{words}` ended with {finished.returncode}:\n{finished.stderr[-3000:]}{finished.stdout[-1000:]}"
        )
    return finished.stdout


def succeeds(argv: Sequence[str | Path], *, timeout: float = 30) -> bool:
    """Tell whether a command ends with 0 in time."""
    try:
        finished = subprocess.run(argv, capture_output=True, timeout=timeout, check=False)
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False
    return finished.returncode == 0
