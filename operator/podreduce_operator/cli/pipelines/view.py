"""Shows a running pipeline to a person: a line when a step begins or ends, and bars for the steps that run.

Rule: everything goes to standard error. Only counts and passes on; decides nothing.
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from podreduce_operator.cli.pipelines.graph import StepGraph
from podreduce_operator.cli.pipelines.live_list import LiveList
from podreduce_operator.cli.pipelines.step_words import describe_loop, describe_step, describe_tasks, measure
from podreduce_operator.cli.progress import RunProgress, parse_line
from podreduce_operator.cli.watcher import MAX_WORDS_LINES, first_line
from podreduce_operator.cluster.local.notices import EventRecorded, LineWritten, Notice

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["StepsWatcher", "open_steps_view"]

JOB_EVENTS = frozenset({"AttemptFailed"})
"""A job's warnings that are shown at once; the others are in the step's state."""


class StepsView(Protocol):
    """How the steps are shown."""

    interval_seconds: float

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        """Show the states of all steps. Return False if the view has no list of them: then each change is a message."""

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
        before, self.status = self.status, status
        self.steps |= {step["job"]: step["name"] for step in status.get("steps") or () if "job" in step}
        if not self.view.tell_steps(status):
            self.say_changes(before, status)
        self.draw()

    def say_changes(self, before: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Show a message for each step that began or ended, and for each iteration of a loop.

        What begins comes last, because the same status has the end that it waited for.
        """
        known = {step["name"]: step["state"] for step in before.get("steps") or ()}
        rounds = {loop["name"]: loop["iteration"] for loop in before.get("loops") or ()}
        steps = [step for step in status.get("steps") or () if step["name"] not in self.in_loops]
        changed = [step for step in steps if step["state"] not in (known.get(step["name"]), "Waiting")]
        self.say_steps(step for step in changed if step["state"] != "Running")
        for loop in status.get("loops") or ():
            if loop["iteration"] and loop["iteration"] != rounds.get(loop["name"]):
                self.view.say(describe_loop(loop, in_columns=True))
        self.say_steps(step for step in changed if step["state"] == "Running")

    def say_steps(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """Show the state of each step."""
        for step in steps:
            self.view.say(describe_step(step, in_columns=True), "failure" if step["state"] == "Failed" else "")

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

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        """See `StepsView.tell_steps`."""
        del status
        return False

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

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        """See `StepsView.tell_steps`."""
        del status
        return False

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

    def tell_steps(self, status: Mapping[str, Any]) -> bool:
        """See `StepsView.tell_steps`."""
        del status
        return False

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


def open_steps_view(log_format: str, graph: StepGraph) -> StepsView:
    """Return the view with this name: `bars`, `lines`, `json`, or `auto` (bars on a terminal, else lines).

    Where all steps fit on a terminal, the bars are in a list of them.
    """
    stream = sys.stderr
    if log_format == "json":
        return JsonOfSteps(stream)
    if log_format == "bars" or (log_format == "auto" and stream.isatty()):
        listed = LiveList(stream, graph) if stream.isatty() else None
        return listed if listed is not None and listed.fits else BarsOfSteps(stream)
    return LinesOfSteps(stream)
