"""The kinds of resources that the operator serves, and how an event of one reaches its loop.

Rule: decides nothing, and knows no kind. A kind is one entry of a list; what holds for all kinds is here: their events,
the start of their loops when this operator leads, and the end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from podreduce.contract.plan import Owner
from podreduce_operator.api.crd import ResourceNames
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources, join_listed
from podreduce_operator.leadership.standby import Standby
from podreduce_operator.loop.passes import Passes
from podreduce_operator.model.resources import JobKey, ResourceView

__all__ = ["ServedKind", "ServedKinds", "WakeController"]

Manifest = dict[str, Any]
WakeController = Callable[[str, Owner | None], None]
"""Called with the namespace and the controller of a resource that changed."""

log = structlog.get_logger(__name__)


async def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedKind:
    """A kind of resource and its loop.

    Attributes:
        names: what the API calls it.
        observe: stores a resource from a watch and returns its newest view. It raises SpecError if the spec is not
            understood and no older one is known.
        observe_deletion: forgets a resource.
        run: looks for changes that the watch misses, until cancelled. It is given what wakes the loop of a resource's
            controller.
        standby: starts passes, after this operator has begun to lead.
        passes: the loop.
        list_uids: asks the API server which resources there are, if the kind stores data.
        close: ends what else runs for the kind.
    """

    names: ResourceNames
    observe: Callable[[Manifest], ResourceView]
    observe_deletion: Callable[[Manifest], None]
    run: Callable[[WakeController], Awaitable[None]]
    standby: Standby[Any]
    passes: Passes[Any]
    list_uids: Callable[[], Awaitable[ListedResources]] | None = None
    close: Callable[[], Awaitable[None]] = nothing


class ServedKinds:
    """All kinds that are served."""

    def __init__(self, kinds: Sequence[ServedKind]) -> None:
        self._kinds = {kind.names.kind: kind for kind in kinds}

    def __iter__(self) -> Iterator[ServedKind]:
        return iter(self._kinds.values())

    async def run(self) -> None:
        """Keep what is known of all kinds up to date, until cancelled."""
        await asyncio.gather(*(kind.run(self.wake_controller) for kind in self))

    def begin_leading(self) -> None:
        """Handle all known resources of all kinds now, and every event from now on."""
        for kind in self:
            kind.standby.begin_leading()

    async def close(self) -> None:
        """Stop all loops at once, wherever they are, as a restart does."""
        await asyncio.gather(*(kind.close() for kind in self))
        await asyncio.gather(*(kind.passes.close() for kind in self))

    async def list_uids(self) -> ListedResources:
        """Ask the API server for all resources whose data is in the store.

        A namespace counts as listed only if all kinds were listed there.
        """
        listed = [await kind.list_uids() for kind in self if kind.list_uids is not None]
        return join_listed(listed)

    def handle_event(self, kind: ServedKind, event: Mapping[str, Any]) -> None:
        """Store the resource from a watch event, and wake its loop and that of the resource that made it."""
        manifest: Manifest = event["object"]
        key = key_of(manifest)
        if event["type"] == "DELETED":
            kind.observe_deletion(manifest)
        else:
            observe(kind, manifest, key)
            kind.standby.wake(key)
        self.wake_controller(key.namespace, read_controller(manifest["metadata"]))

    def wake_controller(self, namespace: str, controller: Owner | None) -> None:
        """Wake the loop of the resource that made another one, if it is of a served kind."""
        kind = None if controller is None else self._kinds.get(controller.kind)
        if controller is not None and kind is not None:
            kind.standby.wake(JobKey(namespace=namespace, name=controller.name))


def observe(kind: ServedKind, manifest: Manifest, key: JobKey) -> None:
    """Store a resource. If its spec is not understood, say so in the log; its loop says so in its status."""
    try:
        problem = kind.observe(manifest).spec_error
    except SpecError as error:
        problem = str(error)
    if problem:
        log.error("spec not understood: check the version of the CRD", **{kind.passes.kind: str(key)}, error=problem)
