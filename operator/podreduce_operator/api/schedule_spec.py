"""A MapReduceSchedule's spec as typed values. Rule: pure. The spec has the CRD's defaults before it is decoded here."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from podreduce_operator.api.crd import JOBS, PIPELINES, ResourceNames
from podreduce_operator.api.spec import DEFAULT_SECRET, Fields, SpecError

__all__ = ["ScheduleSpec", "ScheduledParameter", "Template", "TemplateMetadata", "decode_schedule_spec"]


class ScheduledParameter(Fields, frozen=True, kw_only=True):
    """A parameter of each run: the scheduled time, moved by `offset` and written as `format` says."""

    name: str
    format: str
    offset: str = "0m"


class TemplateMetadata(Fields, frozen=True, kw_only=True):
    """What each job or pipeline gets besides its name."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(Fields, frozen=True, kw_only=True):
    """What is made at each scheduled time. `spec`: that of a MapReduceJob, with placeholders, or of a pipeline."""

    spec: dict[str, Any]
    metadata: TemplateMetadata = TemplateMetadata()

    @property
    def secret_name(self) -> str:
        """The Secret of the storage."""
        reference = self.spec.get("storage", {}).get("secretRef", {})
        return str(reference.get("name", DEFAULT_SECRET.name))


class ScheduleSpec(Fields, frozen=True, kw_only=True):
    """When jobs or pipelines are made, from which template, and what happens to earlier ones.

    The CRD allows exactly one of the two templates.
    """

    schedule: str
    time_zone: str
    suspend: bool
    concurrency_policy: Literal["Forbid", "Replace", "Allow"]
    successful_jobs_history_limit: int
    failed_jobs_history_limit: int
    starting_deadline_seconds: int | None = None
    parameters: tuple[ScheduledParameter, ...] = ()
    job_template: Template | None = None
    pipeline_template: Template | None = None

    @property
    def makes(self) -> ResourceNames:
        """The kind of resource that is made."""
        return JOBS if self.pipeline_template is None else PIPELINES

    @property
    def noun(self) -> Literal["job", "pipeline"]:
        """What messages call what is made."""
        return "job" if self.makes is JOBS else "pipeline"

    @property
    def template_field(self) -> str:
        """The name of the template's field."""
        return f"{self.noun}Template"

    @property
    def template(self) -> Template:
        """The template."""
        found = self.pipeline_template or self.job_template
        if found is None:
            raise SpecError("spec: it has neither jobTemplate nor pipelineTemplate")
        return found


def decode_schedule_spec(raw: Mapping[str, Any]) -> ScheduleSpec:
    """Return the spec as typed values.

    Raises:
        SpecError: it does not match the CRD of this version.
    """
    try:
        spec = msgspec.convert(raw, ScheduleSpec)
    except msgspec.ValidationError as error:
        raise SpecError(f"spec: {error}") from error
    if (spec.job_template is None) == (spec.pipeline_template is None):
        raise SpecError("spec: set exactly one of jobTemplate and pipelineTemplate")
    return spec
