"""The resources of one kind as last seen, by name.

Rule: the newest resource version wins, from the watch, a GET or the answer to a status write. A write that changes
nothing that is stored keeps the version, and its answer counts too. If a name comes back with another UID, the old
resource has ended and a new one has started.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.api import Json
from podreduce_operator.cluster.kubernetes.object_cache import uid_of, version_of
from podreduce_operator.model.resources import JobKey, ResourceView

__all__ = ["Parse", "ResourceCache", "ResourceEntry", "ViewT", "key_of"]

ViewT = TypeVar("ViewT", bound=ResourceView)

Parse = Callable[[Json, JobKey], ViewT]
"""Makes the view of a manifest. It raises SpecError if the spec is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A status as it was sent, and what the API server made of it: it drops fields that its CRD does not know."""

    sent: Mapping[str, Any]
    stored: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEntry(Generic[ViewT]):
    """A resource as seen at a version, and the last status that was written."""

    view: ViewT
    version: int
    written: Written | None = None


class ResourceCache(Generic[ViewT]):
    """Resources by namespace and name, with one UID for each name."""

    def __init__(self, parse: Parse[ViewT]) -> None:
        self._parse = parse
        self._entries: dict[JobKey, ResourceEntry[ViewT]] = {}
        self._unread: dict[JobKey, str] = {}
        self._on_gone: Callable[[ViewT], None] | None = None

    def call_when_gone(self, on_gone: Callable[[ViewT], None]) -> None:
        """Call `on_gone` with every resource that is found to be gone from now on."""
        self._on_gone = on_gone

    def get(self, key: JobKey) -> ResourceEntry[ViewT] | None:
        """Return the resource as last seen."""
        return self._entries.get(key)

    def put(self, manifest: Json, *, sent: Mapping[str, Any] | None = None) -> ViewT:
        """Store a resource from the API and return its newest view.

        A known resource whose new spec is not understood keeps its last spec, and its view says so.

        Args:
            manifest: the resource.
            sent: the status that was sent, if this is the answer. The view shows it until the status changes.

        Raises:
            SpecError: the spec of a resource that is not known is not understood.
        """
        key, version = key_of(manifest), version_of(manifest)
        known = self._entries.get(key)
        same = known if known is not None and known.view.uid == uid_of(manifest) else None
        is_answer = sent is not None and same is not None and same.version == version
        if known is None or known.version < version or is_answer:
            self._unread.pop(key, None)
            try:
                entry = build_entry(self._parse, manifest, same, sent)
            except SpecError:
                self._unread[key] = uid_of(manifest)
                if known is not None:
                    self.remove(key, known.view.uid)
                raise
            if known is not None and known.view.uid != entry.view.uid:
                self.remove(key, known.view.uid)
            self._entries[key] = known = entry
        return known.view

    def remove(self, key: JobKey, uid: str) -> None:
        """Forget the resource with this UID, if it is known. A new one with the same name stays."""
        if self._unread.get(key) == uid:
            del self._unread[key]
        known = self._entries.get(key)
        if known is None or known.view.uid != uid:
            return
        del self._entries[key]
        if self._on_gone is not None:
            self._on_gone(known.view)

    def forget_unread(self, key: JobKey) -> None:
        """Forget the resource that is not understood, because it is gone."""
        self._unread.pop(key, None)

    def is_unread(self, key: JobKey, uid: str) -> bool:
        """Tell whether the resource with this UID is there, but its spec is not understood and never was."""
        return self._unread.get(key) == uid

    def keys(self) -> set[JobKey]:
        """Return the keys of all resources, also of those that are not understood."""
        return {*self._entries, *self._unread}

    def views(self) -> Sequence[ViewT]:
        """Return all known resources."""
        return [entry.view for entry in self._entries.values()]

    def uids(self) -> Mapping[JobKey, str]:
        """Return the UID of every known resource."""
        return {key: entry.view.uid for key, entry in self._entries.items()}


def key_of(manifest: Mapping[str, Any]) -> JobKey:
    """Return the key of the resource in a manifest."""
    metadata = manifest["metadata"]
    return JobKey(namespace=metadata["namespace"], name=metadata["name"])


def build_entry(
    parse: Parse[ViewT], manifest: Json, known: ResourceEntry[ViewT] | None, sent: Mapping[str, Any] | None
) -> ResourceEntry[ViewT]:
    """Return the entry that follows `known`, an older one of the same resource.

    Raises:
        SpecError: the spec is not understood, and there is no older one.
    """
    key = key_of(manifest)
    try:
        view = parse(manifest, key)
    except SpecError as error:
        if known is None:
            raise
        view = replace(
            known.view,
            status=manifest.get("status") or {},
            deleting=bool(manifest["metadata"].get("deletionTimestamp")),
            spec_error=str(error),
        )
    written = None if known is None else known.written
    if sent is not None:
        written = Written(sent=sent, stored=view.status)
    if written is not None and written.stored == view.status:
        return ResourceEntry(view=replace(view, status=written.sent), version=version_of(manifest), written=written)
    return ResourceEntry(view=view, version=version_of(manifest))
