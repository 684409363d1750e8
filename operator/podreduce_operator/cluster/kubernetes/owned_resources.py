"""The jobs and pipelines that a schedule makes, and the jobs that a pipeline makes, in Kubernetes.

Rule: every write is safe to repeat. A name is a lock, and deletes and patches name the UID.
"""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Generic

from podreduce_operator.api.crd import API_VERSION
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import ViewT, key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import ResourceKind
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.resources import ResourceView

__all__ = ["OwnedResources"]

REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""The answers to a write that names the UID of a resource that is gone, or has a successor with its name."""

IsOwn = Callable[[Mapping[str, Any], ResourceView], bool]
"""(metadata of a resource, owner) → whether the owner made the resource."""


def is_controlled(metadata: Mapping[str, Any], owner: ResourceView) -> bool:
    """Tell whether the owner is the resource's controller."""
    controller = read_controller(metadata)
    return controller is not None and controller.uid == owner.uid


class OwnedResources(Generic[ViewT]):
    """Creates, lists, changes and deletes the resources of one kind that those of another kind make.

    Args:
        api: it has its own check before each write.
        kind: what is made, such as jobs.
        made: the resources of this kind in the same namespaces.
        owner_noun: what the owner is called in messages, such as `schedule`.
        remedy: what to do if a resource is refused, such as `correct spec.jobTemplate`.
        is_own: tells whether a resource that already has the name was made by the owner.
    """

    def __init__(
        self,
        api: ApiServer,
        kind: ResourceKind[ViewT],
        made: ResourceStore[ViewT],
        *,
        owner_noun: str,
        remedy: str,
        is_own: IsOwn = is_controlled,
    ) -> None:
        self._api = api
        self._noun = kind.noun
        self._plural = kind.names.plural
        self._made = made
        self._owner_noun = owner_noun
        self._remedy = remedy
        self._is_own = is_own

    @property
    def is_synced(self) -> bool:
        """Whether all of them have been listed."""
        return self._made.is_synced

    def of(self, owner: ResourceView) -> Iterator[ViewT]:
        """Yield what an owner made, as last seen."""
        return self.made_by(owner.uid)

    def made_by(self, uid: str) -> Iterator[ViewT]:
        """Yield what the owner with this UID made, as last seen. The owner may be gone."""
        for view in self._made.cache.views():
            if view.controller is not None and view.controller.uid == uid:
                yield view

    async def relist(self, owner: ResourceView, label: str) -> None:
        """Ask the API server for the resources that have the owner's name in a label.

        Raises:
            ActionError: it does not answer, or one of them is not understood.
        """
        path = custom_path(API_VERSION, self._plural, owner.key.namespace)
        try:
            found = await self._api.get(path, {"labelSelector": label})
        except ApiError as error:
            raise unavailable(
                f"the {self._noun}s of the {self._owner_noun} {owner.key} cannot be listed now", error
            ) from error
        for manifest in found.get("items") or []:
            try:
                self._made.cache.put(manifest)
            except SpecError as error:
                # Nobody knows whether it has ended, so no other one is made beside it.
                message = (
                    f"the {self._noun} {key_of(manifest)} is not understood: {error}; delete it, or correct its spec"
                )
                raise ActionError("JobNotUnderstood", message, permanent=True) from error

    async def create(self, owner: ResourceView, manifest: Mapping[str, Any]) -> None:
        """Create a resource. It is done if the owner already has one with this name.

        Raises:
            ActionError: the API server refuses it until it is changed (permanent) or for now.
        """
        try:
            created = await self._post(owner, manifest, {})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise self._classify(error, owner) from error
            created = await self._find_own(owner, manifest["metadata"]["name"])
        self._made.cache.put(created)

    async def check(self, owner: ResourceView, manifest: Mapping[str, Any]) -> Json:
        """Return a resource as the API server would create it. Nothing is created.

        Raises:
            ActionError: the API server refuses it until it is changed (permanent) or for now.
        """
        try:
            return await self._post(owner, manifest, {"dryRun": "All"})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise self._classify(error, owner) from error
            return await self._find_own(owner, manifest["metadata"]["name"])

    async def _post(self, owner: ResourceView, manifest: Mapping[str, Any], query: Mapping[str, str]) -> Json:
        path = custom_path(API_VERSION, self._plural, owner.key.namespace)
        return await self._api.create(path, dict(manifest), {"fieldValidation": "Strict", **query})

    async def _find_own(self, owner: ResourceView, name: str) -> Json:
        """Return the resource that already has the name, if the owner made it."""
        try:
            found = await self._api.get(self._path(owner, name))
        except ApiError as error:
            raise unavailable(f"the {self._noun} {name} already exists but cannot be read now", error) from error
        if not self._is_own(found["metadata"], owner):
            message = (
                f"the {self._noun} {owner.key.namespace}/{name} exists and was not made by this {self._owner_noun}: "
                "delete it"
            )
            raise ActionError("JobNameTaken", message, permanent=False)
        return found

    async def change(self, owner: ResourceView, name: str, uid: str, fields: Mapping[str, Any]) -> None:
        """Set fields in the spec of the resource with this name and UID. It is done if it is gone.

        Raises:
            ActionError: it cannot be changed now.
        """
        body: Json = {"metadata": {"uid": uid}, "spec": dict(fields)}
        try:
            changed = await self._api.patch(self._path(owner, name), body)
        except ApiError as error:
            if error.status in GONE or names_successor(error):
                return
            raise unavailable(f"the {self._noun} {owner.key.namespace}/{name} cannot be changed now", error) from error
        self._made.cache.put(changed)

    async def delete(self, owner: ResourceView, name: str, uid: str) -> None:
        """Delete the resource with this name and UID. It is done if it is gone.

        Raises:
            ActionError: it cannot be deleted now.
        """
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self._api.delete(self._path(owner, name), body)
        except ApiError as error:
            if error.status not in GONE:
                message = f"the {self._noun} {owner.key.namespace}/{name} cannot be deleted now"
                raise unavailable(message, error) from error

    def _path(self, owner: ResourceView, name: str) -> str:
        return custom_path(API_VERSION, self._plural, owner.key.namespace, name)

    def _classify(self, error: ApiError, owner: ResourceView) -> ActionError:
        """Return the error that the owner's author sees for what was not created."""
        if error.status in REFUSED:
            message = f"the {self._noun} that {owner.key} would make is refused: {error}; {self._remedy}"
            return ActionError("JobRefused", message, permanent=True)
        return unavailable(f"the {self._noun} of {owner.key} cannot be created now", error)


def names_successor(error: ApiError) -> bool:
    """Tell whether a patch with a UID met another one's resource. The API server takes it for a change of the UID."""
    return error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "metadata.uid" in str(error)
