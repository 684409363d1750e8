"""The kinds of resources that the operator reads from the cluster."""

from dataclasses import dataclass
from typing import Any, Generic

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, ResourceNames, known_spec
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.api.schedule_spec import decode_schedule_spec
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.api.times import parse_time
from podreduce_operator.cluster.kubernetes.api import Json
from podreduce_operator.cluster.kubernetes.object_cache import uid_of
from podreduce_operator.cluster.kubernetes.resource_cache import Parse, ViewT
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.model.schedules import ScheduleView

__all__ = [
    "JOB_KIND",
    "PIPELINE_KIND",
    "SCHEDULE_KIND",
    "ResourceKind",
    "parse_job",
    "parse_pipeline",
    "parse_schedule",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKind(Generic[ViewT]):
    """A kind of resource.

    Attributes:
        names: what the API calls it.
        noun: what the log calls it.
        parse: makes a view of a manifest.
    """

    names: ResourceNames
    noun: str
    parse: Parse[ViewT]


def parse_job(manifest: Json, key: JobKey) -> JobView:
    """Return the job's view. Its spec gets the defaults that an older CRD in the cluster does not know.

    Raises:
        SpecError: its spec is not understood.
    """
    spec = known_spec(manifest.get("spec") or {})
    return JobView(spec=decode_spec(spec), **common_fields(manifest, key, spec))


def parse_schedule(manifest: Json, key: JobKey) -> ScheduleView:
    """Return the schedule's view, in the same way.

    Raises:
        SpecError: its spec is not understood.
    """
    spec = known_spec(manifest.get("spec") or {}, SCHEDULES)
    created_at = parse_time(manifest["metadata"].get("creationTimestamp")) or 0.0
    return ScheduleView(spec=decode_schedule_spec(spec), created_at=created_at, **common_fields(manifest, key, spec))


def parse_pipeline(manifest: Json, key: JobKey) -> PipelineView:
    """Return the pipeline's view, in the same way.

    Raises:
        SpecError: its spec is not understood.
    """
    spec = known_spec(manifest.get("spec") or {}, PIPELINES)
    return PipelineView(spec=decode_pipeline_spec(spec), **common_fields(manifest, key, spec))


def common_fields(manifest: Json, key: JobKey, spec: Json) -> dict[str, Any]:
    """Return the fields that the views of all kinds have."""
    metadata = manifest["metadata"]
    return {
        "key": key,
        "uid": uid_of(manifest),
        "generation": int(metadata.get("generation") or 0),
        "raw_spec": spec,
        "status": manifest.get("status") or {},
        "labels": metadata.get("labels") or {},
        "controller": read_controller(metadata),
        "deleting": bool(metadata.get("deletionTimestamp")),
    }


JOB_KIND = ResourceKind(names=JOBS, noun="job", parse=parse_job)
PIPELINE_KIND = ResourceKind(names=PIPELINES, noun="pipeline", parse=parse_pipeline)
SCHEDULE_KIND = ResourceKind(names=SCHEDULES, noun="schedule", parse=parse_schedule)
