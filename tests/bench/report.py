"""What is shown and kept of a comparison: the table on the terminal, the JSON, the plot."""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.comparison import Comparison
from tests.bench.figures import Summary
from tests.bench.paths import CHECKOUT, PEER_PYTHON
from tests.bench.results import write_json
from tests.bench.works import PARALLELISM

__all__ = ["draw_plot", "render_notes", "render_row", "render_table", "save_results", "show_table"]

WIDTH = 120
FIRST_NUMBER = 2
COLUMNS = ("work", "competitor", "wall s, median [min-max]", "MB/s per core", "CPU s", "peak MiB", "ratio")


def render_table(summaries: Sequence[Summary]) -> Table:
    """Return the one table; a failed or absent competitor has no figures, and its reason below (`render_notes`)."""
    table = Table(*COLUMNS, caption=CAPTION, caption_justify="left")
    for number, column in enumerate(table.columns):
        column.no_wrap = True
        column.justify = "right" if number >= FIRST_NUMBER else "left"
    last = ""
    for summary in summaries:
        if last and summary.work != last:
            table.add_section()
        table.add_row(*render_row(summary), style="red" if summary.problem else None)
        last = summary.work
    return table


def render_notes(summaries: Sequence[Summary]) -> list[str]:
    """Return why competitors have no figures, a line each."""
    return [f"{row.work}, {row.competitor}: {row.problem}" for row in summaries if row.problem]


CAPTION = (
    f"MB/s per core: input over wall time over {PARALLELISM} cores. CPU: user and system time of all processes, "
    "+ what MinIO took. Peak: sum of the resident memory of all processes, every 50 ms (shared pages count in each; "
    "without MinIO, which keeps its data in memory where there is room). Ratio: wall time over that of podreduce on a "
    "directory; over 1 is slower than it."
)


def render_row(summary: Summary) -> tuple[str, ...]:
    """Return the cells of one row."""
    if summary.wall_seconds is None:
        return (summary.work, summary.competitor, "FAILED" if summary.runs else "not run", "", "", "", "")
    store = "" if summary.store_cpu_seconds is None else f" + {summary.store_cpu_seconds:.1f}"
    return (
        summary.work,
        summary.competitor,
        f"{summary.wall_seconds:.2f} [{summary.least_seconds:.2f}-{summary.most_seconds:.2f}]",
        f"{summary.megabytes_per_second_core:.1f}",
        f"{summary.cpu_seconds:.1f}{store}",
        f"{(summary.peak_bytes or 0) / 2**20:,.0f}",
        "" if summary.ratio is None else f"{summary.ratio:.2f}",
    )


def show_table(summaries: Sequence[Summary], path: Path) -> None:
    """Print the table with its notes, and write it to a file as well; a narrow terminal wraps its lines."""
    with path.open("w") as file:
        for console in (Console(width=WIDTH), Console(file=file, width=WIDTH)):
            console.print(render_table(summaries), *render_notes(summaries), sep="\n", markup=False)


def save_results(comparison: Comparison, path: Path) -> None:
    """Write everything as JSON."""
    document = {
        "parallelism": PARALLELISM,
        "memory": "sum of resident memory of all processes, sampled every 50 ms",
        "summaries": [asdict(summary) for summary in comparison.summaries()],
        "runs": [asdict(run) for run in comparison.runs],
    }
    write_json(document, path)


def draw_plot(results: Path, path: Path) -> str:
    """Draw the JSON's figures, with the peers' environment, which has matplotlib; return what went wrong, if anything.

    Figures that cannot be drawn are there all the same.
    """
    if not PEER_PYTHON.exists():
        return "no plot: the peers' environment is not installed (make bench does it)"
    command = [str(PEER_PYTHON), "-m", "tests.bench.plot", str(results), str(path)]
    drawn = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return "" if drawn.returncode == 0 else f"no plot: {drawn.stderr.strip()[-400:]}"
