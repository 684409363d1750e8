"""Implements the cluster interface of schedules for Kubernetes.

Rule: every write is safe to repeat. A job's name is a lock; a delete names the UID; a status write names the version
that it replaces.
"""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from podreduce_operator.api.crd import SCHEDULES
from podreduce_operator.api.owners import read_controller
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json
from podreduce_operator.cluster.kubernetes.event_recorder import EventRecorder
from podreduce_operator.cluster.kubernetes.owned_jobs import OwnedJobs
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import SCHEDULE_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.resources import JobKey, ResourceView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL

__all__ = ["KubernetesSchedules", "open_schedules"]


class KubernetesSchedules:
    """Implements `cluster.interface.ScheduleCluster`.

    Args:
        api: it has its own check before each write.
        jobs: the jobs of the same namespaces.
        schedules: the schedules.
    """

    def __init__(self, api: ApiServer, jobs: ResourceStore[JobView], schedules: ResourceStore[ScheduleView]) -> None:
        self._jobs = OwnedJobs(api, jobs, noun="schedule", remedy="correct spec.jobTemplate", is_own=is_for_time)
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
        """Handle a schedule's deletion from a watch. Its jobs are deleted with it."""
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

    async def list_jobs_of(self, schedule: ScheduleView, *, current: bool) -> tuple[JobView, ...]:
        """See `ScheduleCluster.list_jobs_of`. The label only narrows the list: the controller's UID decides."""
        if current or not self._jobs.is_synced:
            await self._jobs.relist(schedule, f"{SCHEDULE_LABEL}={schedule.key.name}")
        return tuple(self._jobs.of(schedule))

    async def create_job(self, schedule: ScheduleView, manifest: Mapping[str, Any]) -> None:
        """See `ScheduleCluster.create_job`."""
        await self._jobs.create(schedule, manifest)

    async def delete_job_of(self, schedule: ScheduleView, name: str, uid: str) -> None:
        """See `ScheduleCluster.delete_job_of`."""
        await self._jobs.delete(schedule, name, uid)

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
    api: ApiServer, jobs: ResourceStore[JobView], namespaces: Collection[str], installation: str
) -> KubernetesSchedules:
    """Return the schedules of the served namespaces."""
    schedules = ResourceStore(SCHEDULE_KIND, api, list(namespaces), installation=installation)
    return KubernetesSchedules(api, jobs, schedules)


def is_for_time(metadata: Mapping[str, Any], schedule: ResourceView) -> bool:
    """Tell whether a job is the schedule's own, or was rendered from its file. Such a job has no controller."""
    controller = read_controller(metadata)
    if controller is not None:
        return controller.uid == schedule.uid
    return (metadata.get("labels") or {}).get(SCHEDULE_LABEL) == schedule.key.name
