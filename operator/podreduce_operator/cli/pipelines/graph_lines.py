"""Draws what steps wait for beside a list of the steps: a row for each step, a lane for each output that is still read.

A worked example: visits and faults read clean, report reads both, and log reads clean.

    ○        clean
    ├─●      visits    clean is still read, so visits gets a lane of its own
    ├─│─●    faults    the line to faults passes the lane of visits
    │ ●─╯    report    nothing else reads visits, so report stands below it, and joins faults
    ●        log

Rule: pure. A lane goes straight down from the step whose output it is, to the last step that reads it.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from podreduce_operator.cli.pipelines.graph import StepGraph, StepMark

__all__ = ["MARKS", "Row", "draw_list", "draw_rows"]

MARKS: Mapping[StepMark, str] = {
    StepMark.RUN: "●",
    StepMark.REUSE: "○",
    StepMark.RUNNING: "◐",
    StepMark.COMPLETE: "✓",
    StepMark.FAILED: "✗",
    StepMark.NOT_REACHED: "·",
}
NARROW = 20
"""Columns: a last column of fewer would be a tower of words."""
JOINS: Mapping[tuple[bool, bool, bool], str] = {
    (True, True, True): "┼",
    (True, True, False): "┤",
    (True, False, True): "├",
    (False, True, True): "┴",
    (False, True, False): "╯",
    (False, False, True): "╰",
}
"""(goes on below, goes left, goes right) → the sign of a lane that a row joins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What stands beside a step: in its own line, and in further lines about it."""

    line: str
    further: str


@dataclass(slots=True)
class Lanes:
    """The lanes while they are drawn.

    Attributes:
        open: the step whose output each lane is; None if it is free.
        readers: the steps that still read each step's output.
        resting: the lanes that became free in the last row. What stands just below would seem to belong to it.
    """

    readers: dict[str, set[str]]
    open: list[str | None] = field(default_factory=list)
    resting: set[int] = field(default_factory=set)

    def take(self, step: str, producers: set[str], mark: str) -> tuple[str, str]:
        """Return the row of a step and what continues below it."""
        joined = [lane for lane, name in enumerate(self.open) if name in producers]
        for name in producers:
            self.readers[name].discard(step)
        ended = [lane for lane in joined if not self.readers[self.open[lane] or ""]]
        own = ended[0] if ended else self.find_free()
        before = [name is not None for name in self.open]
        for lane in ended:
            self.open[lane] = None
        self.open[own] = step if self.readers[step] else None
        first, last = min([own, *joined]), max([own, *joined])
        signs = [
            mark if lane == own else self.sign(lane, first, last, joined=lane in joined, was_open=before[lane])
            for lane in range(len(self.open))
        ]
        row = "".join(sign + ("─" if first <= lane < last else " ") for lane, sign in enumerate(signs))
        self.resting = {lane for lane in (*ended, own) if self.open[lane] is None}
        return row, "".join("  " if name is None else "│ " for name in self.open)

    def find_free(self) -> int:
        """Return the first lane that is free and rests no more, or a new one."""
        for lane, name in enumerate(self.open):
            if name is None and lane not in self.resting:
                return lane
        self.open.append(None)
        return len(self.open) - 1

    def sign(self, lane: int, first: int, last: int, *, joined: bool, was_open: bool) -> str:
        """Return the sign of a lane that is not the step's own."""
        if joined:
            return JOINS[self.open[lane] is not None, lane > first, lane < last]
        if was_open:
            return "│"
        return "─" if first < lane < last else " "


def draw_rows(graph: StepGraph) -> dict[str, Row]:
    """Return what stands beside each step, in the order of the steps. All rows have one width."""
    producers: dict[str, set[str]] = {step.name: set() for step in graph.steps}
    readers: dict[str, set[str]] = {step.name: set() for step in graph.steps}
    for edge in graph.forward:
        producers[edge.below].add(edge.above)
        readers[edge.above].add(edge.below)
    lanes = Lanes(readers)
    drawn = {step.name: lanes.take(step.name, producers[step.name], MARKS[step.mark]) for step in graph.steps}
    width = 2 * len(lanes.open)
    brackets = dict(iter_brackets(graph)) if graph.loops else {}
    return {
        name: Row(
            line=brackets.get(name, ("  ", "  "))[0] * bool(graph.loops) + line.ljust(width),
            further=brackets.get(name, ("  ", "  "))[1] * bool(graph.loops) + further.ljust(width),
        )
        for name, (line, further) in drawn.items()
    }


def iter_brackets(graph: StepGraph) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the bracket of each step in a loop: beside its own line, and beside further ones."""
    for loop in graph.loops:
        for name in loop.steps:
            if len(loop.steps) == 1:
                yield name, ("⟳ ", "  ")
            elif name == loop.steps[0]:
                yield name, ("╭ ", "│ ")
            else:
                yield name, ("╰ ", "  ") if name == loop.steps[-1] else ("│ ", "│ ")


def draw_list(rows: Mapping[str, Row], told: Mapping[str, Sequence[str]], width: int) -> Iterator[str]:
    """Yield the lines of a list with its drawing.

    Args:
        rows: what stands beside each step.
        told: the columns about each step, from its name on. The last one is wrapped.
        width: of the terminal.
    """
    widths = [max(map(len, column)) for column in zip(*told.values(), strict=True)][:-1]
    for step, columns in told.items():
        row = rows[step]
        start = "".join(f"{column:<{size}}  " for column, size in zip(columns, widths, strict=False))
        left = len(row.line) + len(start)
        if width - left < NARROW:
            start, left = ": ".join(columns[:-1]) + ": ", len(row.line) + 2
        first, *others = textwrap.wrap(start + columns[-1], width - len(row.line), drop_whitespace=False) or [""]
        yield f"{row.line}{first}".rstrip()
        indent = " " * (left - len(row.line))
        rest = "".join(others).strip()
        yield from (f"{row.further}{indent}{line}" for line in textwrap.wrap(rest, max(width - left, 1)))
