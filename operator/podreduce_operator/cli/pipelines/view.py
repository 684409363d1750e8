"""Shows a running pipeline to a person: a line when a step begins or ends, and bars for the steps that run.

Rule: everything goes to standard error. Only counts and passes on; decides nothing.
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from podreduce.contract.task import TaskType
from podreduce_operator.cli.progress import RunProgress, TasksShown, parse_line
from podreduce_operator.cli.watcher import MAX_WORDS_LINES, first_line
from podreduce_operator.cli.wording import render_bytes, render_count, render_seconds
from podreduce_operator.cluster.local.notices import EventRecorded, LineWritten, Notice

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["StepsWatcher", "describe_loop", "describe_step", "open_steps_view"]

JOB_EVENTS = frozenset({"AttemptFailed"})
"""Of a job's warnings only these are told at once; the rest is in the step's state."""


class StepsView(Protocol):
    """How the steps are shown."""

    interval_seconds: float

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""

    def draw(self, running: Mapping[str, RunProgress]) -> None:
        """Show the progress of the steps that run."""

    def close(self) -> None:
        """Stop."""


class StepsWatcher:
    """Handles notices and statuses, and updates a view.

    `in_loops`: the steps that loops repeat. Their iterations are told in place of their states.
    """

    def __init__(self, name: str, in_loops: Collection[str], view: StepsView) -> None:
        self.name = name
        self.in_loops = in_loops
        self.view = view
        self.status: Mapping[str, Any] = {}
        self.progress: dict[str, RunProgress] = {}
        self.steps: dict[str, str] = {}
        self.words_lines = 0

    def take(self, job: str, notice: Notice) -> None:
        """Add what happened to a step's job."""
        if job:
            self.progress.setdefault(job, RunProgress()).take(notice)
        match notice:
            case EventRecorded(kind="Warning", reason=reason, message=message) if reason in JOB_EVENTS or not job:
                self.view.say(f"{self.steps.get(job) or self.name}: {first_line(message)}", "failure")
            case LineWritten(task=task, line=line):
                self.take_words(f"{self.steps.get(job, job)} {task}", parse_line(line).words)
            case _:
                pass

    def take_words(self, place: str, words: str) -> None:
        """Show what a program prints, up to a limit."""
        if words and self.words_lines <= MAX_WORDS_LINES:
            self.words_lines += 1
            is_last = self.words_lines > MAX_WORDS_LINES
            self.view.say(
                "the programs print a lot: the rest is not shown" if is_last else f"{place} | {words}", "words"
            )

    def take_status(self, status: Mapping[str, Any]) -> None:
        """Show the steps that began or ended, and the iterations of loops."""
        known = {step["name"]: step["state"] for step in self.status.get("steps") or ()}
        rounds = {loop["name"]: loop["iteration"] for loop in self.status.get("loops") or ()}
        self.status = status
        for step in status.get("steps") or ():
            if "job" in step:
                self.steps[step["job"]] = step["name"]
            if step["state"] not in (known.get(step["name"]), "Waiting") and step["name"] not in self.in_loops:
                self.view.say(describe_step(step), "failure" if step["state"] == "Failed" else "")
        for loop in status.get("loops") or ():
            if loop["iteration"] and loop["iteration"] != rounds.get(loop["name"]):
                self.view.say(describe_loop(loop))
        self.draw()

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""
        self.view.say(text, kind)

    def draw(self) -> None:
        """Draw the steps that run."""
        running = {
            step["name"]: self.progress[step["job"]]
            for step in self.status.get("steps") or ()
            if step["state"] == "Running" and step.get("job") in self.progress
        }
        self.view.draw(running)

    async def draw_regularly(self) -> None:
        """Draw the view at its interval until cancelled."""
        while True:
            await asyncio.sleep(self.view.interval_seconds)
            self.draw()


def describe_step(step: Mapping[str, Any]) -> str:
    """Return a line about a step, such as `clean      complete  1,200 records, 3.4 MB, 2 s`."""
    state, amount = step["state"], ""
    if state == "Reused":
        amount = f"unchanged since run {step.get('run')}"
    elif state == "Complete" and "records" in step:
        records, size = render_count(step["records"], "record"), render_bytes(step["bytes"])
        amount = f"{records}, {size}, {render_seconds(step['seconds'])}"
    elif state == "Failed":
        amount = step.get("message", "")
    words = {"NotReached": "not reached"}.get(state, state.lower())
    return f"{step['name']:<12} {words:<11} {amount}".rstrip()


