"""What a schedule makes at a time, a job or a pipeline, and the scheduled time of either. Rule: pure.

The name is a lock: it contains the scheduled time, so a time has one job, whoever makes it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from podreduce_operator.api.crd import API_VERSION, GROUP, JOBS, PIPELINES, SCHEDULES, known_spec
from podreduce_operator.api.crd_schema import FieldProblem
from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.api.substitution import SubstitutionError, substitute_spec
from podreduce_operator.api.times import render_time
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.cron import parse_cron
from podreduce_operator.schedules.scheduled_parameters import parameters_at

__all__ = [
    "SCHEDULED_AT_ANNOTATION",
    "SCHEDULE_LABEL",
    "STEPS_LABEL",
    "TemplateError",
    "build_scheduled",
    "read_scheduled_at",
]

SCHEDULE_LABEL = f"{GROUP}/schedule"
STEPS_LABEL = f"{GROUP}/steps-of"
"""The UID of the schedule whose pipelines keep the records and outputs of their steps in one place."""
SCHEDULED_AT_ANNOTATION = f"{GROUP}/scheduled-at"
MINUTE = 60
NAME = re.compile(r".*-(?P<minutes>[0-9]{1,10})", re.DOTALL)


class TemplateError(ValueError):
    """Nothing can be made from the template. Each problem has the path of its field in the schedule."""

    def __init__(self, field: str, problems: Iterable[FieldProblem]) -> None:
        self.problems = tuple(replace(each, path=f"spec.{field}.{each.path}") for each in problems)
        super().__init__("; ".join(map(str, self.problems)))


def build_scheduled(schedule: ScheduleView, scheduled_at: float) -> dict[str, Any]:
    """Return the manifest of the job or the pipeline for a scheduled time (seconds since the epoch).

    Raises:
        CronError: the time zone is not valid.
        TemplateError: the template has a placeholder of a parameter that the schedule does not have, or a pipeline that
            would fail at once.
    """
    spec = schedule.spec
    template, zone = spec.template, parse_cron(spec.schedule, spec.time_zone).zone
    fill = fill_job if spec.makes is JOBS else fill_pipeline
    return {
        "apiVersion": API_VERSION,
        "kind": spec.makes.kind,
        "metadata": {
            "name": f"{schedule.key.name}-{int(scheduled_at) // MINUTE}",
            "namespace": schedule.key.namespace,
            "labels": {**template.metadata.labels, SCHEDULE_LABEL: schedule.key.name, **steps_label(schedule)},
            "annotations": {**template.metadata.annotations, SCHEDULED_AT_ANNOTATION: render_time(scheduled_at)},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": SCHEDULES.kind,
                    "name": schedule.key.name,
                    "uid": schedule.uid,
                    "controller": True,
                }
            ],
        },
        "spec": fill(template.spec, parameters_at(spec.parameters, zone, scheduled_at)),
    }


def steps_label(schedule: ScheduleView) -> dict[str, str]:
    """Return the label of a pipeline that reuses what the one before has kept: only of one that it never runs beside.

    A pipeline from a file has none, because nobody knows what runs beside it.
    """
    is_alone = schedule.spec.concurrency_policy == "Forbid" and schedule.spec.makes is PIPELINES
    return {STEPS_LABEL: schedule.uid} if is_alone and schedule.uid else {}


def fill_job(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a job's spec with the parameters in its texts.

    Raises:
        TemplateError: a placeholder names no parameter.
    """
    try:
        return substitute_spec(spec, parameters)
    except SubstitutionError as error:
        path, _, message = str(error).partition(": ")
        raise TemplateError("jobTemplate", [FieldProblem(path=path, message=message)]) from error


def fill_pipeline(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a pipeline's spec with the parameters added to its own. The pipeline itself puts them into its texts.

    Raises:
        TemplateError: the pipeline would fail as Invalid. Each of its runs would, so none is made.
    """
    filled = {**spec, "parameters": {**spec.get("parameters", {}), **parameters}} if parameters else dict(spec)
    problems = find_pipeline_problems(decode_pipeline_spec(known_spec(filled, PIPELINES)))
    if problems:
        raise TemplateError("pipelineTemplate", problems)
    return filled


def read_scheduled_at(name: str) -> float | None:
    """Return the scheduled time by a name; None if the name is not that of what a schedule makes."""
    found = NAME.fullmatch(name)
    return None if found is None else float(found["minutes"]) * MINUTE
