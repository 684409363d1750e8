"""How long an iteration takes that has nothing to do: 50 iterations of one tiny step, less a run of one iteration."""

import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.paths import JOBS
from tests.bench.pipelines.rows import Row
from tests.bench.pipelines.runs import run_pipeline

__all__ = ["measure_iterations"]

MANY: Final = 50
GOAL_SECONDS: Final = 0.3


def measure_iterations(repeats: int) -> list[Row]:
    """Time a run of many iterations and a run of one, in turn, and divide the difference."""
    with tempfile.TemporaryDirectory(prefix="podreduce-iterations-") as directory:
        start = Path(directory) / "start.txt"
        start.write_text("1\n")
        times = [(run_loop(Path(directory), MANY), run_loop(Path(directory), 1)) for _ in range(repeats)]
    each = median((many - one) / (MANY - 1) for many, one in times)
    whole = median(many for many, _ in times)
    return [
        Row(what="an iteration of one tiny step, local", figure=f"{each:.2f} s", goal=f"{GOAL_SECONDS} s at most"),
        Row(what=f"… a whole run of {MANY}", figure=f"{whole:.1f} s"),
    ]


def run_loop(directory: Path, iterations: int) -> float:
    """Run the loop, and check what it counted."""
    output = directory / f"{iterations}-out"
    seconds = run_pipeline(
        JOBS / "tiny-loop.yaml",
        "--set",
        f"spec.loops[0].maxIterations={iterations}",
        parameters=[f"start={directory / 'start.txt'}", f"output={output}/"],
    )
    found = "".join(path.read_text() for path in sorted(output.glob("part-*")))
    if found != f"n\t{iterations + 1}\n":
        raise RuntimeError(f"{iterations} iterations from 1 gave {found!r}")
    return seconds
