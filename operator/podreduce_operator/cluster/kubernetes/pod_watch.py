"""Watches all task pods of the served namespaces.

Rule: reads never go to the API server. They are answered from the reflectors' caches, after the first listings.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from podreduce_operator.cluster.kubernetes.api import ApiServer, Json, core_path
from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache
from podreduce_operator.cluster.kubernetes.pod_index import PodIndex
from podreduce_operator.cluster.kubernetes.reflector import Reflector
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodView
from podreduce_operator.pods.pod_names import managed_selector
from podreduce_operator.pods.pod_view import OwnedPod, parse_pod

__all__ = ["PodWatch"]


class PodWatch:
    """One reflector for each namespace, or one for all (`namespaces` empty)."""

    def __init__(self, api: ApiServer, namespaces: Sequence[str]) -> None:
        self._index = PodIndex()
        places: Sequence[str | None] = namespaces or (None,)
        self._reflectors = {place: self._reflector(api, place) for place in places}

    async def run(self, wake: Callable[[JobKey], None], forget: Callable[[str], None]) -> None:
        """Watch until cancelled.

        Args:
            wake: called with the job of every pod that changed.
            forget: called with the id of every attempt whose pod is gone.
        """
        self._index.call_on_change(wake)
        self._index.call_when_gone(forget)
        await asyncio.gather(*(reflector.run() for reflector in self._reflectors.values()))

    async def pods_of(self, namespace: str, owner_uid: str) -> tuple[PodView, ...]:
        """Return the pods of the namespace's job with this UID. Waits for the first listing.

        Raises:
            ApiError: the pods there could not be listed yet, or may not be listed or watched now.
        """
        reflector = self._reflectors.get(namespace) or self._reflectors.get(None)
        if reflector is not None:
            await reflector.ready()
        return self._index.of_owner(namespace, owner_uid)

    def vanished_of(self, namespace: str, owner_uid: str) -> tuple[PodView, ...]:
        """Return the job's pods that somebody else deleted a moment ago, as failed."""
        return self._index.vanished_of_owner(namespace, owner_uid)

    def expect_gone(self, uid: str) -> None:
        """Note that the operator itself deletes the pod."""
        pod = self.find(uid)
        if pod is not None:
            self._index.expect_gone(pod)

    def find(self, uid: str) -> OwnedPod | None:
        """Return the pod with this UID, if it is known."""
        found = (reflector.cache.get(uid) for reflector in self._reflectors.values())
        return next((pod for pod in found if pod is not None), None)

    def remember(self, namespace: str, manifest: Json) -> None:
        """Store the answer to one of the operator's writes, before the watch shows it."""
        reflector = self._reflectors.get(namespace) or self._reflectors.get(None)
        if reflector is not None:
            reflector.cache.remember(manifest)

    @property
    def pending(self) -> Mapping[str, int]:
        """How many pods have not started, by what keeps them."""
        return self._index.pending

    @property
    def is_synced(self) -> bool:
        """Whether every listing has been made, but for single namespaces that may not be listed."""
        return all(
            reflector.synced.is_set() or (place is not None and reflector.is_forbidden)
            for place, reflector in self._reflectors.items()
        )

    def seconds_since_contact(self) -> float:
        """Return how long ago the most silent watch last heard anything."""
        return max(reflector.seconds_since_contact() for reflector in self._reflectors.values())

    def _reflector(self, api: ApiServer, place: str | None) -> Reflector[OwnedPod]:
        path = core_path("pods", place)
        return Reflector(
            ObjectCache(parse_pod, self._index.update),
            name=f"pods in {place or 'all namespaces'}",
            list_page=partial(api.get, path),
            watch=partial(api.watch, path),
            selector=managed_selector(),
        )
