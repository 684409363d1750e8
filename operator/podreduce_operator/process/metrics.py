"""What the operator shows to Prometheus at /metrics.

Rule: only reads. No label has the name of a job, a pod or a namespace, so the number of series does not grow with the
cluster.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from podreduce_operator.leadership.election import Standing
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.jobs import JobView
from podreduce_operator.process.health import HealthFigures

__all__ = ["Metrics"]

NEW = "New"
"""The phase of a job without a status."""

PASS_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
TASK_STATES = ("active", "succeeded", "failed")


class Metrics(Collector):
    """The operator's metrics.

    Args:
        read_health: returns the numbers that the probes judge.
        list_jobs: returns all known jobs.
    """

    def __init__(self, read_health: Callable[[], HealthFigures], list_jobs: Callable[[], Iterable[JobView]]) -> None:
        self._read_health = read_health
        self._list_jobs = list_jobs
        self._registry = CollectorRegistry()
        self._passes = Histogram(
            "podreduce_reconcile_seconds", "How long a pass over one job took.", buckets=PASS_SECONDS, registry=None
        )
        self._registry.register(self._passes)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def take_pass(self, seconds: float) -> None:
        """Count a pass of the loop."""
        self._passes.observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the current values."""
        jobs = list(self._list_jobs())
        yield collect_jobs(jobs)
        yield collect_tasks(jobs)
        yield from collect_health(self._read_health())


def collect_jobs(jobs: Iterable[JobView]) -> GaugeMetricFamily:
    """Return how many jobs are in each phase."""
    counts = Counter(str(job.status.get("phase", NEW)) for job in jobs)
    family = GaugeMetricFamily("podreduce_jobs", "How many jobs are in this phase.", labels=["phase"])
    for phase in (NEW, *map(str, Phase)):
        family.add_metric([phase], counts[phase])
    return family


def collect_tasks(jobs: Iterable[JobView]) -> GaugeMetricFamily:
    """Return how many tasks of the jobs that have not ended are in each state."""
    ended = {str(Phase.COMPLETE), str(Phase.FAILED)}
    counts: Counter[tuple[str, str]] = Counter()
    for job in jobs:
        if job.status.get("phase") in ended:
            continue
        for kind in ("map", "reduce"):
            known = job.status.get(kind, {})
            counts.update({(kind, state): known.get(state, 0) for state in TASK_STATES})
    family = GaugeMetricFamily(
        "podreduce_tasks",
        "Tasks of the jobs that have not ended: active and succeeded tasks, and failed attempts that count.",
        labels=["type", "state"],
    )
    for kind in ("map", "reduce"):
        for state in TASK_STATES:
            family.add_metric([kind, state], counts[kind, state])
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
        "How long the oldest pass has been due or running.",
        value=figures.overdue_seconds,
    )
