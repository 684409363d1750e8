"""Implements the cluster interface of schedules for Kubernetes.

Rule: every write is safe to repeat. A job's name is a lock; a delete names the UID; a status write names the version
that it replaces.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from podreduce_operator.api.crd import API_VERSION, JOBS, SCHEDULES
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.event_recorder import EventRecorder
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import SCHEDULE_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL

__all__ = ["KubernetesSchedules", "open_schedules"]

REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


class KubernetesSchedules:
    """Implements `cluster.interface.ScheduleCluster`.

    Args:
        api: it has its own check before each write.
        jobs: the jobs of the same namespaces.
        schedules: the schedules.
    """

    def __init__(self, api: ApiServer, jobs: ResourceStore[JobView], schedules: ResourceStore[ScheduleView]) -> None:
        self._api = api
        self._jobs = jobs
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
            await self._relist(schedule)
        return tuple(self._owned_by(schedule))

    async def _relist(self, schedule: ScheduleView) -> None:
        path = custom_path(API_VERSION, JOBS.plural, schedule.key.namespace)
        try:
            found = await self._api.get(path, {"labelSelector": f"{SCHEDULE_LABEL}={schedule.key.name}"})
        except ApiError as error:
            raise unavailable(f"the jobs of the schedule {schedule.key} cannot be listed now", error) from error
        for manifest in found.get("items") or []:
            try:
                self._jobs.cache.put(manifest)
            except SpecError as error:
                # Nobody knows whether such a job has ended, so no other one is made beside it.
                message = f"the job {key_of(manifest)} is not understood: {error}; delete it, or correct its spec"
                raise ActionError("JobNotUnderstood", message, permanent=True) from error

    def _owned_by(self, schedule: ScheduleView) -> Iterator[JobView]:
        for job in self._jobs.cache.views():
            if job.controller is not None and job.controller.uid == schedule.uid:
                yield job

    async def create_job(self, schedule: ScheduleView, manifest: Mapping[str, Any]) -> None:
        """See `ScheduleCluster.create_job`."""
        path = custom_path(API_VERSION, JOBS.plural, schedule.key.namespace)
        try:
            created = await self._api.create(path, dict(manifest), {"fieldValidation": "Strict"})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise classify_refusal(error, schedule.key) from error
            created = await self._find_own(schedule, manifest["metadata"]["name"])
        self._jobs.cache.put(created)

    async def _find_own(self, schedule: ScheduleView, name: str) -> Json:
        """Return the job that already has the name, if the schedule made it, or a person by `podreduce render`."""
        try:
            found = await self._api.get(custom_path(API_VERSION, JOBS.plural, schedule.key.namespace, name))
        except ApiError as error:
            raise unavailable(f"the job {name} already exists but cannot be read now", error) from error
        if not is_for_time(found["metadata"], schedule):
            message = f"the job {schedule.key.namespace}/{name} exists and was not made by this schedule: delete it"
            raise ActionError("JobNameTaken", message, permanent=False)
        return found

    async def delete_job_of(self, schedule: ScheduleView, name: str, uid: str) -> None:
        """See `ScheduleCluster.delete_job_of`."""
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self._api.delete(custom_path(API_VERSION, JOBS.plural, schedule.key.namespace, name), body)
        except ApiError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise unavailable(f"the job {schedule.key.namespace}/{name} cannot be deleted now", error) from error

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


def is_for_time(metadata: Mapping[str, Any], schedule: ScheduleView) -> bool:
    """Tell whether a job is the schedule's own, or was rendered from its file. Such a job has no controller."""
    controller = read_controller(metadata)
    if controller is not None:
        return controller.uid == schedule.uid
    return (metadata.get("labels") or {}).get(SCHEDULE_LABEL) == schedule.key.name


def classify_refusal(error: ApiError, schedule: JobKey) -> ActionError:
    """Return the error that the schedule's author sees for a job that was not created."""
    if error.status in REFUSED:
        message = f"the job that {schedule} would make is refused: {error}; correct spec.jobTemplate"
        return ActionError("JobRefused", message, permanent=True)
    return unavailable(f"the job of {schedule} cannot be created now", error)
