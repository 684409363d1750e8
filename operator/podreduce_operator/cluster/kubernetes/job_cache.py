"""MapReduceJobs as last seen, by name.

Rule: the newest resource version wins, from the watch, a GET or the answer to a status write. If a name comes back with
another UID, the old job has ended and a new one has started.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podreduce_operator.api.spec import decode_spec
from podreduce_operator.cluster.kubernetes.api import Json
from podreduce_operator.cluster.kubernetes.object_cache import uid_of, version_of
from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["JobCache", "JobEntry", "key_of", "parse_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEntry:
    """A job as seen at a resource version."""

    view: JobView
    version: int


class JobCache:
    """Jobs by namespace and name, with one UID for each name."""

    def __init__(self) -> None:
        self._entries: dict[JobKey, JobEntry] = {}
        self._on_gone: Callable[[JobView], None] | None = None

    def call_when_gone(self, on_gone: Callable[[JobView], None]) -> None:
        """Call `on_gone` with every job that is found to be gone from now on."""
        self._on_gone = on_gone

    def get(self, key: JobKey) -> JobEntry | None:
        """Return the job as last seen."""
        return self._entries.get(key)

    def put(self, manifest: Json) -> JobView:
        """Store a job from the API and return its newest view.

        Raises:
            SpecError: its spec is invalid. The CRD's schema should have refused it.
        """
        key, version = key_of(manifest), version_of(manifest)
        known = self._entries.get(key)
        if known is None or known.version < version:
            entry = JobEntry(view=parse_job(manifest, key), version=version)
            if known is not None and known.view.uid != entry.view.uid:
                self.remove(key, known.view.uid)
            self._entries[key] = known = entry
        return known.view

    def remove(self, key: JobKey, uid: str) -> None:
        """Forget the job with this UID, if it is known. A new job with the same name stays."""
        known = self._entries.get(key)
        if known is None or known.view.uid != uid:
            return
        del self._entries[key]
        if self._on_gone is not None:
            self._on_gone(known.view)

    def views(self) -> Sequence[JobView]:
        """Return all known jobs."""
        return [entry.view for entry in self._entries.values()]

    def uids(self) -> Mapping[JobKey, str]:
        """Return the UID of every known job."""
        return {key: entry.view.uid for key, entry in self._entries.items()}


def key_of(manifest: Mapping[str, Any]) -> JobKey:
    """Return the key of the job in a manifest."""
    metadata = manifest["metadata"]
    return JobKey(namespace=metadata["namespace"], name=metadata["name"])


def parse_job(manifest: Json, key: JobKey) -> JobView:
    """Return the job's view."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    return JobView(
        key=key,
        uid=uid_of(manifest),
        generation=int(metadata.get("generation") or 0),
        spec=decode_spec(spec),
        raw_spec=spec,
        status=manifest.get("status") or {},
        labels=metadata.get("labels") or {},
        deleting=bool(metadata.get("deletionTimestamp")),
    )
