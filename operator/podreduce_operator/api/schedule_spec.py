"""A MapReduceSchedule's spec as typed values. Rule: pure. The spec has the CRD's defaults before it is decoded here."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from podreduce_operator.api.spec import Fields, SpecError

__all__ = ["JobTemplate", "ScheduleSpec", "ScheduledParameter", "TemplateMetadata", "decode_schedule_spec"]


class ScheduledParameter(Fields, frozen=True, kw_only=True):
    """A parameter of each run: the scheduled time, moved by `offset` and written as `format` says."""

    name: str
    format: str
    offset: str = "0m"


class TemplateMetadata(Fields, frozen=True, kw_only=True):
    """What each job gets besides its name."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class JobTemplate(Fields, frozen=True, kw_only=True):
    """The MapReduceJob that is made at each scheduled time. Its spec is that of a MapReduceJob, with placeholders."""

    spec: dict[str, Any]
    metadata: TemplateMetadata = TemplateMetadata()


class ScheduleSpec(Fields, frozen=True, kw_only=True):
    """When jobs are made, from which template, and what happens to earlier ones."""

    schedule: str
    time_zone: str
    suspend: bool
    concurrency_policy: Literal["Forbid", "Replace", "Allow"]
    successful_jobs_history_limit: int
    failed_jobs_history_limit: int
    job_template: JobTemplate
    starting_deadline_seconds: int | None = None
    parameters: tuple[ScheduledParameter, ...] = ()


def decode_schedule_spec(raw: Mapping[str, Any]) -> ScheduleSpec:
    """Return the spec as typed values.

    Raises:
        SpecError: it does not match the CRD of this version.
    """
    try:
        return msgspec.convert(raw, ScheduleSpec)
    except msgspec.ValidationError as error:
        raise SpecError(f"spec: {error}") from error