def describe_loop(loop: Mapping[str, Any]) -> str:
    """Return a line about a loop, such as `rank         12/30       0.0031`."""
    recent = loop.get("recent") or [{}]
    values = ", ".join(recent[-1].get("values", ()))
    end = {"Converged": "converged" if values else "complete", "LimitReached": "limit reached"}
    progress = f"{loop['iteration']}/{loop['maxIterations']}"
    return f"{loop['name']:<12} {progress:<11} {values:<12} {end.get(loop['state'], '')}".rstrip()


TOLD_SECONDS = 2.0
"""A step that runs longer says so often how far it is."""


class LinesOfSteps:
    """A line for each message; steps that run long say how far they are."""

    interval_seconds = 1.0

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown: dict[str, str] = {}
        self.told_at: dict[str, float] = {}

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""
        del kind
        print(text, file=self.stream, flush=True)

    def draw(self, running: Mapping[str, RunProgress]) -> None:
        """Show how far the running steps are, if that has changed."""
        now = time.monotonic()
        for name, progress in running.items():
            line = describe_tasks(progress, now)
            if line and now - self.told_at.get(name, now) >= TOLD_SECONDS and self.shown.get(name) != line:
                self.say(f"{name:<12} running     {line}")
                self.shown[name], self.told_at[name] = line, now
            self.told_at.setdefault(name, now)
        self.told_at = {name: at for name, at in self.told_at.items() if name in running}

    def close(self) -> None:
        """Do nothing more."""


class JsonOfSteps:
    """A JSON object for each message."""

    interval_seconds = 1.0

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"timestamp": stamp, "event": kind or "message", "text": text}), file=self.stream, flush=True)

    def draw(self, running: Mapping[str, RunProgress]) -> None:
        """Do nothing: the messages say when steps begin and end."""

    def close(self) -> None:
        """Do nothing more."""


class BarsOfSteps:
    """A bar for each step that runs, with messages above."""

    interval_seconds = 0.1
    styles = {"": "", "warning": "yellow", "failure": "red", "words": "dim"}

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra's, and slow to import
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self.bars = Progress(
            TextColumn("{task.description:12}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[tasks]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(file=stream, highlight=False),
            auto_refresh=False,
        )
        self.rows: dict[str, TaskID] = {}
        self.bars.start()

    def say(self, text: str, kind: str = "") -> None:
        """Show a message above the bars."""
        self.bars.console.print(text, style=self.styles[kind], markup=False, soft_wrap=True)

    def draw(self, running: Mapping[str, RunProgress]) -> None:
        """Update the bars of the steps that run, and remove the others."""
        now = time.monotonic()
        for name in [name for name in self.rows if name not in running]:
            self.bars.remove_task(self.rows.pop(name))
        for name, progress in running.items():
            if name not in self.rows:
                self.rows[name] = self.bars.add_task(name, total=None, tasks="")
            done, total = measure(progress, now)
            self.bars.update(self.rows[name], completed=done, total=total, tasks=describe_tasks(progress, now))
        self.bars.refresh()

    def close(self) -> None:
        """Draw the bars a last time and stop."""
        self.bars.refresh()
        self.bars.stop()


def measure(progress: RunProgress, now: float) -> tuple[int, int | None]:
    """Return how many tasks of a job are done, and how many there are; None while that is not known."""
    shown = [progress.show(task_type, now) for task_type in TaskType]
    total = shown[0].total
    return sum(each.done for each in shown), None if total is None else sum(each.total or 0 for each in shown)


def describe_tasks(progress: RunProgress, now: float) -> str:
    """Return the tasks of a job, such as `maps 3/8, 1.2 MB`."""
    maps, reduces = (progress.show(task_type, now) for task_type in TaskType)
    if reduces.active or reduces.done:
        return f"reduces {count(reduces)}"
    return "" if maps.total is None else f"maps {count(maps)}, {render_bytes(maps.bytes)}"


def count(shown: TasksShown) -> str:
    """Return text such as `3/8`."""
    return f"{shown.done}/{'?' if shown.total is None else shown.total}"


def open_steps_view(log_format: str) -> StepsView:
    """Return the view with this name: `bars`, `lines`, `json`, or `auto` (bars on a terminal, else lines)."""
    stream = sys.stderr
    if log_format == "json":
        return JsonOfSteps(stream)
    if log_format == "bars" or (log_format == "auto" and stream.isatty()):
        return BarsOfSteps(stream)
    return LinesOfSteps(stream)
