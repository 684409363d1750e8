"""Shows a running pipeline on a terminal as a list of its steps, with what each waits for drawn beside it.

The list stays in its place and changes; messages are above it. It is for pipelines that fit on the screen.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from podreduce_operator.cli.pipelines.graph import StepGraph, StepMark
from podreduce_operator.cli.pipelines.graph_lines import Row, draw_rows
from podreduce_operator.cli.pipelines.step_words import describe_loop, describe_step, describe_tasks, measure
from podreduce_operator.cli.progress import RunProgress

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["STATES", "LiveList"]

STATES: Mapping[str, StepMark] = {
    "Waiting": StepMark.RUN,
    "Running": StepMark.RUNNING,
    "Complete": StepMark.COMPLETE,
    "Reused": StepMark.REUSE,
    "Failed": StepMark.FAILED,
    "NotReached": StepMark.NOT_REACHED,
}
STYLES: Mapping[StepMark, str] = {
    StepMark.RUNNING: "yellow",
    StepMark.COMPLETE: "green",
    StepMark.REUSE: "dim",
    StepMark.FAILED: "red",
    StepMark.NOT_REACHED: "dim",
}
MESSAGES = {"": "", "warning": "yellow", "failure": "red", "words": "dim"}
BAR = 12
OTHER_LINES = 4
"""What else is on the screen: the command, messages, and the prompt."""


class LiveList:
    """The list of a pipeline's steps. `graph`: the pipeline as it is before the run."""

    interval_seconds = 0.1

    def __init__(self, stream: TextIO, graph: StepGraph) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra's, and slow to import
        from rich.live import Live  # noqa: PLC0415 - likewise

        self.graph = graph
        self.steps: Mapping[str, Mapping[str, Any]] = {}
        self.loops: tuple[Mapping[str, Any], ...] = ()
        self.running: Mapping[str, RunProgress] = {}
        console = Console(file=stream, highlight=False)
        self.fits = console.height >= len(graph.steps) + len(graph.loops) + OTHER_LINES and console.encoding == "utf-8"
        self.live = Live(console=console, auto_refresh=False, get_renderable=self.render)
        if self.fits:
            self.live.start()

    def say(self, text: str, kind: str = "") -> None:
        """Show a message above the list."""
        self.live.console.print(text, style=MESSAGES[kind], markup=False, soft_wrap=True)

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        """Show the states of the steps and the iterations of the loops."""
        self.steps = {step["name"]: step for step in status.get("steps") or ()}
        self.loops = tuple(loop for loop in status.get("loops") or () if loop["iteration"])
        return True

    def draw(self, running: Mapping[str, RunProgress]) -> None:
        """Show how far the running steps are."""
        self.running = running
        self.live.refresh()

    def close(self) -> None:
        """Draw the list a last time and leave it there."""
        self.live.refresh()
        self.live.stop()

    def render(self) -> "RenderableType":
        """Return the list as it is now."""
        from rich.console import Group  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        lines = [Text(text, style=style, no_wrap=True, overflow="ellipsis") for text, style in self.lines()]
        return Group(*lines)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield each line with its style."""
        marks = {name: STATES.get(step["state"], StepMark.RUN) for name, step in self.steps.items()}
        steps = [replace(step, mark=marks.get(step.name, StepMark.RUN)) for step in self.graph.steps]
        rows: Mapping[str, Row] = draw_rows(replace(self.graph, steps=steps))
        for step in steps:
            yield f"{rows[step.name].line}{self.describe(step.name)}", STYLES.get(step.mark, "")
        yield from ((describe_loop(loop, in_columns=True), "") for loop in self.loops)

    def describe(self, name: str) -> str:
        """Return the words about a step."""
        step = self.steps.get(name, {"name": name, "state": "Waiting"})
        progress = self.running.get(name)
        words = describe_step(step, in_columns=True)
        if progress is None or step["state"] != "Running":
            return words
        now = time.monotonic()
        done, total = measure(progress, now)
        filled = 0 if not total else BAR * done // total
        return f"{words:<24} {'━' * filled}{'─' * (BAR - filled)} {describe_tasks(progress, now)}".rstrip()
