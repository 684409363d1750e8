"""A run's progress, collected from its tasks' output and its status.

Rule: pure; the caller gives the time. What an attempt has read counts until it fails. Committed work stays counted.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.cluster.local.notices import (
    EventRecorded,
    LineWritten,
    Notice,
    PodEnded,
    PodStarted,
    StatusWritten,
)
from podreduce_operator.model.pods import PodView

__all__ = ["RunProgress", "TaskLine", "TasksShown", "parse_line"]

Status = Mapping[str, Any]

RATE_SECONDS = 5.0
"""Records per second are averaged over this time."""
MIN_RATE_SECONDS = 0.5
OWN_FIELDS = frozenset({"event", "level", "timestamp", "task", "attempt", "logger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A line of a task's output: progress counts, or the program's text, or neither (podreduce's own log)."""

    records: int | None = None
    bytes: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksShown:
    """The progress of the tasks of one type. `total` and `total_bytes` are None while unknown, `left` is empty."""

    total: int | None
    done: int
    active: int
    records: int
    bytes: int
    total_bytes: int | None
    records_per_second: float
    left: str = ""

    @property
    def ratio(self) -> str:
        """Return how many are done, of how many: `3/8`, `0/?`."""
        return f"{self.done}/{'?' if self.total is None else self.total}"


@dataclass(slots=True)
class Attempt:
    """What one attempt has read so far."""

    task: TaskRef
    records: int = 0
    bytes: int = 0
    running: bool = True


@dataclass(slots=True)
class Meter:
    """Totals over time, for a rate."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, now: float, total: int) -> float:
        """Add a sample and return the growth per second over the last `RATE_SECONDS`."""
        self.samples.append((now, total))
        while len(self.samples) > 2 and now - self.samples[1][0] >= RATE_SECONDS:  # noqa: PLR2004 - two make a rate
            self.samples.popleft()
        started, first = self.samples[0]
        return max(0.0, (total - first) / (now - started)) if now - started >= MIN_RATE_SECONDS else 0.0


class RunProgress:
    """Collects notices. `show` returns the progress of one type of tasks."""

    def __init__(self) -> None:
        self.status: Status = {}
        self.attempts: dict[str, Attempt] = {}
        self.done: set[TaskRef] = set()
        self.meters = {task_type: Meter() for task_type in TaskType}

    @property
    def phase(self) -> str:
        """The phase in the status; `Planning` before there is one."""
        phase: str = self.status.get("phase", "Planning")
        return phase

    def take(self, notice: Notice) -> None:
        """Add one notice."""
        match notice:
            case PodStarted(pod=pod):
                self.attempts[pod.attempt_id] = Attempt(task=pod.task)
            case LineWritten(task=task, attempt_id=attempt_id, line=line):
                self.take_turn(task, attempt_id)
                self.take_line(attempt_id, line)
            case PodEnded(pod=pod):
                self.take_end(pod)
            case StatusWritten(status=status):
                self.status = status
            case EventRecorded():
                pass

    def take_turn(self, task: TaskRef, attempt_id: str) -> None:
        """Begin a later attempt of a pod. The pod's earlier tasks are done."""
        if attempt_id in self.attempts:
            return
        uid = attempt_id.rpartition("-")[0]
        for other, attempt in self.attempts.items():
            if other.rpartition("-")[0] == uid and attempt.running:
                attempt.running = False
                self.done.add(attempt.task)
        self.attempts[attempt_id] = Attempt(task=task)

    def take_end(self, pod: PodView) -> None:
        """Handle the end of a pod. If it failed, its current task is not done."""
        for attempt_id in pod.attempt_ids:
            attempt = self.attempts.get(attempt_id)
            if attempt is None or not attempt.running:
                continue
            if pod.exit_code == 0:
                attempt.running = False
                self.done.update(pod.all_tasks)
            else:
                del self.attempts[attempt_id]

    def take_line(self, attempt_id: str, line: str) -> None:
        """Read the counts from a progress line."""
        counts = parse_line(line)
        attempt = self.attempts.get(attempt_id)
        if attempt is not None and counts.records is not None:
            attempt.records, attempt.bytes = counts.records, counts.bytes

    def show(self, task_type: TaskType, now: float) -> TasksShown:
        """Return the progress of the tasks of this type at `now` (monotonic seconds)."""
        attempts = [attempt for attempt in self.attempts.values() if attempt.task.type is task_type]
        tasks = self.status.get(task_type.value, {})
        records = sum(attempt.records for attempt in attempts)
        read_bytes = sum(attempt.bytes for attempt in attempts)
        seen = sum(1 for task in self.done if task.type is task_type)
        return TasksShown(
            total=tasks.get("total"),
            done=max(tasks.get("succeeded", 0), seen),
            active=sum(attempt.running for attempt in attempts),
            records=records,
            bytes=read_bytes,
            total_bytes=self.status.get("plan", {}).get("bytes") if task_type is TaskType.MAP else None,
            records_per_second=self.meters[task_type].rate(now, records),
            left=self.find_left(task_type),
        )

    def find_left(self, task_type: TaskType) -> str:
        """Return how long the tasks of this type still take, as the status has it; empty if that is unknown."""
        wave = self.status.get("wave", {})
        return str(wave.get("left", "")) if wave.get("tasks") == task_type else ""


def parse_line(line: str) -> TaskLine:
    """Classify a line: a task's progress, text that the program prints or logs, or podreduce's own log."""
    try:
        fields = json.loads(line) if line.startswith("{") else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("event"), str) or "attempt" not in fields:
        return TaskLine(words=line)
    if fields.get("logger") == "program":
        more = " ".join(f"{name}={value}" for name, value in fields.items() if name not in OWN_FIELDS)
        return TaskLine(words=f"{fields['event']} {more}".rstrip())
    records, read_bytes = fields.get("records"), fields.get("bytes")
    if fields["event"] == "progress" and isinstance(records, int) and isinstance(read_bytes, int):
        return TaskLine(records=records, bytes=read_bytes)
    return TaskLine()
