"""Task pods by the job that owns them.

Rule: every change costs O(1) and wakes one job. Owners are identified by UID, so a job that is deleted and applied
again never sees the pods of the old one.
"""

from collections.abc import Callable

from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodView
from podreduce_operator.pods.pod_view import OwnedPod

__all__ = ["PodIndex"]


class PodIndex:
    """Pods by owner's UID; `update` is the cache's `on_change`."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, PodView]] = {}
        self._wake: Callable[[JobKey], None] | None = None
        self._forget: Callable[[str], None] = lambda _: None

    def call_on_change(self, wake: Callable[[JobKey], None]) -> None:
        """Call `wake` with the job of every pod that changes from now on."""
        self._wake = wake

    def call_when_gone(self, forget: Callable[[str], None]) -> None:
        """Call `forget` with the id of every attempt whose pod is gone from now on."""
        self._forget = forget

    def update(self, old: OwnedPod | None, new: OwnedPod | None) -> None:
        """Apply a change of a pod, and wake its job."""
        if new is not None:
            self._pods.setdefault(new.owner_uid, {})[new.view.uid] = new.view
        elif old is not None:
            self._remove(old)
        changed = new or old
        if changed is not None and self._wake is not None:
            self._wake(changed.job)

    def of_owner(self, uid: str) -> tuple[PodView, ...]:
        """Return the pods of the job with this UID."""
        return tuple(self._pods.get(uid, {}).values())

    def _remove(self, pod: OwnedPod) -> None:
        pods = self._pods.get(pod.owner_uid, {})
        pods.pop(pod.view.uid, None)
        for attempt_id in pod.view.attempt_ids:
            self._forget(attempt_id)
        if not pods:
            self._pods.pop(pod.owner_uid, None)
