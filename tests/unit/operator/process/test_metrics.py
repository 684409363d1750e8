"""What Prometheus is shown: each metric is counted, and no job can add a series."""

import inspect
import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from podreduce.contract.attempts import AttemptRecord
from podreduce.storage import Answer, Operation
from podreduce_operator.api.times import parse_time
from podreduce_operator.cluster.kubernetes.refusals import CREATION_REFUSALS
from podreduce_operator.cluster.kubernetes.telemetry import ClusterTelemetry
from podreduce_operator.leadership.election import Standing
from podreduce_operator.loop.telemetry import Telemetry
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.policy import pod_deletion, run_cleanup, run_wave
from podreduce_operator.policy.attempt_record import JOB_FAILED, describe_attempt
from podreduce_operator.policy.failure_classes import CLASSES
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.loop_metrics import STOP_REASONS
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.probes import serve_probes
from podreduce_operator.process.read_health import HealthReader
from podreduce_operator.process.state_metrics import StateMetrics
from tests.support.builders.jobs import make_job
from tests.support.builders.pipelines import make_pipeline
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.schedules import make_schedule
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.searching import seeds
from tests.unit.operator.process.test_probes import free_port

WELL = HealthFigures(is_synced=True, standing=Standing.LEADER, loop_lag_seconds=0.25)

Samples = dict[tuple[str, str], float]


def holds(kind: str) -> dict[str, Any]:
    """A status with a condition that holds."""
    return {"conditions": [{"type": kind, "status": "True"}]}


@dataclass
class Source:
    """What is the case, as a test says."""

    statuses: list[Mapping[str, Any]] = field(default_factory=list)
    figures: HealthFigures = WELL
    pending: dict[str, int] = field(default_factory=dict)
    due: int = 0
    foreign: int = 0
    known_schedules: list[ScheduleView] = field(default_factory=list)
    known_pipelines: list[PipelineView] = field(default_factory=list)

    def read(self) -> HealthFigures:
        return self.figures

    def jobs(self) -> list[JobView]:
        return [make_job(name=f"job-{number}", status=status) for number, status in enumerate(self.statuses)]

    def schedules(self) -> list[ScheduleView]:
        return self.known_schedules

    def pipelines(self) -> list[PipelineView]:
        return self.known_pipelines

    def pending_pods(self) -> Mapping[str, int]:
        return self.pending

    def due_passes(self) -> int:
        return self.due

    def left_alone(self) -> int:
        return self.foreign


