"""The jobs that a schedule or a pipeline makes, in Kubernetes.

Rule: every write is safe to repeat. A job's name is a lock, and deletes and patches name the UID.
"""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from podreduce_operator.api.crd import API_VERSION, JOBS
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.resources import ResourceView

__all__ = ["OwnedJobs"]

REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""The answers to a write that names the UID of a job that is gone, or has a successor with its name."""

IsOwn = Callable[[Mapping[str, Any], ResourceView], bool]
"""(metadata of a job, owner) → whether the owner made the job."""


def is_controlled(metadata: Mapping[str, Any], owner: ResourceView) -> bool:
    """Tell whether the owner is the job's controller."""
    controller = read_controller(metadata)
    return controller is not None and controller.uid == owner.uid


class OwnedJobs:
    """Creates, lists, changes and deletes the jobs of resources of another kind.

    Args:
        api: it has its own check before each write.
        jobs: the jobs of the same namespaces.
        noun: what the owner is called in messages, such as `schedule`.
        remedy: what to do if a job is refused, such as `correct spec.jobTemplate`.
        is_own: tells whether a job that already has the name was made by the owner.
    """

    def __init__(
        self,
        api: ApiServer,
        jobs: ResourceStore[JobView],
        *,
        noun: str,
        remedy: str,
        is_own: IsOwn = is_controlled,
    ) -> None:
        self._api = api
        self._jobs = jobs
        self._noun = noun
        self._remedy = remedy
        self._is_own = is_own

    @property
    def is_synced(self) -> bool:
        """Whether all jobs have been listed."""
        return self._jobs.is_synced

    def of(self, owner: ResourceView) -> Iterator[JobView]:
        """Yield the jobs of an owner as last seen."""
        for job in self._jobs.cache.views():
            if job.controller is not None and job.controller.uid == owner.uid:
                yield job

    async def relist(self, owner: ResourceView, label: str) -> None:
        """Ask the API server for the jobs that have the owner's name in a label.

        Raises:
            ActionError: it does not answer, or one of the jobs is not understood.
        """
        path = custom_path(API_VERSION, JOBS.plural, owner.key.namespace)
        try:
            found = await self._api.get(path, {"labelSelector": label})
        except ApiError as error:
            raise unavailable(f"the jobs of the {self._noun} {owner.key} cannot be listed now", error) from error
        for manifest in found.get("items") or []:
            try:
                self._jobs.cache.put(manifest)
            except SpecError as error:
                # Nobody knows whether such a job has ended, so no other one is made beside it.
                message = f"the job {key_of(manifest)} is not understood: {error}; delete it, or correct its spec"
                raise ActionError("JobNotUnderstood", message, permanent=True) from error

    async def create(self, owner: ResourceView, manifest: Mapping[str, Any]) -> None:
        """Create a job. It is done if the owner already has a job with this name.

        Raises:
            ActionError: the API server refuses the job until it is changed (permanent) or for now.
        """
        try:
            created = await self._post(owner, manifest, {})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise self._classify(error, owner) from error
            created = await self._find_own(owner, manifest["metadata"]["name"])
        self._jobs.cache.put(created)

    async def check(self, owner: ResourceView, manifest: Mapping[str, Any]) -> Json:
        """Return a job as the API server would create it. Nothing is created.

        Raises:
            ActionError: the API server refuses the job until it is changed (permanent) or for now.
        """
        try:
            return await self._post(owner, manifest, {"dryRun": "All"})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise self._classify(error, owner) from error
            return await self._find_own(owner, manifest["metadata"]["name"])

    async def _post(self, owner: ResourceView, manifest: Mapping[str, Any], query: Mapping[str, str]) -> Json:
        path = custom_path(API_VERSION, JOBS.plural, owner.key.namespace)
        return await self._api.create(path, dict(manifest), {"fieldValidation": "Strict", **query})

    async def _find_own(self, owner: ResourceView, name: str) -> Json:
        """Return the job that already has the name, if the owner made it."""
        try:
            found = await self._api.get(custom_path(API_VERSION, JOBS.plural, owner.key.namespace, name))
        except ApiError as error:
            raise unavailable(f"the job {name} already exists but cannot be read now", error) from error
        if not self._is_own(found["metadata"], owner):
            message = f"the job {owner.key.namespace}/{name} exists and was not made by this {self._noun}: delete it"
            raise ActionError("JobNameTaken", message, permanent=False)
        return found

    async def change(self, owner: ResourceView, name: str, uid: str, fields: Mapping[str, Any]) -> None:
        """Set fields in the spec of the job with this name and UID. It is done if the job is gone.

        Raises:
            ActionError: it cannot be changed now.
        """
        body: Json = {"metadata": {"uid": uid}, "spec": dict(fields)}
        try:
            changed = await self._api.patch(self._path(owner, name), body)
        except ApiError as error:
            if error.status in GONE:
                return
            raise unavailable(f"the job {owner.key.namespace}/{name} cannot be changed now", error) from error
        self._jobs.cache.put(changed)

    async def delete(self, owner: ResourceView, name: str, uid: str) -> None:
        """Delete the job with this name and UID. It is done if the job is gone.

        Raises:
            ActionError: it cannot be deleted now.
        """
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self._api.delete(self._path(owner, name), body)
        except ApiError as error:
            if error.status not in GONE:
                raise unavailable(f"the job {owner.key.namespace}/{name} cannot be deleted now", error) from error

    def _path(self, owner: ResourceView, name: str) -> str:
        return custom_path(API_VERSION, JOBS.plural, owner.key.namespace, name)

    def _classify(self, error: ApiError, owner: ResourceView) -> ActionError:
        """Return the error that the owner's author sees for a job that was not created."""
        if error.status in REFUSED:
            message = f"the job that {owner.key} would make is refused: {error}; {self._remedy}"
            return ActionError("JobRefused", message, permanent=True)
        return unavailable(f"the job of {owner.key} cannot be created now", error)
