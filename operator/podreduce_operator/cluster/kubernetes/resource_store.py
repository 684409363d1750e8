"""Reads the resources of one kind by a first listing, the watch and GETs, and writes their status.

Rule: a status write names the version that it read, so it never overwrites an unseen change. Its answer becomes the
newest view at once, with the status as it was sent: if the CRD in the cluster is older and drops a field, the status
would otherwise be written again and again. A listing once a minute finds deletions that the watch missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, NoReturn

import structlog

from podreduce_operator.api.crd import API_VERSION
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.object_cache import uid_of
from podreduce_operator.cluster.kubernetes.resource_cache import ResourceCache, ResourceEntry, ViewT, key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import ResourceKind
from podreduce_operator.model.resources import JobKey
from podreduce_operator.policy.run_state import read_installation
from podreduce_operator.policy.status import with_spec_error

__all__ = ["ListedResources", "ResourceStore", "join_listed"]

RESYNC_SECONDS = 60.0
RETRY_SECONDS = 2.0
PAGE_SIZE = 500
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedResources:
    """The resources that the API server lists, and where it was asked.

    Attributes:
        uids: their UIDs.
        places: the namespaces whose listing succeeded; None stands for all.
    """

    uids: frozenset[str]
    places: frozenset[str | None]

    def is_gone(self, namespace: str, uid: str) -> bool:
        """Tell whether there certainly is no such resource: its namespace was listed without it."""
        return uid not in self.uids and bool(self.places & {namespace, None})


def join_listed(listed: Sequence[ListedResources]) -> ListedResources:
    """Return the resources of several kinds. A place counts only if all kinds were listed there."""
    uids = frozenset[str]().union(*(each.uids for each in listed))
    places = frozenset.intersection(*(each.places for each in listed)) if listed else frozenset[str | None]()
    return ListedResources(uids=uids, places=places)


class ResourceStore(Generic[ViewT]):
    """The resources of one kind in the served namespaces (empty: all)."""

    def __init__(
        self,
        kind: ResourceKind[ViewT],
        api: ApiServer,
        namespaces: Sequence[str],
        *,
        installation: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._api = api
        self._installation = installation
        self._places: Sequence[str | None] = namespaces or (None,)
        self._clock = clock
        self._contact_at = clock()
        self.cache = ResourceCache(kind.parse)
        self.is_synced = False

    def seconds_since_contact(self) -> float:
        """Return how long ago the resources were last listed."""
        return self._clock() - self._contact_at

    async def find(self, key: JobKey) -> ViewT | None:
        """Return the resource as last seen, or read it from the API server if it was never seen."""
        entry = self.cache.get(key)
        return entry.view if entry else await self.refresh(key)

    async def refresh(self, key: JobKey) -> ViewT | None:
        """Read the resource from the API server. If it is not understood, its status says so, and it counts as gone."""
        try:
            manifest = await self._api.get(self._path(key))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._forget(key)
            return None
        try:
            return self.cache.put(manifest)
        except SpecError as error:
            await self._report(manifest, str(error))
            return None

    async def _report(self, manifest: Json, error: str) -> None:
        """Write into a resource's status why its spec is not understood, if it does not say so yet.

        One of another installation is left alone.
        """
        status = manifest.get("status") or {}
        if read_installation(status) not in {None, self._installation}:
            return
        told = with_spec_error(status, error, int(manifest["metadata"].get("generation") or 0), time.time())
        if told == status:
            return
        try:
            await self._api.replace(self._path(key_of(manifest), "status"), {**manifest, "status": told})
        except ApiError as failure:
            log.warning("status not written", **{self._kind.noun: str(key_of(manifest))}, error=str(failure))

    def _forget(self, key: JobKey) -> None:
        self.cache.forget_unread(key)
        known = self.cache.get(key)
        if known is not None:
            self.cache.remove(key, known.view.uid)

    async def write_status(self, view: ViewT, status: Mapping[str, Any]) -> bool:
        """Replace the status of a resource. Return False if it has changed since it was read."""
        entry = self.cache.get(view.key)
        if entry is None or entry.view != view:
            await self.refresh(view.key)
            return False
        body = build_status_body(self._kind.names.kind, entry, status)
        try:
            answer = await self._api.replace(self._path(view.key, "status"), body)
        except ApiError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise
            await self.refresh(view.key)
            return False
        self.cache.put(answer, sent=dict(status))
        return True

    async def delete(self, view: ViewT) -> bool:
        """Delete a resource, unless it has changed since it was read: a new runId may have come. Tell if it is done."""
        entry = self.cache.get(view.key)
        if entry is None or entry.view != view:
            await self.refresh(view.key)
            return False
        preconditions = {"uid": view.uid, "resourceVersion": str(entry.version)}
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        try:
            await self._api.delete(self._path(view.key), body)
        except ApiError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise
            await self.refresh(view.key)
            return False
        return True

    async def run(self) -> NoReturn:
        """List the resources, and then regularly look for deletions without an event, until cancelled."""
        while True:
            try:
                await (self.resync() if self.is_synced else self.take_listing())
                self._contact_at = self._clock()
            except ApiError as error:
                log.warning("resources not listed", kind=self._kind.names.plural, error=str(error))
            await asyncio.sleep(RESYNC_SECONDS if self.is_synced else RETRY_SECONDS)

    async def take_listing(self) -> None:
        """List and store all resources. The loop reports those that are not understood.

        A namespace that may not be listed, or is gone, does not keep the others waiting.
        """
        for place in self._places:
            with skipping_forbidden(self._kind.names.plural, place):
                async for manifest in self._list(place):
                    with suppress(SpecError):
                        self.cache.put(manifest)
        self.is_synced = True

    async def resync(self) -> None:
        """Forget each known resource that the API server does not list."""
        known = self.cache.uids()
        listed = await self.list_uids()
        for key, uid in known.items():
            if listed.is_gone(key.namespace, uid):
                log.info("deletion noticed late", **{self._kind.noun: str(key)}, uid=uid)
                self.cache.remove(key, uid)

    async def list_uids(self) -> ListedResources:
        """Ask the API server for the UIDs of all resources. Namespaces that may not be listed are left out."""
        uids: set[str] = set()
        places: set[str | None] = set()
        for place in self._places:
            with skipping_forbidden(self._kind.names.plural, place):
                uids.update([uid_of(item) async for item in self._list(place, accept=METADATA_ONLY)])
                places.add(place)
        return ListedResources(uids=frozenset(uids), places=frozenset(places))

    async def _list(self, place: str | None, *, accept: str = "") -> AsyncIterator[Json]:
        query = {"limit": str(PAGE_SIZE)}
        while True:
            page = await self._api.get(custom_path(API_VERSION, self._kind.names.plural, place), query, accept=accept)
            for item in page.get("items") or []:
                yield item
            if not (token := page["metadata"].get("continue")):
                return
            query = {**query, "continue": token}

    def _path(self, key: JobKey, subresource: str = "") -> str:
        """Return a resource's path in the API."""
        return custom_path(API_VERSION, self._kind.names.plural, key.namespace, key.name, subresource)


@contextmanager
def skipping_forbidden(plural: str, place: str | None) -> Iterator[None]:
    """Log that a namespace may not be listed, and go on. If all namespaces are served, this is an error."""
    try:
        yield
    except ApiError as error:
        if place is None or not error.hides_namespace:
            raise
        remedy = "correct namespaces or the rights there"
        log.warning("resources not listed", kind=plural, remedy=remedy, namespace=place, error=str(error))


def build_status_body(kind: str, entry: ResourceEntry[ViewT], status: Mapping[str, Any]) -> Json:
    """Return the body of a status write. The API server ignores everything except the status."""
    key = entry.view.key
    metadata = {
        "name": key.name,
        "namespace": key.namespace,
        "uid": entry.view.uid,
        "resourceVersion": str(entry.version),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": metadata,
        "spec": entry.view.raw_spec,
        "status": dict(status),
    }
