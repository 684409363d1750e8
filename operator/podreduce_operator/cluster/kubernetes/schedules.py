"""Implements the cluster interface of schedules for Kubernetes.

Rule: every write is safe to repeat. The name of a job or pipeline is a lock; a delete names the UID; a status write
names the version that it replaces.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from podreduce_operator.api.crd import JOBS, PIPELINES
from podreduce_operator.api.owners import read_controller
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import ApiServer
from podreduce_operator.cluster.kubernetes.owned_resources import OwnedResources
from podreduce_operator.cluster.kubernetes.resource_cache import ViewT
from podreduce_operator.cluster.kubernetes.resource_kinds import (
    JOB_KIND,
    PIPELINE_KIND,
    SCHEDULE_KIND,
    ResourceKind,
)
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.cluster.kubernetes.watched_resources import WatchedResources
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey, ResourceView
from podreduce_operator.model.schedules import Noun, ScheduleView
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL

__all__ = ["KubernetesSchedules", "open_schedules"]

ReadStorage = Callable[[str, str], Awaitable[JobStorage]]
"""(namespace, name of a Secret) → the storage in it."""


class KubernetesSchedules:
    """Implements `cluster.interface.ScheduleCluster`.

    Args:
        api: it has its own check before each write.
        jobs: the jobs of the same namespaces.
        pipelines: the pipelines of the same namespaces; None if the API server has no such kind.
        watched: the schedules.
        read_storage: returns the storage in a Secret, also when what named it is gone.
    """

    def __init__(
        self,
        api: ApiServer,
        jobs: ResourceStore[JobView],
        pipelines: ResourceStore[PipelineView] | None,
        watched: WatchedResources[ScheduleView],
        read_storage: ReadStorage,
    ) -> None:
        self._jobs = open_made(api, JOB_KIND, jobs)
        self._pipelines = None if pipelines is None else open_made(api, PIPELINE_KIND, pipelines)
        self.watched = watched
        self._read_storage = read_storage

    async def find_schedule(self, key: JobKey) -> ScheduleView | None:
        """See `ScheduleCluster.find_schedule`."""
        return await self.watched.find(key)

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

    async def read_storage_of_steps(self, schedule: ScheduleView) -> JobStorage:
        """See `ScheduleCluster.read_storage_of_steps`."""
        return await self._read_storage(schedule.key.namespace, schedule.spec.template.secret_name)

    async def write_schedule_status(self, schedule: ScheduleView, status: Mapping[str, Any]) -> bool:
        """See `ScheduleCluster.write_schedule_status`."""
        return await self.watched.write_status(schedule, status)

    async def record_schedule_event(self, schedule: ScheduleView, kind: str, reason: str, message: str) -> None:
        """See `ScheduleCluster.record_schedule_event`."""
        await self.watched.record_event(schedule, kind, reason, message)


def open_schedules(
    api: ApiServer,
    jobs: ResourceStore[JobView],
    pipelines: ResourceStore[PipelineView] | None,
    namespaces: Collection[str],
    installation: str,
    *,
    read_storage: ReadStorage,
) -> KubernetesSchedules:
    """Return the schedules of the served namespaces."""
    watched = WatchedResources(SCHEDULE_KIND, api, namespaces, installation=installation)
    return KubernetesSchedules(api, jobs, pipelines, watched, read_storage)


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
