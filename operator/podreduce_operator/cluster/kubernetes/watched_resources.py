"""The resources of one kind for a loop: what a watch has shown, what the API server says, their status and Events.

Rule: a request that may succeed later ends as an ActionError with the API server's message.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Generic, NoReturn

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json
from podreduce_operator.cluster.kubernetes.event_recorder import EventRecorder
from podreduce_operator.cluster.kubernetes.object_cache import uid_of
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import ViewT, key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import ResourceKind
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources, ResourceStore
from podreduce_operator.model.resources import JobKey

__all__ = ["WatchedResources"]


class WatchedResources(Generic[ViewT]):
    """The resources of one kind in the served namespaces (empty: all).

    Args:
        kind: what they are.
        api: it has its own check before each write.
        namespaces: those that are served.
        installation: the one that may write into the status of a resource that is not understood.

    Attributes:
        store: the same resources for those that list, create or delete some.
    """

    def __init__(
        self, kind: ResourceKind[ViewT], api: ApiServer, namespaces: Collection[str], *, installation: str
    ) -> None:
        self._kind = kind
        self._events = EventRecorder(api, names=kind.names)
        self.store = ResourceStore(kind, api, list(namespaces), installation=installation)

    async def run(self, on_gone: Callable[[ViewT], None] | None = None) -> NoReturn:
        """Look regularly for deletions without an event, until cancelled. `on_gone`: called with each deleted one."""
        if on_gone is not None:
            self.store.cache.call_when_gone(on_gone)
        await self.store.run()

    async def list_uids(self) -> ListedResources:
        """Ask the API server for the UIDs of all of them."""
        return await self.store.list_uids()

    def observe(self, manifest: Json) -> ViewT:
        """Handle a resource from a watch, and return its newest view.

        Raises:
            SpecError: its spec is not understood, and no older one is known.
        """
        return self.store.cache.put(manifest)

    def observe_deletion(self, manifest: Json) -> None:
        """Handle a deletion from a watch. What the resource has made is deleted with it."""
        self.store.cache.remove(key_of(manifest), uid_of(manifest))

    def known(self) -> Collection[JobKey]:
        """Return the keys of all known resources, also of those that are not understood."""
        return self.store.cache.keys()

    def knows(self, key: JobKey) -> bool:
        """Tell whether a resource with this name is known."""
        return key in self.known()

    def views(self) -> Sequence[ViewT]:
        """Return all known resources as last seen."""
        return self.store.cache.views()

    def lives(self, view: ViewT) -> bool:
        """Tell whether the resource is known and is not being deleted."""
        entry = self.store.cache.get(view.key)
        return entry is not None and entry.view.uid == view.uid and not entry.view.deleting

    async def find(self, key: JobKey) -> ViewT | None:
        """Return the resource as last seen, or None if it is gone or was never understood.

        Raises:
            ActionError: it is not known, and cannot be read now.
        """
        try:
            return await self.store.find(key)
        except ApiError as error:
            raise unavailable(f"the {self._kind.names.kind} {key} cannot be read now", error) from error

    async def write_status(self, view: ViewT, status: Mapping[str, Any]) -> bool:
        """Replace the status. Return False if the resource has changed.

        A status that may not be written is told by an event.

        Raises:
            ActionError: it cannot be written now.
        """
        try:
            return await self.store.write_status(view, status)
        except ApiError as error:
            refused = unavailable(f"the status of {view.key} cannot be written now", error)
            if error.status == HTTPStatus.FORBIDDEN:
                await self.record_event(view, "Warning", refused.reason, str(refused))
            raise refused from error

    async def record_event(self, view: ViewT, kind: str, reason: str, message: str) -> None:
        """Record an event for the resource's author. It may be dropped. `kind` is `Normal` or `Warning`."""
        await self._events.record(view, kind, reason, message)
