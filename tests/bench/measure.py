"""One measured run of a command: its wall time, and the processor time and memory of all its processes."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.paths import CHECKOUT

__all__ = ["Measured", "measure"]

LIMIT_SECONDS: Final = 1800.0
TAIL_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run took. `problem`: why it counts as failed, else None."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    problem: str | None = None


def measure(command: Sequence[str], *, environ: Mapping[str, str], scratch: Path) -> Measured:
    """Run `command` in the checkout with exactly that environment; what it writes goes to a file in `scratch`."""
    report, log = scratch / "measured.json", scratch / "log"
    report.unlink(missing_ok=True)
    launcher = [sys.executable, "-m", "tests.bench.launch", str(LIMIT_SECONDS), str(report)]
    with log.open("wb") as output:
        subprocess.run(
            [*launcher, *command], cwd=CHECKOUT, env=environ, stdout=output, stderr=subprocess.STDOUT, check=True
        )
    measured = json.loads(report.read_text())
    return Measured(
        wall_seconds=measured["wall_seconds"],
        cpu_seconds=measured["cpu_seconds"],
        peak_bytes=measured["peak_bytes"],
        problem=find_problem(measured, log),
    )


def find_problem(measured: Mapping[str, float], log: Path) -> str | None:
    """Return how the command failed, with the last of what it wrote; None if it did not."""
    if measured["timed_out"]:
        return f"killed after {LIMIT_SECONDS:.0f} s"
    if measured["exit_code"]:
        tail = log.read_text(errors="replace").strip()[-TAIL_CHARACTERS:]
        return f"exit code {measured['exit_code']}: {tail}"
    return None
