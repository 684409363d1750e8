"""Task pods by the job that owns them.

Rule: every change costs O(1) and wakes one job. Owners are identified by namespace and UID. So a job that is deleted
and applied again never sees the pods of the old one, and a pod that names a job of another namespace as its owner
belongs to nobody.
"""

from collections.abc import Callable, Iterable

from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodView
from podreduce_operator.pods.pod_view import OwnedPod

__all__ = ["PodIndex"]

Owner = tuple[str, str]
"""The namespace and the UID of a job."""


class PodIndex:
    """Pods by their owner; `update` is the cache's `on_change`."""

    def __init__(self) -> None:
        self._pods: dict[Owner, dict[str, PodView]] = {}
        self._wake: Callable[[JobKey], None] | None = None
        self._forget: Callable[[str], None] = lambda _: None

    def call_on_change(self, wake: Callable[[JobKey], None]) -> None:
        """Call `wake` with the job of every pod that changes from now on."""
        self._wake = wake

    def call_when_gone(self, forget: Callable[[str], None]) -> None:
        """Call `forget` with the id of every attempt that is gone, with its pod or from its pod, from now on."""
        self._forget = forget

    def update(self, old: OwnedPod | None, new: OwnedPod | None) -> None:
        """Apply a change of a pod, and wake its job."""
        if old is not None and (new is None or owner_of(old) != owner_of(new)):
            self._remove(old)
        if new is not None:
            self._pods.setdefault(owner_of(new), {})[new.view.uid] = new.view
        if old is not None and (new is None or old.view.tasks != new.view.tasks):
            self._forget_all(one for one in old.view.attempt_ids if new is None or not new.view.has_attempt(one))
        changed = new or old
        if changed is not None and self._wake is not None:
            self._wake(changed.job)

    def of_owner(self, namespace: str, uid: str) -> tuple[PodView, ...]:
        """Return the pods of the job with this UID in this namespace."""
        return tuple(self._pods.get((namespace, uid), {}).values())

    def _remove(self, pod: OwnedPod) -> None:
        pods = self._pods.get(owner_of(pod), {})
        pods.pop(pod.view.uid, None)
        if not pods:
            self._pods.pop(owner_of(pod), None)

    def _forget_all(self, attempt_ids: Iterable[str]) -> None:
        for attempt_id in attempt_ids:
            self._forget(attempt_id)


def owner_of(pod: OwnedPod) -> Owner:
    """Return the pod's job: an owner is always in its pod's own namespace."""
    return pod.job.namespace, pod.owner_uid