def read(metrics: Metrics) -> Samples:
    """Return each sample by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, "/".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def stopped(why: str, **pod: Any) -> AttemptRecord:
    return describe_attempt(make_pod(map_task(0), **pod), 1.0, why)


EVENTS: dict[str, tuple[Callable[[Metrics], object], Samples]] = {
    "a pass": (
        lambda metrics: metrics.loop.on_pass(0.02),
        {
            ("podreduce_reconcile_seconds_count", ""): 1,
            ("podreduce_reconcile_seconds_sum", ""): 0.02,
            ("podreduce_reconcile_seconds_bucket", "0.01"): 0,
            ("podreduce_reconcile_seconds_bucket", "0.03"): 1,
        },
    ),
    "a phase": (
        lambda metrics: metrics.loop.on_phase_end("Mapping", 40.0),
        {
            ("podreduce_job_phase_seconds_count", "Mapping"): 1,
            ("podreduce_job_phase_seconds_sum", "Mapping"): 40.0,
            ("podreduce_job_phase_seconds_count", "Reducing"): 0,
        },
    ),
    "a map's commit": (
        lambda metrics: metrics.loop.on_attempt_end(make_commit(map_task(0), bytes_in=7, bytes_out=5)),
        {
            ("podreduce_attempts_total", "succeeded/Committed/map"): 1,
            ("podreduce_attempts_total", "succeeded/Committed/reduce"): 0,
            ("podreduce_data_bytes_total", "input"): 7,
            ("podreduce_data_bytes_total", "shuffle"): 5,
            ("podreduce_data_bytes_total", "output"): 0,
        },
    ),
    "a reduce's commit": (
        lambda metrics: metrics.loop.on_attempt_end(make_commit(reduce_task(0), bytes_in=7, bytes_out=5)),
        {
            ("podreduce_attempts_total", "succeeded/Committed/reduce"): 1,
            ("podreduce_data_bytes_total", "input"): 0,
            ("podreduce_data_bytes_total", "shuffle"): 0,
            ("podreduce_data_bytes_total", "output"): 5,
        },
    ),
    "the commit of a map without reduces": (
        lambda metrics: metrics.loop.on_attempt_end(
            make_commit(map_task(0), bytes_in=7, bytes_out=5, part=make_commit(reduce_task(0)).part, blob=None)
        ),
        {("podreduce_data_bytes_total", "input"): 7, ("podreduce_data_bytes_total", "output"): 5},
    ),
    "a commit that somebody else wrote": (
        lambda metrics: metrics.loop.on_attempt_end(make_commit(map_task(0), bytes_in=-7, bytes_out=10**400)),
        {("podreduce_data_bytes_total", "input"): 0, ("podreduce_data_bytes_total", "shuffle"): 2.0**63},
    ),
    "a failure": (
        lambda metrics: metrics.loop.on_attempt_end(make_failure(map_task(0), reason="OutOfMemory")),
        {
            ("podreduce_attempts_total", "failed/OutOfMemory/map"): 1,
            ("podreduce_attempts_total", "succeeded/Committed/map"): 0,
            ("podreduce_data_bytes_total", "input"): 0,
        },
    ),
    "a failure for a reason of the program's own": (
        lambda metrics: metrics.loop.on_attempt_end(make_failure(map_task(0), reason="Job42Failed")),
        {("podreduce_attempts_total", "failed/Other/map"): 1},
    ),
    "an attempt that is stopped": (
        lambda metrics: metrics.loop.on_stop(stopped(JOB_FAILED)),
        {("podreduce_attempts_total", "stopped/JobFailed/map"): 1},
    ),
    "a schedule's job": (
        lambda metrics: metrics.schedules.on_start(40.0),
        {
            ("podreduce_schedule_skew_seconds_count", ""): 1,
            ("podreduce_schedule_skew_seconds_sum", ""): 40.0,
            ("podreduce_schedule_missed_total", ""): 0,
        },
    ),
    "a time that is missed": (
        lambda metrics: metrics.schedules.on_missed(),
        {("podreduce_schedule_missed_total", ""): 1, ("podreduce_schedule_skew_seconds_count", ""): 0},
    ),
    "a step that ran": (
        lambda metrics: metrics.pipelines.on_step("Complete", 40.0, 7),
        {
            ("podreduce_pipeline_steps_total", "Complete"): 1,
            ("podreduce_pipeline_steps_total", "Reused"): 0,
            ("podreduce_pipeline_step_seconds_sum", ""): 40.0,
            ("podreduce_pipeline_reused_bytes_total", ""): 0,
        },
    ),
    "a step that is unchanged": (
        lambda metrics: metrics.pipelines.on_step("Reused", 40.0, 7),
        {
            ("podreduce_pipeline_steps_total", "Reused"): 1,
            ("podreduce_pipeline_step_seconds_count", ""): 0,
            ("podreduce_pipeline_reused_bytes_total", ""): 7,
        },
    ),
    "a shuffle": (
        lambda metrics: metrics.loop.on_shuffle((10, 10, 40)),
        {("podreduce_partition_skew_ratio_count", ""): 1, ("podreduce_partition_skew_ratio_sum", ""): 2.0},
    ),
    "a pod": (
        lambda metrics: metrics.cluster.on_creation(0.2),
        {("podreduce_pod_creation_seconds_count", ""): 1, ("podreduce_pod_creation_seconds_sum", ""): 0.2},
    ),
    "a refused pod": (
        lambda metrics: metrics.cluster.on_refusal("QuotaExceeded"),
        {
            ("podreduce_pod_creation_errors_total", "QuotaExceeded"): 1,
            ("podreduce_pod_creation_seconds_count", ""): 0,
        },
    ),
    "a pod refused for another reason": (
        lambda metrics: metrics.cluster.on_refusal("BecauseOfJob42"),
        {("podreduce_pod_creation_errors_total", "Other"): 1},
    ),
    "a request to a store": (
        lambda metrics: metrics.cluster.on_request(Operation.READ, Answer.MISSING, 0.2),
        {
            ("podreduce_storage_requests_total", "Missing/read"): 1,
            ("podreduce_storage_requests_total", "OK/read"): 0,
            ("podreduce_storage_request_seconds_count", "read"): 1,
            ("podreduce_storage_request_seconds_sum", "read"): 0.2,
        },
    ),
}


@pytest.mark.parametrize(("happen", "expected"), EVENTS.values(), ids=EVENTS.keys())
def test_what_happens_is_counted(happen: Callable[[Metrics], object], expected: Samples) -> None:
    metrics = Metrics(Source())
    happen(metrics)
    samples = read(metrics)
    assert {name: samples[name] for name in expected} == pytest.approx(expected)


STATES: dict[str, tuple[Source, Samples]] = {
    "jobs by phase": (
        Source([{}, {"phase": "Mapping"}, {"phase": "Mapping"}, {"phase": "Complete"}]),
        {
            ("podreduce_jobs", "New"): 1,
            ("podreduce_jobs", "Mapping"): 2,
            ("podreduce_jobs", "Complete"): 1,
            ("podreduce_jobs", "Failed"): 0,
        },
    ),
    "tasks by state, of jobs that have not ended": (
        Source(
            [
                {"phase": phase, "map": {"active": 3, "succeeded": 4, "failed": 1}}
                for phase in ("Mapping", "Reducing", "Complete", "Failed")
            ]
        ),
        {
            ("podreduce_tasks", "active/map"): 6,
            ("podreduce_tasks", "succeeded/map"): 8,
            ("podreduce_tasks", "failed/map"): 2,
            ("podreduce_tasks", "active/reduce"): 0,
        },
    ),
    "the oldest run of a phase": (
        Source(
            [
                {"phase": "Mapping", "startTime": "2026-01-02T00:00:00Z"},
                {"phase": "Mapping", "startTime": "2026-01-01T23:00:00Z"},
                {"phase": "Reducing", "startTime": "2026-01-02T00:59:00Z"},
                {"phase": "Complete", "startTime": "2020-01-01T00:00:00Z"},
            ]
        ),
        {
            ("podreduce_oldest_run_seconds", "Mapping"): 7200,
            ("podreduce_oldest_run_seconds", "Reducing"): 60,
            ("podreduce_oldest_run_seconds", "Planning"): 0,
        },
    ),
    "pending pods": (
        Source(pending={"Unschedulable": 3, "Starting": 1}),
        {
            ("podreduce_pending_pods", "Unschedulable"): 3,
            ("podreduce_pending_pods", "Starting"): 1,
            ("podreduce_pending_pods", "Scheduling"): 0,
        },
    ),
    "schedules": (
        Source(
            known_schedules=[
                make_schedule(),
                make_schedule(status={"lastSuccessfulTime": "2026-05-03T00:00:00Z", **holds("LastRunFailed")}),
                make_schedule(status={"lastSuccessfulTime": "2026-05-02T00:00:00Z", **holds("Reconciling")}),
                make_schedule(suspend=True, status={"lastSuccessfulTime": "2026-05-01T00:00:00Z"}),
                make_schedule(status=holds("Stalled")),
            ]
        ),
        {
            ("podreduce_schedules", "Ready"): 2,
            ("podreduce_schedules", "Waiting"): 1,
            ("podreduce_schedules", "Suspended"): 1,
            ("podreduce_schedules", "Stalled"): 1,
            ("podreduce_schedules_last_run_failed", ""): 1,
            ("podreduce_schedule_last_success_timestamp_seconds", ""): parse_time("2026-05-02T00:00:00Z") or 0.0,
        },
    ),
    "pipelines": (
        Source(
            known_pipelines=[
                make_pipeline(),
                replace(make_pipeline(), status={"phase": "Running"}),
                replace(make_pipeline(), status={"phase": "Failed"}),
            ]
        ),
        {
            ("podreduce_pipelines", "New"): 1,
            ("podreduce_pipelines", "Running"): 1,
            ("podreduce_pipelines", "Failed"): 1,
            ("podreduce_pipelines", "Complete"): 0,
        },
    ),
    "the queue": (Source(due=7), {("podreduce_reconcile_queue_length", ""): 7}),
    "jobs of other installations": (Source(foreign=4), {("podreduce_jobs_left_alone", ""): 4}),
    "a right that is missing, and a pass that others hide": (
        Source(figures=HealthFigures(missing_rights=["list pods in the namespace team"], oldest_pass_seconds=9)),
        {("podreduce_missing_rights", ""): 1, ("podreduce_oldest_pass_seconds", ""): 9},
    ),
    "health": (
        Source(figures=HealthFigures(is_synced=True, loop_lag_seconds=1, silence_seconds=2, overdue_seconds=3)),
        {
            ("podreduce_leader", ""): 1,
            ("podreduce_synced", ""): 1,
            ("podreduce_loop_lag_seconds", ""): 1,
            ("podreduce_watch_silence_seconds", ""): 2,
            ("podreduce_overdue_seconds", ""): 3,
        },
    ),
    "a standby that knows nothing yet": (
        Source(figures=HealthFigures(standing=Standing.STANDBY)),
        {("podreduce_leader", ""): 0, ("podreduce_synced", ""): 0},
    ),
}
NOW = 1_767_315_600.0  # 2026-01-02T01:00:00Z


@pytest.mark.parametrize(("source", "expected"), STATES.values(), ids=STATES.keys())
def test_what_is_the_case_is_shown(source: Source, expected: Samples) -> None:
    collected = {
        (sample.name, "/".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in StateMetrics(source, clock=lambda: NOW).collect()
        for sample in family.samples
    }
    assert {name: collected[name] for name in expected} == expected


def test_every_metric_has_a_test() -> None:
    tested = {name for _, samples in (*EVENTS.values(), *STATES.values()) for name, _ in samples}
    metrics = Metrics(Source())
    untested = [
        family.name
        for family in text_string_to_metric_families(metrics.render().decode())
        if family.name.startswith("podreduce_") and not any(sample.name in tested for sample in family.samples)
    ]
    assert untested == []


def test_the_memory_of_the_process_is_shown() -> None:
    assert read(Metrics(Source()))["process_resident_memory_bytes", ""] > 0


def test_every_listener_is_a_metric() -> None:
    metrics = Metrics(Source())
    for made, silent in ((metrics.loop, Telemetry()), (metrics.cluster, ClusterTelemetry())):
        for each in fields(made):
            assert getattr(made, each.name) is not getattr(silent, each.name), each.name


@pytest.mark.parametrize("phase", ["Complete", "Failed", "", "Dancing"])
def test_a_phase_that_is_no_stage_of_a_run_is_not_measured(phase: str) -> None:
    metrics = Metrics(Source())
    before = read(metrics)
    metrics.loop.on_phase_end(phase, 1.0)
    assert named(read(metrics)) == named(before)


@pytest.mark.parametrize("partition_bytes", [(), (0,), (0, 0)])
def test_a_shuffle_without_data_has_no_skew(partition_bytes: tuple[int, ...]) -> None:
    metrics = Metrics(Source())
    metrics.loop.on_shuffle(partition_bytes)
    assert read(metrics)["podreduce_partition_skew_ratio_count", ""] == 0


def test_a_pod_that_is_deleted_after_its_end_is_not_stopped() -> None:
    metrics = Metrics(Source())
    before = read(metrics)
    ended = make_pod(phase="Succeeded", finished_at=1.0)  # type: ignore[arg-type]
    for why in ("committed", "failure recorded", "lingers after its commit", "lost with its node"):
        metrics.loop.on_stop(stopped(why))
    metrics.loop.on_stop(describe_attempt(ended, 1.0, JOB_FAILED))
    assert named(read(metrics)) == named(before)


def test_the_reasons_of_stops_are_those_of_the_policy() -> None:
    sources = "".join(map(inspect.getsource, (pod_deletion, run_cleanup, run_wave)))
    literal = set(STOP_REASONS) - {JOB_FAILED, "suspended"}
    assert [why for why in literal if f'"{why}"' not in sources] == []


def named(samples: Samples) -> Samples:
    """Return the operator's own samples: the process's memory changes by itself."""
    return {name: value for name, value in samples.items() if name[0].startswith("podreduce_")}


@pytest.mark.parametrize("seed", list(seeds(5)))
def test_no_job_and_no_event_adds_a_series(seed: int) -> None:
    """Whatever names, words and reasons there are, and however many."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    alphabet = string.printable + "äß\u202e\x00"

    def text() -> str:
        return "".join(rng.choices(alphabet, k=rng.randrange(0, 40)))

    def reason() -> str:
        known = [reason for known in CLASSES for reason in known.reasons] + sorted(CREATION_REFUSALS)
        return rng.choice([*known, *STOP_REASONS, text(), text()])

    source = Source()
    metrics = Metrics(source)
    before = read(metrics).keys()
    source.statuses = [
        {
            "phase": rng.choice(["Mapping", "Complete", text()]),
            "startTime": rng.choice([text(), 7, "2026-01-01T00:00:00Z"]),
        }
        for _ in range(100)
    ]
    source.pending = {text(): 1 for _ in range(100)}
    for _ in range(100):
        task = rng.choice([map_task, reduce_task])(rng.randrange(10_000))
        metrics.loop.on_attempt_end(make_failure(task, reason=reason(), message=text()))
        metrics.loop.on_attempt_end(make_commit(task, counters={text(): {text(): 1}}))
        metrics.loop.on_stop(stopped(reason()))
        metrics.loop.on_phase_end(text(), rng.random())
        metrics.loop.on_shuffle([rng.randrange(100) for _ in range(rng.randrange(9))])
        metrics.cluster.on_refusal(reason())
        metrics.cluster.on_request(rng.choice(list(Operation)), rng.choice(list(Answer)), rng.random())
    assert read(metrics).keys() == before


def test_an_operator_that_has_just_started_shows_every_series() -> None:
    samples = read(Metrics(HealthReader(lag=LoopLag())))
    assert samples["podreduce_reconcile_queue_length", ""] == 0
    assert samples["podreduce_pending_pods", "Starting"] == 0
    assert samples["podreduce_jobs", "New"] == 0


async def test_metrics_are_served_beside_the_probes() -> None:
    port, metrics = free_port(), Metrics(Source([{}]))
    async with (
        serve_probes(port, lambda: WELL, metrics.render),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert 'podreduce_jobs{phase="New"} 1.0' in await answer.text()
