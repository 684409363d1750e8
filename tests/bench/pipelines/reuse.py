"""What reuse gains: the diamond of examples/web, run from nothing, and again with nothing changed."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.paths import CHECKOUT
from tests.bench.pipelines.rows import Row
from tests.bench.pipelines.runs import median_seconds, run_pipeline

__all__ = ["measure_reuse"]

DAY: Final = "day=2026-05-01"
WEB: Final = CHECKOUT / "examples" / "web"
COPIES: Final = 2000
"""How often the example's log is read: some work for the first run."""
GOAL_SECONDS: Final = 2.0


def measure_reuse(repeats: int) -> list[Row]:
    """Run the diamond without and with the records of a run before."""
    with tempfile.TemporaryDirectory(prefix="podreduce-reuse-") as scratch:
        directory = Path(scratch)
        write_logs(directory / "logs")
        fresh, again = [], []
        for repeat in range(repeats):
            kept = directory / f"kept-{repeat}"
            fresh.append(run_web(directory, kept))
            again.append(run_web(directory, kept))
            shutil.rmtree(kept)
    return [
        Row(what="the diamond (examples/web), from nothing", figure=median_seconds(fresh)),
        Row(what="… again, nothing changed", figure=median_seconds(again), goal=f"{GOAL_SECONDS} s at most"),
    ]


def write_logs(directory: Path) -> None:
    """Write the example's log many times."""
    (directory / DAY).mkdir(parents=True)
    for path in sorted((WEB / "logs" / DAY).iterdir()):
        header, _, rows = path.read_bytes().partition(b"\n")
        (directory / DAY / path.name).write_bytes(header + b"\n" + rows * COPIES)


def run_web(directory: Path, kept: Path) -> float:
    """Run the diamond once."""
    return run_pipeline(
        WEB / "pipeline.yaml",
        "--keep",
        str(kept),
        parameters=[f"logs={directory / 'logs'}", f"reports={directory / 'reports'}"],
    )
