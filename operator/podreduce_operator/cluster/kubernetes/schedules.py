"""Implements the cluster interface of schedules for Kubernetes.

Rule: every write is safe to repeat. The name of a job or pipeline is a lock; a delete names the UID; a status write
names the version that it replaces.
"""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES
from podreduce_operator.api.owners import read_controller
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json
from podreduce_operator.cluster.kubernetes.event_recorder import EventRecorder
from podreduce_operator.cluster.kubernetes.owned_resources import OwnedResources
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import ViewT, key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import (
    JOB_KIND,
    PIPELINE_KIND,
    SCHEDULE_KIND,
    ResourceKind,
)
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey, ResourceView
from podreduce_operator.model.schedules import Noun, ScheduleView
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL

__all__ = ["KubernetesSchedules", "open_schedules"]


class KubernetesSchedules:
    """Implements `cluster.interface.ScheduleCluster`.

    Args:
        api: it has its own check before each write.
        jobs: the jobs of the same namespaces.
        pipelines: the pipelines of the same namespaces; None if the API server has no such kind.
        schedules: the schedules.
    """

    def __init__(
        self,
        api: ApiServer,
        jobs: ResourceStore[JobView],
        pipelines: ResourceStore[PipelineView] | None,
        schedules: ResourceStore[ScheduleView],
    ) -> None:
        self._jobs = open_made(api, JOB_KIND, jobs)
        self._pipelines = None if pipelines is None else open_made(api, PIPELINE_KIND, pipelines)
        self._schedules = schedules
        self._events = EventRecorder(api, names=SCHEDULES)

    async def run(self) -> None:
        """Look regularly for deletions without an event, until cancelled."""
        await self._schedules.run()

    def observe(self, manifest: Json) -> ScheduleView:
        """Handle a schedule from a watch, and return its newest view.

        Raises:
            SpecError: its spec is not understood, and no older one is known.
        """
        return self._schedules.cache.put(manifest)

    def observe_deletion(self, manifest: Json) -> None:
        """Handle a schedule's deletion from a watch. What it made is deleted with it."""
        self._schedules.cache.remove(key_of(manifest), str(manifest["metadata"]["uid"]))

    def known(self) -> Collection[JobKey]:
        """Return the keys of all known schedules, also of those that are not understood."""
        return self._schedules.cache.keys()

    def views(self) -> Sequence[ScheduleView]:
        """Return all known schedules as last seen."""
        return self._schedules.cache.views()

    async def find_schedule(self, key: JobKey) -> ScheduleView | None:
        """See `ScheduleCluster.find_schedule`."""
        try:
            return await self._schedules.find(key)
        except ApiError as error:
            raise unavailable(f"the MapReduceSchedule {key} cannot be read now", error) from error

    async def list_jobs_of(self, schedule: ScheduleView, *, current: bool) -> tuple[JobView | PipelineView, ...]:
        """See `ScheduleCluster.list_jobs_of`. The label only narrows the list: the controller's UID decides."""
        jobs = await list_made(self._jobs, schedule, current=current)
        if self._pipelines is None:
            return jobs
        return *jobs, *await list_made(self._pipelines, schedule, current=current)

    async def create_job(self, schedule: ScheduleView, manifest: Mapping[str, Any]) -> None:
        """See `ScheduleCluster.create_job`."""
        noun: Noun = "job" if manifest["kind"] == JOBS.kind else "pipeline"
        await self._made(noun).create(schedule, manifest)

    async def delete_job_of(self, schedule: ScheduleView, noun: Noun, name: str, uid: str) -> None:
        """See `ScheduleCluster.delete_job_of`."""
        await self._made(noun).delete(schedule, name, uid)

    def _made(self, noun: Noun) -> OwnedResources[JobView] | OwnedResources[PipelineView]:
        """Return what the schedules make of one kind."""
        if noun == "job":
            return self._jobs
        if self._pipelines is None:
            message = f"the API server has no {PIPELINES.kind}: apply the files in crds/ and restart the operator"
            raise ActionError("PipelinesNotServed", message, permanent=True)
        return self._pipelines

    async def write_schedule_status(self, schedule: ScheduleView, status: Mapping[str, Any]) -> bool:
        """See `ScheduleCluster.write_schedule_status`. A status that may not be written is told by an event."""
        try:
            return await self._schedules.write_status(schedule, status)
        except ApiError as error:
            refused = unavailable(f"the status of {schedule.key} cannot be written now", error)
            if error.status == HTTPStatus.FORBIDDEN:
                await self._events.record(schedule, "Warning", refused.reason, str(refused))
            raise refused from error

    async def record_schedule_event(self, schedule: ScheduleView, kind: str, reason: str, message: str) -> None:
        """See `ScheduleCluster.record_schedule_event`."""
        await self._events.record(schedule, kind, reason, message)


def open_schedules(
    api: ApiServer,
    jobs: ResourceStore[JobView],
    pipelines: ResourceStore[PipelineView] | None,
    namespaces: Collection[str],
    installation: str,
) -> KubernetesSchedules:
    """Return the schedules of the served namespaces."""
    schedules = ResourceStore(SCHEDULE_KIND, api, list(namespaces), installation=installation)
    return KubernetesSchedules(api, jobs, pipelines, schedules)


def open_made(api: ApiServer, kind: ResourceKind[ViewT], store: ResourceStore[ViewT]) -> OwnedResources[ViewT]:
    """Return what schedules make of one kind."""
    remedy = f"correct spec.{kind.noun}Template"
    return OwnedResources(api, kind, store, owner_noun="schedule", remedy=remedy, is_own=is_for_time)


async def list_made(made: OwnedResources[ViewT], schedule: ScheduleView, *, current: bool) -> tuple[ViewT, ...]:
    """Return what a schedule made of one kind.

    Raises:
        ActionError: the API server cannot be asked now.
    """
    if current or not made.is_synced:
        await made.relist(schedule, f"{SCHEDULE_LABEL}={schedule.key.name}")
    return tuple(made.of(schedule))


def is_for_time(metadata: Mapping[str, Any], schedule: ResourceView) -> bool:
    """Tell whether a resource is the schedule's own, or was rendered from its file. Such a one has no controller."""
    controller = read_controller(metadata)
    if controller is not None:
        return controller.uid == schedule.uid
    return (metadata.get("labels") or {}).get(SCHEDULE_LABEL) == schedule.key.name
