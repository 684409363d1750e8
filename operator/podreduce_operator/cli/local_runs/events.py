"""`podreduce events local/NAME`: what became of a run of this machine, in the order of time.

Rule: only reads. There are no Kubernetes events here: the times are those of the history, of the last status, and of
the attempts in the post-mortem, which is kept of a run that failed.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from podreduce.contract.post_mortem import Attempt, AttemptResult, PostMortem
from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.event_list import Event, render_events
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.local_runs.diagnosing import read_kept_post_mortem
from podreduce_operator.cli.local_runs.history import LocalRun
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.local_runs.showing import find_phase, find_run
from podreduce_operator.cli.terminal import complain, say, terminal_width
from podreduce_operator.policy.run_state import read_conditions

__all__ = ["list_events_of"]

TOLD_ELSEWHERE = frozenset({"Ready", "Reconciling", "Stalled", "Publishing", "CleanedUp"})
"""Conditions that say again what others say, or what nobody has to know of a run on this machine."""
TROUBLE = frozenset({"Failed", "EmptyOutput", "CleanupFailed"})
LESS = "of a run of this machine only its beginning, its failures and its end are kept"


def list_events_of(name: str, output: Format | None) -> CommandExit:
    """Print what became of a run of this machine."""
    run = find_run(name)
    post_mortem, unknown = read_kept_post_mortem(run)
    events = sorted(collect_events(run, post_mortem))
    if output in {Format.JSON, Format.YAML}:
        print_json({"kind": "List", "items": [asdict(event) for event in events]}, output)
        return CommandExit.DONE
    for line in render_events(events, time.time(), terminal_width(sys.stdout)):
        say(line)
    if post_mortem is None:
        complain("; ".join([f"{LOCAL}/{run.id}: {LESS}", *unknown]))
    return CommandExit.DONE


def collect_events(run: LocalRun, post_mortem: PostMortem | None) -> Iterator[Event]:
    """Yield the events of a run."""
    about = f"{LOCAL}/{run.id}"
    command = " ".join(("podreduce", *run.command)) if run.command else run.file
    yield make_event(run.started_at, about, "Started", f"{command} in {run.directory}")
    for condition in read_conditions(run.status):
        at = parse_time(condition.get("lastTransitionTime"))
        if condition["status"] == "True" and condition["type"] not in TOLD_ELSEWHERE and at is not None:
            text = condition.get("message") or condition.get("reason", "")
            if condition["type"] == run.phase and run.ended_at is not None:
                at = run.ended_at  # a condition's time is one of whole seconds
            yield make_event(at, about, condition["type"], text, is_trouble=condition["type"] in TROUBLE)
    if post_mortem is not None:
        yield from (event for attempt in post_mortem.timeline for event in events_of(run, attempt))
    else:
        failures = run.failed_status.get("failures") or run.status.get("failures") or ()
        yield from (failure_event(run, failure) for failure in failures)
    if run.ended_at is not None and not any(each["type"] == run.phase for each in read_conditions(run.status)):
        yield make_event(run.ended_at, about, find_phase(run), "", is_trouble=True)


def events_of(run: LocalRun, attempt: Attempt) -> Iterator[Event]:
    """Yield what became of an attempt: when it started, and how it ended."""
    about = name_task(run, attempt.task)
    if attempt.started_at is not None:
        yield make_event(seconds_of(attempt.started_at), about, "Started", attempt.attempt)
    ended = attempt.finished_at or attempt.deleted_at
    if ended is not None:
        text = ": ".join(word for word in (attempt.reason, attempt.message or attempt.why_deleted) if word)
        is_trouble = attempt.result in {AttemptResult.FAILED, AttemptResult.LOST, AttemptResult.VANISHED}
        yield make_event(seconds_of(ended), about, str(attempt.result), text, is_trouble=is_trouble)


def failure_event(run: LocalRun, failure: Mapping[str, Any]) -> Event:
    """Return the event of a failed attempt, as a status tells it."""
    at = parse_time(failure.get("finishedAt")) or run.ended_at or run.started_at
    text = f"{failure['reason']}: {failure['message']}"
    return make_event(at, name_task(run, failure["task"]), "Failed", text, is_trouble=True)


def name_task(run: LocalRun, task: str) -> str:
    """Return how a task is named: with its step, if it is of a pipeline."""
    return f"{run.failed_step}, {task}" if run.failed_step else task


def make_event(at: float, about: str, reason: str, message: str, *, is_trouble: bool = False) -> Event:
    """Return an event."""
    return Event(
        at=at, about=about, kind="Warning" if is_trouble else "Normal", reason=reason, message=message, count=1
    )


def seconds_of(time_of: datetime) -> float:
    """Return seconds since the epoch."""
    return time_of.timestamp()
