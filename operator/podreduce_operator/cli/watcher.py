"""Shows a running job to a person: progress, failures as they happen, and what the program prints.

Rule: only counts and passes on. The view decides how to show it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from podreduce.contract.texts import render_count
from podreduce_operator.cli.progress import RunProgress, parse_line
from podreduce_operator.cli.views import View
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.cluster.local.notices import EventRecorded, LineWritten, Notice, StatusWritten
from podreduce_operator.model.decisions import Phase

__all__ = ["MAX_WORDS_LINES", "Watcher", "first_line"]

MAX_WORDS_LINES = 200
"""A program that prints a line for each record would hide everything else."""


class Watcher:
    """Handles notices and updates a view."""

    def __init__(self, name: str, view: View) -> None:
        self.name = name
        self.view = view
        self.progress = RunProgress()
        self.words_lines = 0
        self.is_planned = False

    def take(self, notice: Notice) -> None:
        """Add a notice to the progress, and show it at once if it is a message."""
        self.progress.take(notice)
        match notice:
            case EventRecorded(kind="Warning", reason=reason, message=message) if reason == "AttemptFailed":
                self.view.say(f"failed: {first_line(message)}", "failure")
            case EventRecorded(kind="Warning", reason=reason, message=message) if not self.is_over:
                self.view.say(f"waiting: {reason}: {message}", "warning")
            case LineWritten(task=task, line=line):
                self.take_words(str(task), parse_line(line).words)
            case StatusWritten(status=status):
                self.take_plan(status.get("plan"))
                self.view.draw(self.progress)
            case _:
                pass

    @property
    def is_over(self) -> bool:
        """Whether the run has ended. The report covers the rest."""
        return self.progress.phase in (Phase.COMPLETE, Phase.FAILED)

    def take_plan(self, plan: Mapping[str, Any] | None) -> None:
        """Show the plan once."""
        if plan is not None and not self.is_planned:
            self.is_planned = True
            objects, shards = render_count(plan["objects"], "object"), render_count(plan["shards"], "shard")
            self.view.say(f"{self.name}: {objects}, {render_bytes(plan['bytes'])}, in {shards}")

    def take_words(self, task: str, words: str) -> None:
        """Show what the program prints, up to a limit."""
        if not words:
            return
        self.words_lines += 1
        if self.words_lines <= MAX_WORDS_LINES:
            self.view.say(f"{task} | {words}", "words")
        elif self.words_lines == MAX_WORDS_LINES + 1:
            self.view.say(f"the program prints a lot: only its first {MAX_WORDS_LINES} lines are shown", "warning")

    async def draw_regularly(self) -> None:
        """Draw the view at its interval until cancelled."""
        while True:
            await asyncio.sleep(self.view.interval_seconds)
            self.view.draw(self.progress)


def first_line(text: str) -> str:
    """Return the first line of `text`."""
    return text.splitlines()[0] if text else text
