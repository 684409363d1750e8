"""The MapReduceJob of a scheduled time, and the scheduled time of a job. Rule: pure.

A job's name is a lock: it contains the scheduled time, so a time has one job, whoever makes it.
"""

import re
from typing import Any

from podreduce_operator.api.crd import API_VERSION, GROUP, KIND
from podreduce_operator.api.substitution import substitute_spec
from podreduce_operator.api.times import render_time
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.cron import parse_cron
from podreduce_operator.schedules.scheduled_parameters import parameters_at

__all__ = ["SCHEDULED_AT_ANNOTATION", "SCHEDULE_LABEL", "build_job", "read_scheduled_at"]

SCHEDULE_LABEL = f"{GROUP}/schedule"
SCHEDULED_AT_ANNOTATION = f"{GROUP}/scheduled-at"
MINUTE = 60
NAME = re.compile(r".*-(?P<minutes>[0-9]{1,10})", re.DOTALL)


def build_job(schedule: ScheduleView, scheduled_at: float) -> dict[str, Any]:
    """Return the manifest of the job for a scheduled time (seconds since the epoch).

    Raises:
        CronError: the time zone is not valid.
        SubstitutionError: the template has a placeholder of a parameter that the schedule does not have.
    """
    spec = schedule.spec
    template, zone = spec.job_template, parse_cron(spec.schedule, spec.time_zone).zone
    parameters = parameters_at(spec.parameters, zone, scheduled_at)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": f"{schedule.key.name}-{int(scheduled_at) // MINUTE}",
            "namespace": schedule.key.namespace,
            "labels": {**template.metadata.labels, SCHEDULE_LABEL: schedule.key.name},
            "annotations": {**template.metadata.annotations, SCHEDULED_AT_ANNOTATION: render_time(scheduled_at)},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "MapReduceSchedule",
                    "name": schedule.key.name,
                    "uid": schedule.uid,
                    "controller": True,
                }
            ],
        },
        "spec": substitute_spec(template.spec, parameters),
    }


def read_scheduled_at(name: str) -> float | None:
    """Return the scheduled time of a job by its name; None if the name is not that of a schedule's job."""
    found = NAME.fullmatch(name)
    return None if found is None else float(found["minutes"]) * MINUTE
