"""The look that all reports share: one page that works offline, its tables, its key figures and its plots.

Rule: the same values give the same bytes. A report's own template extends `base.html.jinja` and takes its parts from
`parts.html.jinja`; plots are drawn by matplotlib and become inline SVG, which takes the page's colours, light or dark.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from math import isnan
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from podreduce_apps.counted_nouns import count_of

__all__ = [
    "SERIES",
    "KeyFigure",
    "Plot",
    "Table",
    "draw",
    "format_count",
    "format_number",
    "format_share",
    "json_for_script",
    "render_page",
]

SHARED_TEMPLATES = Path(__file__).parent / "templates"

SERIES = ("#1f6fb1", "#c4552e", "#2e8b58", "#8a5bb6", "#a87901", "#b0417b")
"""Colours of a plot's lines and bars, in their order. The page replaces them by its own."""

INK = "#1c2129"
FAINT = "#d5dae1"
PAGE_COLOURS = {
    INK: "currentColor",
    FAINT: "var(--line)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)},
}
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "podreduce",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
NARROW_INCHES = (4.9, 3.1)
WIDE_INCHES = (10.2, 3.4)
NAMES_IN_A_ROW = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """A number that everybody should see first.

    Attributes:
        label: what it is, in a few words.
        value: the number as it is shown, with its unit.
        note: its protocol: of what, measured how.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns. Cells are shown as they are: format numbers first.

    Attributes:
        columns: the headings.
        rows: the cells, as many in each row as there are columns.
        caption: what the table shows, and by which protocol.
        numeric: headings of the columns to align on the right.
        marked: numbers of rows, from 0, that stand out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    numeric: frozenset[str] = frozenset()
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot for the page.

    Attributes:
        title: what it shows.
        caption: how to read it.
        svg: the picture, as an element of the page, which is not escaped.
        is_wide: it takes the page's whole width.
    """

    title: str
    caption: str
    svg: str
    is_wide: bool = False


@dataclass(slots=True, kw_only=True)
class Drawing:
    """A plot that is being drawn: `axes` is where, `plot` what comes of it when its `with` ends."""

    axes: Axes
    plot: Plot | None = None

    def finished(self) -> Plot:
        """Return the plot.

        Raises:
            RuntimeError: its `with` has not ended.
        """
        if self.plot is None:
            raise RuntimeError("the plot is finished when its `with` has ended")
        return self.plot

    def name_lines_above(self) -> None:
        """Show the names of what was drawn above the axes, where they cover nothing."""
        named = len(self.axes.get_legend_handles_labels()[1])
        self.axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=min(named, NAMES_IN_A_ROW))


@contextmanager
def draw(
    title: str, caption: str = "", *, is_wide: bool = False, inches: tuple[float, float] | None = None
) -> Iterator[Drawing]:
    """Draw a plot in the page's style, on the axes of what is yielded.

    For example `with draw("Costs") as drawing: drawing.axes.plot(days, costs)`, and then `drawing.finished()`.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches or (WIDE_INCHES if is_wide else NARROW_INCHES))
        drawing = Drawing(axes=figure.subplots())
        yield drawing
        drawing.plot = Plot(title=title, caption=caption, svg=render_svg(figure, title), is_wide=is_wide)


def render_svg(figure: Figure, title: str) -> str:
    """Return a figure as an SVG element that has the page's colours and font."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, replacement in PAGE_COLOURS.items():
        text = text.replace(colour, replacement)
    text = re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def render_page(template: Path, **values: object) -> str:
    """Return the page of a template file, which may extend `base.html.jinja` and import `parts.html.jinja`.

    Raises:
        jinja2.UndefinedError: the template uses a value that it was not given.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, SHARED_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=format_count, count_of=count_of, number=format_number, share=format_share)
    return environment.get_template(template.name).render(**values)


def json_for_script(value: object) -> str:
    """Return a value as JSON that can stand inside of a page's script, whatever its texts contain."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def format_count(count: float) -> str:
    """Return a whole number as people read it: 1,754,155."""
    return f"{count:,.0f}"


def format_number(number: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals, or a dash where there is none."""
    return "-" if number is None or isnan(number) else f"{number:,.{digits}f}"


def format_share(share: float | None, digits: int = 1) -> str:
    """Return a share of 1 in per cent, or a dash where there is none."""
    return "-" if share is None or isnan(share) else f"{100 * share:.{digits}f} %"
