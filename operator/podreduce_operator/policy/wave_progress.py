"""How far the tasks that run are, as the job's status tells it: percent, bytes, records, speed and time left.

Rule: pure. Everything is derived from what is observed and from what the status said before, so it is the same after a
restart. The numbers are rounded and paced, so that they alone cause no status write more often than every ten seconds.

A task's work is the bytes that it is planned to read. A committed task has done all of it, a running one the fraction
that its best attempt has reported. So a filter that skips most bytes still ends at 100 %, and twins count once. The
speed is the average since the wave began, or over about the last minute if it has run for longer.

A worked example: ten maps of 100 MB. Four are committed, two have reported a half: 500 MB of 1 GB, 50 %. Ten seconds
ago it was 400 MB. The wave has run for 50 s, so those ten seconds count for a fifth of the average: 0.8 x 8 MB/s +
0.2 x 10 MB/s = 8.4 MB/s, and 500 MB take another 60 s.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.api.times import parse_time, render_duration, render_time
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView
from podreduce_operator.policy.waves import current_generations, is_committed

__all__ = ["WAVE_SECONDS", "describe_wave"]

WAVE_SECONDS = 10.0
"""The least time between two status writes that only these numbers cause."""

SHARED_SECONDS = 2.0
"""The same for a status that is written anyway. Times in a status are whole seconds: a speed needs some of them."""

SPEED_SECONDS = 60.0
"""How far back the speed looks."""

MAX_LEFT_SECONDS = 30 * 86_400
"""A longer time left says only that the tasks stand still."""

TYPES = {Phase.MAPPING: TaskType.MAP, Phase.REDUCING: TaskType.REDUCE}
EXACT_SECONDS = 20
ROUNDING = 1e-9
"""More than a sum of fractions can be off."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the tasks of a wave have done.

    Attributes:
        share: the part of the work that is done, from 0 to 1. An empty task counts like one with a byte.
        new_share: the part that was done after `since`.
        total_bytes: what all the tasks are planned to read.
        since: when the wave began, or the run went on after a suspension; None if no attempt has started.
        is_complete: every task is committed.
        is_known: every running attempt has reported.
    """

    share: float
    new_share: float
    total_bytes: int
    records: int
    since: float | None
    is_complete: bool
    is_known: bool

    @property
    def done_bytes(self) -> float:
        """How many of `total_bytes` are done."""
        return self.share * self.total_bytes

    @property
    def percent(self) -> int:
        """How much is done, rounded down; 100 only if every task is committed."""
        return 100 if self.is_complete else min(int(100 * self.share + ROUNDING), 99)


def describe_wave(observed: Observed, phase: Phase, known: Json | None, now: float, *, is_written: bool) -> Json | None:
    """Return the field `wave` of the status; None while no tasks run.

    Args:
        observed: the job.
        phase: the run's phase.
        known: what the status says of this run's wave now.
        now: seconds since the epoch.
        is_written: the rest of the status has changed, so it is written in any case.
    """
    if observed.is_store_unreadable and phase is Phase.PLANNING:  # nothing new can be said
        return known
    task_type, plan = TYPES.get(phase), observed.plan
    if task_type is None or plan is None or observed.superseded is not None:
        return None
    told_at = None if known is None or known.get("tasks") != task_type else parse_time(known.get("observedAt"))
    if known is None or told_at is None:
        return render_wave(task_type, measure_work(observed, plan, task_type), None, now)
    if now - told_at < (SHARED_SECONDS if is_written else WAVE_SECONDS):
        return known
    work = measure_work(observed, plan, task_type)
    fresh = render_wave(task_type, work, known, now)
    if not work.is_known and (fresh["percent"], fresh["bytes"]) < (known.get("percent", 0), known.get("bytes", 0)):
        return known  # this process has not heard of all attempts yet
    is_same = {**fresh, "observedAt": ""} == {**known, "observedAt": ""}
    return known if is_same else fresh


def measure_work(observed: Observed, plan: PlanSummary, task_type: TaskType) -> Work:
    """Add up what the tasks of this type have done."""
    sizes = planned_sizes(observed, plan, task_type)
    generations = current_generations(observed)
    commits = [
        commit
        for task, commit in observed.commits.items()
        if task.type is task_type and task.index < len(sizes) and is_committed(observed, task, generations)
    ]
    committed = {commit.task for commit in commits}
    running = [pod for pod in find_running(observed, task_type, generations) if pod.task not in committed]
    best = best_reports(observed, running)
    starts = [commit.started_at for commit in commits if not commit.is_carried]
    starts += [pod.started_at for pod in running if pod.started_at is not None]
    since = max(min(starts), observed.run.started_at or 0.0) if starts else None
    running_bytes = sum(found.fraction * sizes[task.index] for task, found in best.items())
    done = sum(sizes[commit.task.index] for commit in commits)
    new = sum(sizes[commit.task.index] for commit in commits if since is not None and commit.finished_at > since)
    total = max(sum(sizes), 1)
    return Work(
        share=(done + running_bytes) / total,
        new_share=(new + running_bytes) / total,
        total_bytes=plan.bytes if task_type is TaskType.MAP else sum_partitions(observed),
        records=sum(commit.records_in for commit in commits) + sum(found.records for found in best.values()),
        since=since,
        is_complete=len(committed) == len(sizes),
        is_known=all(pod.attempt_id in observed.progress for pod in running),
    )


def planned_sizes(observed: Observed, plan: PlanSummary, task_type: TaskType) -> list[int]:
    """Return how many bytes each task of this type is planned to read, at least one."""
    if task_type is TaskType.REDUCE:
        return [] if observed.shuffle is None else [max(each, 1) for each in observed.shuffle.partition_bytes]
    each, more = divmod(plan.bytes, plan.shards)
    return [max(each + (index < more), 1) for index in range(plan.shards)]


def sum_partitions(observed: Observed) -> int:
    """Return how many bytes all reduces read."""
    return 0 if observed.shuffle is None else sum(observed.shuffle.partition_bytes)


def find_running(observed: Observed, task_type: TaskType, generations: Mapping[TaskRef, int]) -> Iterator[PodView]:
    """Yield the running pods that work on the current generation of a task of this type."""
    for pod in observed.active_pods:
        is_current = pod.generation >= generations.get(pod.task, 0)
        if pod.task.type is task_type and pod.phase is PodPhase.RUNNING and is_current:
            yield pod


def best_reports(observed: Observed, running: list[PodView]) -> dict[TaskRef, AttemptProgress]:
    """Return the report of each task's attempt that is furthest."""
    best: dict[TaskRef, AttemptProgress] = {}
    for pod in running:
        found = observed.progress.get(pod.attempt_id)
        if found is not None and (pod.task not in best or found.fraction > best[pod.task].fraction):
            best[pod.task] = found
    return best


