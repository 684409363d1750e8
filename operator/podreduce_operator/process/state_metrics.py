"""The metrics of what is the case now: read when Prometheus asks.

Rule: only reads, with one pass over the known jobs. Every label has a fixed set of values.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from podreduce.contract.task import TaskType
from podreduce_operator.api.times import parse_time
from podreduce_operator.leadership.election import Standing
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.policy.stuck_pods import WAITS
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.loop_metrics import ACTIVE_PHASES
from podreduce_operator.process.pipeline_metrics import collect_pipelines
from podreduce_operator.process.schedule_metrics import collect_schedules

__all__ = ["StateMetrics", "StateSource"]

NEW = "New"
"""The phase of a job without a status."""

PHASES = (NEW, *map(str, Phase))
ENDED = frozenset(map(str, Phase)) - frozenset(ACTIVE_PHASES)
TASK_STATES = ("active", "succeeded", "failed")


class StateSource(Protocol):
    """Where the current values come from."""

    def read(self) -> HealthFigures:
        """Return the numbers that the probes judge."""

    def jobs(self) -> Iterable[JobView]:
        """Return all known jobs."""

    def pipelines(self) -> Iterable[PipelineView]:
        """Return all known pipelines."""

    def schedules(self) -> Iterable[ScheduleView]:
        """Return all known schedules."""

    def pending_pods(self) -> Mapping[str, int]:
        """Return how many pods have not started, by what keeps them."""

    def due_passes(self) -> int:
        """Return how many passes are due or running."""

    def left_alone(self) -> int:
        """Return how many jobs belong to other installations."""


class StateMetrics(Collector):
    """The current values of a source. `clock` gives seconds since the epoch."""

    def __init__(self, source: StateSource, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the current values."""
        yield from collect_jobs(self._source.jobs(), self._clock())
        yield from collect_pipelines(self._source.pipelines())
        yield from collect_schedules(tuple(self._source.schedules()))
        yield collect_pending(self._source.pending_pods())
        yield GaugeMetricFamily(
            "podreduce_reconcile_queue_length",
            "How many jobs, pipelines and schedules have a pass that is due or running.",
            value=self._source.due_passes(),
        )
        yield GaugeMetricFamily(
            "podreduce_jobs_left_alone",
            "How many jobs are left alone, because they belong to another installation.",
            value=self._source.left_alone(),
        )
        yield from collect_health(self._source.read())


def collect_jobs(jobs: Iterable[JobView], now: float) -> Iterator[GaugeMetricFamily]:
    """Return how many jobs are in each phase, how old their runs are, and how many tasks are in each state."""
    phases: Counter[str] = Counter()
    tasks: Counter[tuple[str, str]] = Counter()
    started: dict[str, str] = {}
    for job in jobs:
        phase = str(job.status.get("phase", NEW))
        phases[phase] += 1
        if phase in ENDED:
            continue
        for kind in TaskType:
            known = job.status.get(kind.value, {})
            tasks.update({(kind.value, state): known.get(state, 0) for state in TASK_STATES})
        if isinstance(at := job.status.get("startTime"), str):
            started[phase] = min(at, started.get(phase, at))  # times of this form have the order of their text
    yield collect_phases(phases)
    yield collect_ages(started, now)
    yield collect_tasks(tasks)


def collect_phases(counts: Mapping[str, int]) -> GaugeMetricFamily:
    """Return how many jobs are in each phase."""
    family = GaugeMetricFamily("podreduce_jobs", "How many jobs are in this phase.", labels=["phase"])
    for phase in PHASES:
        family.add_metric([phase], counts.get(phase, 0))
    return family


def collect_ages(started: Mapping[str, str], now: float) -> GaugeMetricFamily:
    """Return how long ago the oldest run in each phase started."""
    family = GaugeMetricFamily(
        "podreduce_oldest_run_seconds",
        "How long ago the oldest run in this phase started. 0 without one.",
        labels=["phase"],
    )
    for phase in ACTIVE_PHASES:
        at = parse_time(started.get(phase))
        family.add_metric([phase], 0.0 if at is None else max(0.0, now - at))
    return family


def collect_tasks(counts: Mapping[tuple[str, str], int]) -> GaugeMetricFamily:
    """Return how many tasks of the jobs that have not ended are in each state."""
    family = GaugeMetricFamily(
        "podreduce_tasks",
        "Tasks of the jobs that have not ended: active and succeeded tasks, and failed attempts that count.",
        labels=["type", "state"],
    )
    for kind in TaskType:
        for state in TASK_STATES:
            family.add_metric([kind.value, state], counts.get((kind.value, state), 0))
    return family


def collect_pending(counts: Mapping[str, int]) -> GaugeMetricFamily:
    """Return how many pods have not started."""
    family = GaugeMetricFamily(
        "podreduce_pending_pods", "Pods of tasks that have not started, by what keeps them.", labels=["reason"]
    )
    for reason in sorted(WAITS):
        family.add_metric([reason], counts.get(reason, 0))
    return family


def collect_health(figures: HealthFigures) -> Iterator[GaugeMetricFamily]:
    """Return the numbers that the probes judge."""
    leads = figures.standing in {None, Standing.LEADER}
    yield GaugeMetricFamily("podreduce_leader", "1 if this operator acts, 0 if it stands by.", value=float(leads))
    yield GaugeMetricFamily(
        "podreduce_synced", "1 if all pods and jobs have been listed.", value=float(figures.is_synced)
    )
    yield GaugeMetricFamily("podreduce_loop_lag_seconds", "How late the event loop is.", value=figures.loop_lag_seconds)
    yield GaugeMetricFamily(
        "podreduce_watch_silence_seconds",
        "How long ago the API server was last heard of.",
        value=figures.silence_seconds,
    )
    yield GaugeMetricFamily(
        "podreduce_overdue_seconds",
        "How long the oldest pass has been due or running, counted from the last end of a pass in its namespace.",
        value=figures.overdue_seconds,
    )
    yield GaugeMetricFamily(
        "podreduce_oldest_pass_seconds",
        "How long the oldest pass has been due or running, whatever other passes of its namespace do.",
        value=figures.oldest_pass_seconds,
    )
    yield GaugeMetricFamily(
        "podreduce_missing_rights",
        "How many rights the API server refuses to the operator. /readyz lists them.",
        value=len(figures.missing_rights),
    )
