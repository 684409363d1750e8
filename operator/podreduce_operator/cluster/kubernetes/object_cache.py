"""The objects of one resource, from lists, watches and the answers to the operator's own writes.

Rule: no I/O, no waiting. Resource versions are whole numbers that only grow. The API guarantees this since Kubernetes
1.35, and it has always been true for etcd. So it is always known what is newer. A write's answer counts until the watch
has passed it. A listing never overwrites newer objects. An object that is missing in a listing was deleted.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from podreduce_operator.cluster.kubernetes.api import Json

__all__ = ["ObjectCache"]

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """An object as last seen, and its resource version."""

    version: int
    value: T


class ObjectCache(Generic[T]):
    """Objects by UID.

    Args:
        parse: turns a manifest into the value to keep; None means that it is not kept.
        on_change: called once per change with the old and the new value; None means absent.
    """

    def __init__(self, parse: Callable[[Json], T | None], on_change: Callable[[T | None, T | None], None]) -> None:
        self._parse = parse
        self._on_change = on_change
        self._entries: dict[str, Entry[T]] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, uid: str) -> T | None:
        """Return the object with this UID, if it is known."""
        entry = self._entries.get(uid)
        return None if entry is None else entry.value

    def take_page(self, manifests: Iterable[Json]) -> set[str]:
        """Store one page of a listing and return the UIDs in it."""
        listed: set[str] = set()
        for manifest in manifests:
            listed.add(uid_of(manifest))
            self._put(manifest)
        return listed

    def finish_listing(self, listed: Collection[str], version: int) -> None:
        """End a listing made at `version`. Objects that are not in it and are not newer are gone."""
        gone = [uid for uid, entry in self._entries.items() if uid not in listed and entry.version <= version]
        for uid in gone:
            self._drop(uid)
        self.version = max(self.version, version)

    def apply(self, event: Json) -> None:
        """Apply a watch event. Bookmarks only update the version."""
        manifest = event["object"]
        if event["type"] == "DELETED":
            self._drop(uid_of(manifest))
        elif event["type"] in {"ADDED", "MODIFIED"}:
            self._put(manifest)
        self.version = max(self.version, version_of(manifest))

    def remember(self, manifest: Json) -> None:
        """Store the answer to one of the operator's writes, unless the watch is already newer."""
        if version_of(manifest) > self.version:
            self._put(manifest)

    def _put(self, manifest: Json) -> None:
        uid, version = uid_of(manifest), version_of(manifest)
        known = self._entries.get(uid)
        if known is not None and known.version >= version:
            return
        value = self._parse_or_none(manifest)
        if value is None:
            self._drop(uid)
            return
        self._entries[uid] = Entry(version, value)
        self._on_change(None if known is None else known.value, value)

    def _parse_or_none(self, manifest: Json) -> T | None:
        """Return the value to keep; None also if it cannot be parsed. Who wrote that stops nobody else's watch."""
        try:
            return self._parse(manifest)
        except Exception:
            log.exception("object left out: it cannot be parsed", uid=uid_of(manifest), version=version_of(manifest))
            return None

    def _drop(self, uid: str) -> None:
        known = self._entries.pop(uid, None)
        if known is not None:
            self._on_change(known.value, None)


def uid_of(manifest: Json) -> str:
    """Return the object's UID."""
    return str(manifest["metadata"]["uid"])


def version_of(manifest: Json) -> int:
    """Return the resource version of an object or a list."""
    return int(manifest["metadata"]["resourceVersion"])
