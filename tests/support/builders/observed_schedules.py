"""What `decide_schedule` sees, with a default for everything."""

from datetime import UTC, datetime
from typing import Any

from podreduce_operator.api.schedule_spec import ScheduleSpec, Template
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduledJob, ScheduleObserved, ScheduleState, ScheduleView

__all__ = ["CREATED", "DAY", "HOUR", "MAKES", "NIGHT", "make_job", "make_spec", "make_view", "observe"]

HOUR, DAY = 3600.0, 86_400.0
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 3, 2, 2, 30, tzinfo=UTC).timestamp()
"""The first time that a schedule of 02:30 names after its creation."""


MAKES: dict[str, dict[str, Any]] = {
    "job": {"job_template": Template(spec={}), "pipeline_template": None},
    "pipeline": {"job_template": None, "pipeline_template": Template(spec={})},
}


def make_spec(**fields: Any) -> ScheduleSpec:
    defaults: dict[str, Any] = {
        "schedule": "30 2 * * *",
        "time_zone": "Etc/UTC",
        "suspend": False,
        "concurrency_policy": "Forbid",
        "successful_jobs_history_limit": 3,
        "failed_jobs_history_limit": 1,
        **MAKES["job"],
    }
    return ScheduleSpec(**defaults | fields)


def make_view(spec: ScheduleSpec, **fields: Any) -> ScheduleView:
    defaults: dict[str, Any] = {
        "key": JobKey(namespace="default", name="nightly"),
        "uid": "u",
        "generation": 1,
        "created_at": CREATED,
        "raw_spec": {},
        "status": {},
    }
    return ScheduleView(spec=spec, **defaults | fields)


def observe(
    spec: ScheduleSpec, *jobs: ScheduledJob, state: ScheduleState | None = None, **fields: Any
) -> ScheduleObserved:
    schedule = make_view(spec)
    known = ScheduleState(known=f"{spec.schedule} {spec.time_zone}", was_suspended=spec.suspend)
    return ScheduleObserved(schedule=schedule, jobs=jobs, state=state or known, **{"is_current": True} | fields)


def make_job(scheduled_at: float, ended: str | None = None, **fields: Any) -> ScheduledJob:
    return ScheduledJob(
        name=f"nightly-{scheduled_at:.0f}", uid=f"j{scheduled_at:.0f}", scheduled_at=scheduled_at, ended=ended, **fields
    )
