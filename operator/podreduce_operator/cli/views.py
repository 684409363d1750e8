"""Three ways to show a running job: bars on a terminal, lines elsewhere, and JSON lines for machines.

Rule: everything goes to standard error; standard output is for the result. The caller says what to show and when to
draw again. A view decides nothing.
"""

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.progress import RunProgress, TasksShown
from podreduce_operator.cli.wording import render_bytes, render_ratio, render_tasks

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["BarsView", "JsonView", "LinesView", "SilentView", "View", "open_view"]


class SilentView:
    """Shows nothing."""

    interval_seconds = 1.0

    def say(self, text: str, kind: str = "") -> None:
        """Do nothing."""

    def draw(self, progress: RunProgress) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LinesView:
    """A line for each message, and one each second while something changes."""

    interval_seconds = 1.0

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown: tuple[object, ...] = ()

    def say(self, text: str, kind: str = "") -> None:
        """Show a message. `kind` is its type, for a colour."""
        del kind
        print(text, file=self.stream, flush=True)

    def draw(self, progress: RunProgress) -> None:
        """Show the progress of the run, if it has changed."""
        now = time.monotonic()
        maps, reduces = (progress.show(task_type, now) for task_type in TaskType)
        if maps.total is None:
            return
        counts = (maps.done, maps.records, maps.bytes, reduces.done, reduces.records, reduces.bytes, reduces.active)
        if counts == self.shown:
            return
        self.shown = counts
        parts = [render_tasks(TaskType.MAP, maps)]
        if reduces.active or reduces.done:
            parts.append(render_tasks(TaskType.REDUCE, reduces))
        self.say("; ".join(parts))

    def close(self) -> None:
        """Do nothing more."""


class BarsView:
    """One bar for the map tasks and one for the reduce tasks, with messages above them."""

    interval_seconds = 0.1
    styles = {"": "", "warning": "yellow", "failure": "red", "words": "dim"}

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra's, and slow to import
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self.console = Console(file=stream, highlight=False)
        self.bars = Progress(
            TextColumn("{task.description:6}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[tasks]}"),
            TextColumn("{task.fields[amount]}", style="dim"),
            TimeElapsedColumn(),
            console=self.console,
            auto_refresh=False,
        )
        self.rows: dict[TaskType, TaskID] = {}
        self.bars.start()

    def say(self, text: str, kind: str = "") -> None:
        """Show a message above the bars."""
        self.bars.console.print(text, style=self.styles[kind], markup=False, soft_wrap=True)

    def draw(self, progress: RunProgress) -> None:
        """Update the bars."""
        now = time.monotonic()
        for task_type in TaskType:
            self.draw_row(task_type, progress.show(task_type, now))
        self.bars.refresh()

    def draw_row(self, task_type: TaskType, shown: TasksShown) -> None:
        """Update one bar. The map bar shows bytes. A bar's time stops with its last task."""
        if task_type not in self.rows:
            if shown.total is None and not shown.active:
                return
            self.rows[task_type] = self.bars.add_task(str(task_type), start=False, total=None, tasks="", amount="")
        row = self.rows[task_type]
        if shown.active:
            self.bars.start_task(row)
        done, total = measure(shown)
        self.bars.update(row, completed=done, total=total, tasks=count_tasks(shown), amount=describe_amount(shown))
        if shown.total is not None and shown.done >= shown.total:
            self.bars.stop_task(row)

    def close(self) -> None:
        """Draw the bars a last time and stop."""
        self.bars.refresh()
        self.bars.stop()


class JsonView:
    """A JSON object for each message and each second."""

    interval_seconds = 1.0

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown: dict[str, object] = {}

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""
        self.write({"event": kind or "message", "text": text})

    def draw(self, progress: RunProgress) -> None:
        """Show the progress of the run, if it has changed."""
        fields: dict[str, object] = {"event": "progress", "phase": progress.phase}
        for task_type in TaskType:
            shown = progress.show(task_type, time.monotonic())
            fields[str(task_type)] = {
                "total": shown.total,
                "done": shown.done,
                "active": shown.active,
                "records": shown.records,
                "bytes": shown.bytes,
            }
        if fields != self.shown:
            self.shown = fields
            self.write(fields)

    def write(self, fields: dict[str, object]) -> None:
        """Write one line."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"timestamp": stamp, **fields}), file=self.stream, flush=True)

    def close(self) -> None:
        """Do nothing more."""


View = LinesView | BarsView | JsonView | SilentView


def open_view(log_format: str) -> View:
    """Return the view with this name: `bars`, `lines`, `json`, `none`, or `auto` (bars on a terminal, else lines)."""
    stream = sys.stderr
    if log_format == "none":
        return SilentView()
    if log_format == "json":
        return JsonView(stream)
    if log_format == "bars" or (log_format == "auto" and stream.isatty()):
        return BarsView(stream)
    return LinesView(stream)


def measure(shown: TasksShown) -> tuple[float, float | None]:
    """Return a bar's position and total: in bytes if the total is known, or else in tasks."""
    if shown.total is not None and shown.done >= shown.total:
        return 1, 1
    if shown.total_bytes:
        return min(shown.bytes, shown.total_bytes), shown.total_bytes
    return shown.done, shown.total


def count_tasks(shown: TasksShown) -> str:
    """Return text such as `3/8 tasks, 2 running`."""
    running = f", {shown.active} running" if shown.active else ""
    return f"{render_ratio(shown.ratio, 'task')}{running}"


def describe_amount(shown: TasksShown) -> str:
    """Return the bytes and records read, and the rate and the time left while tasks run."""
    if not shown.records and not shown.bytes:
        return ""
    rate = f"  {shown.records_per_second:,.0f}/s" if shown.active and shown.records_per_second >= 1 else ""
    left = f"  {shown.left} left" if shown.active and shown.left else ""
    size = f"{render_bytes(shown.bytes)}  " if shown.bytes else ""  # a task reports its bytes block by block
    return f"{size}{render_count(shown.records, 'record')}{rate}{left}"