def render_wave(task_type: TaskType, work: Work, known: Json | None, now: float) -> dict[str, Any]:
    """Return the numbers as the status has them."""
    speed = measure_speed(work, known, now)
    left = None if work.is_complete else seconds_left(work, speed)
    wave: dict[str, Any] = {
        "tasks": str(task_type),
        "percent": work.percent,
        "bytes": round(work.done_bytes),
        "totalBytes": work.total_bytes,
        "records": work.records,
        "observedAt": render_time(now),
    }
    if speed > 0:
        wave["bytesPerSecond"] = speed
    if left is not None:
        wave |= {"secondsLeft": left, "left": render_duration(left)}
    return wave


def measure_speed(work: Work, known: Json | None, now: float) -> float:
    """Return bytes a second, with three digits that count; 0 if nothing was done yet."""
    age = 0.0 if work.since is None else now - work.since
    told_at = None if known is None else parse_time(known.get("observedAt"))
    if age <= 0:
        return 0.0
    if known is None or told_at is None or told_at <= (work.since or 0.0):
        return round_number(work.new_share * work.total_bytes / max(age, 1.0))
    passed = now - told_at
    share = min(passed / min(age, SPEED_SECONDS), 1.0)
    latest = max(work.done_bytes - known.get("bytes", 0), 0.0) / passed
    return round_number((1.0 - share) * float(known.get("bytesPerSecond", 0.0)) + share * latest)


def seconds_left(work: Work, speed: float) -> int | None:
    """Return how long the rest takes at this speed, rounded up to two digits that count; None if that is unknown."""
    rest = work.total_bytes - work.done_bytes
    if speed <= 0 or rest / speed > MAX_LEFT_SECONDS:
        return None
    seconds = max(math.ceil(rest / speed), 1)
    step = 1 if seconds <= EXACT_SECONDS else int(10 ** max(math.floor(math.log10(seconds)) - 1, 0))
    return math.ceil(seconds / step) * step


def round_number(number: float) -> float:
    """Return a number with three digits that count."""
    return float(f"{number:.3g}")
