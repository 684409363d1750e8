"""`python -m tests.bench.plot RESULTS.json PLOT.png`: a panel of horizontal bars for each work, the fastest on top.

Runs in the peers' environment; imports nothing of the project.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

Row = dict[str, Any]

OURS = "#2563a8"
OURS_LIGHT = "#7fb0de"
OTHERS = "#b8b8b8"
BAR_INCHES = 0.34
PANEL_INCHES = 1.0


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw all works that have figures."""
    works = group_by_work([row for row in document["summaries"] if row["wall_seconds"] is not None])
    heights = [len(rows) for rows in works.values()]
    figure, panels = plt.subplots(
        len(works),
        1,
        figsize=(9, sum(heights) * BAR_INCHES + PANEL_INCHES * len(works) + 0.3),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    sizes = {run["work"]: run["input_bytes"] for run in document["runs"]}
    for panel, (work, rows) in zip(panels.flat, works.items(), strict=True):
        draw_panel(panel, f"{work}, {sizes[work] / 1e6:,.0f} MB", rows)
    machine = document["machine"]
    figure.supxlabel(
        f"wall seconds, median of {works_repeats(works)}, whiskers: least and most\n"
        f"{machine['cpu']}, {document['parallelism']} cores, Python {machine['python']}, {machine['commit']}",
        fontsize=8,
    )
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    figure.savefig(path, dpi=150)


def works_repeats(works: dict[str, list[Row]]) -> str:
    """Return how many runs there were: a number, or from-to."""
    counts = sorted({row["runs"] for rows in works.values() for row in rows})
    return "-".join(map(str, dict.fromkeys((counts[0], counts[-1]))))


def group_by_work(rows: list[Row]) -> dict[str, list[Row]]:
    """Return each work's rows, the slowest first, for the lowest bar comes first."""
    works: dict[str, list[Row]] = {row["work"]: [] for row in rows}
    for row in sorted(rows, key=lambda row: -row["wall_seconds"]):
        works[row["work"]].append(row)
    return works


def draw_panel(panel: Axes, title: str, rows: list[Row]) -> None:
    """Draw one work's bars, each with its figure behind the whisker."""
    walls = [row["wall_seconds"] for row in rows]
    whiskers = [
        [row["wall_seconds"] - row["least_seconds"] for row in rows],
        [row["most_seconds"] - row["wall_seconds"] for row in rows],
    ]
    names = [row["competitor"] for row in rows]
    panel.barh(names, walls, color=[color(name) for name in names], xerr=whiskers, error_kw={"lw": 1, "capsize": 2})
    limit = find_limit([row["most_seconds"] for row in rows])
    for place, row in enumerate(rows):
        end = row["most_seconds"]
        text = f"{row['wall_seconds']:.1f} s" + ("" if end < limit else ", bar cut off")
        side = {"xytext": (3, 0), "ha": "left"} if end < limit else {"xytext": (-3, 0), "ha": "right"}
        panel.annotate(text, (min(end, limit), place), textcoords="offset points", va="center", size=8, **side)
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold")
    panel.set_xlim(0, limit)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(y=0.02)


def find_limit(ends: list[float]) -> float:
    """Return where the axis ends: past the longest bar, which is cut off if it would squeeze all the others."""
    longest, second = sorted([*ends, 0.0], reverse=True)[:2]
    return second * 1.5 if 0 < 3 * second < longest else longest * 1.12


def color(name: str) -> str:
    """Return the bar's colour: the project's own stand out, those over MinIO lighter."""
    if not name.startswith("podreduce"):
        return OTHERS
    return OURS_LIGHT if "MinIO" in name else OURS


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
