"""How fast a run on a cluster goes, and how long its tasks still take. Rule: pure; the caller gives the time.

The status counts committed tasks and what they have read. So the speed is an average over the tasks committed since the
first sample, or in the last two minutes if it is watched for longer.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podreduce.contract.task import TaskType
from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.run_facts import read_tasks

__all__ = ["Estimate", "Throughput"]

WINDOW_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the committed tasks of one type have done until `at`."""

    at: float
    tasks: int
    bytes: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The speed of the tasks of one type, and when all are done at this speed."""

    bytes_per_second: float
    records_per_second: float
    seconds_left: float


class Throughput:
    """Takes statuses of one run, and estimates."""

    def __init__(self) -> None:
        self.run_id = ""
        self.samples: dict[TaskType, deque[Sample]] = {}

    def take(self, status: Mapping[str, Any], now: float) -> None:
        """Add a status. Another run begins again."""
        if status.get("runId") != self.run_id:
            self.run_id = status.get("runId", "")
            self.samples = {task_type: deque() for task_type in TaskType}
            self.start_maps(status)
        for task_type, samples in self.samples.items():
            sample = measure(status, task_type, now)
            if read_tasks(status, task_type).get("active") or sample.tasks:
                samples.append(sample)
            while len(samples) > 2 and now - samples[1].at >= WINDOW_SECONDS:  # noqa: PLR2004 - two make a rate
                samples.popleft()

    def start_maps(self, status: Mapping[str, Any]) -> None:
        """Begin at the run's start, when no map was committed."""
        started = parse_time(status.get("startTime"))
        if started is not None:
            self.samples[TaskType.MAP].append(Sample(at=started, tasks=0, bytes=0, records=0))

    def estimate(self, task_type: TaskType, status: Mapping[str, Any], now: float) -> Estimate | None:
        """Return the estimate at `now`; None while nothing is known, and when all tasks are done."""
        samples = self.samples.get(task_type) or ()
        total = read_tasks(status, task_type).get("total")
        if not samples or total is None:
            return None
        first, last = samples[0], samples[-1]
        seconds, done = now - first.at, last.tasks - first.tasks
        if seconds <= 0 or done <= 0 or last.tasks >= total:
            return None
        return Estimate(
            bytes_per_second=(last.bytes - first.bytes) / seconds,
            records_per_second=(last.records - first.records) / seconds,
            seconds_left=(total - last.tasks) * seconds / done,
        )


def measure(status: Mapping[str, Any], task_type: TaskType, now: float) -> Sample:
    """Return what the status says of the committed tasks."""
    counters = (status.get("counters") or {}).get("podreduce") or {}
    return Sample(
        at=now,
        tasks=read_tasks(status, task_type).get("succeeded", 0),
        bytes=counters.get(f"{task_type}BytesIn", 0),
        records=counters.get(f"{task_type}RecordsIn", 0),
    )
