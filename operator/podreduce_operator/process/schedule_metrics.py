"""The metrics of schedules: what happened is counted by the loop's telemetry, what is the case is read when asked.

Rule: no schedule has a series of its own, so their number is fixed.
"""

from collections import Counter as Counts
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

from podreduce_operator.api.times import parse_time
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.policy.run_state import is_condition_true

__all__ = ["ScheduleMetrics", "collect_schedules"]

SKEW_SECONDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
STATES = ("Ready", "Waiting", "Stalled", "Suspended")


class ScheduleMetrics:
    """A counter and a histogram in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._skew = Histogram(
            "podreduce_schedule_skew_seconds",
            "How long after its scheduled time a job or pipeline was made. With Forbid and Replace this includes the "
            "wait for the one before.",
            buckets=SKEW_SECONDS,
            registry=registry,
        )
        self._missed = Counter(
            "podreduce_schedule_missed",
            "Scheduled times without a job, because startingDeadlineSeconds were over.",
            registry=registry,
        )

    def take_start(self, seconds: float) -> None:
        """Count a job or a pipeline that was made."""
        self._skew.observe(seconds)

    def take_missed(self) -> None:
        """Count a time that was missed."""
        self._missed.inc()


def collect_schedules(schedules: Sequence[ScheduleView]) -> Iterator[GaugeMetricFamily]:
    """Return the current values."""
    yield collect_states(schedules)
    failed = sum(is_condition_true(schedule.status, "LastRunFailed") for schedule in schedules)
    yield GaugeMetricFamily(
        "podreduce_schedules_last_run_failed",
        "How many schedules have a last job or pipeline that failed.",
        value=failed,
    )
    yield GaugeMetricFamily(
        "podreduce_schedule_last_success_timestamp_seconds",
        "The scheduled time of a schedule's last complete job or pipeline, in seconds since the epoch: the earliest "
        "of all schedules that are not suspended. 0 without one.",
        value=min(find_successes(schedules), default=0.0),
    )


def collect_states(schedules: Iterable[ScheduleView]) -> GaugeMetricFamily:
    """Return how many schedules are in each state."""
    counts = Counts(map(find_state, schedules))
    family = GaugeMetricFamily(
        "podreduce_schedules",
        "How many schedules are in this state. Waiting: a job is due and cannot be made yet. Stalled: no job can be "
        "made until somebody changes the schedule.",
        labels=["state"],
    )
    for state in STATES:
        family.add_metric([state], counts.get(state, 0))
    return family


def find_state(schedule: ScheduleView) -> str:
    """Return a schedule's state."""
    if is_condition_true(schedule.status, "Stalled"):
        return "Stalled"
    if schedule.spec.suspend:
        return "Suspended"
    return "Waiting" if is_condition_true(schedule.status, "Reconciling") else "Ready"


def find_successes(schedules: Iterable[ScheduleView]) -> Iterator[float]:
    """Yield the scheduled time of the last complete job of each schedule that has one and is not suspended."""
    for schedule in schedules:
        at = parse_time(schedule.status.get("lastSuccessfulTime"))
        if at is not None and not schedule.spec.suspend:
            yield at
