"""Task pods by the job that owns them.

Rule: every change costs O(1) and wakes one job. Owners are identified by namespace and UID. So a job that is deleted
and applied again never sees the pods of the old one, and a pod that names a job of another namespace as its owner
belongs to nobody.

A pod that vanishes without the operator's doing is shown as failed for a while, because the API server removes a pod
without a node at once: nobody sees it terminate, and without a failure record it would be created again without end.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.pod_view import OwnedPod
from podreduce_operator.policy.stuck_pods import name_wait

__all__ = ["VANISHED_SECONDS", "PodIndex"]

VANISHED_SECONDS = 60.0
"""How long a vanished pod is shown. In this time its job's loop records the failure."""

Owner = tuple[str, str]
"""The namespace and the UID of a job."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """A pod that is gone, and until when it is shown (monotonic seconds)."""

    owner: Owner
    uid: str
    until: float


class PodIndex:
    """Pods by their owner; `update` is the cache's `on_change`. `clock` gives monotonic seconds.

    Attributes:
        pending: how many pods have not started, by what keeps them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.pending: Counter[str] = Counter()
        self._pods: dict[Owner, dict[str, PodView]] = {}
        self._vanished: dict[Owner, dict[str, PodView]] = {}
        self._expiring: deque[Vanished] = deque()
        self._deleted: set[str] = set()
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
        self._expire()
        self._count_pending(old, -1)
        self._count_pending(new, 1)
        if old is not None and (new is None or owner_of(old) != owner_of(new)):
            self._remove(old)
        if old is not None and new is None:
            self._note_vanished(old)
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

    def vanished_of_owner(self, namespace: str, uid: str) -> tuple[PodView, ...]:
        """Return the job's pods that somebody else deleted a moment ago, as failed."""
        self._expire()
        return tuple(self._vanished.get((namespace, uid), {}).values())

    def expect_gone(self, pod: OwnedPod) -> None:
        """Do not show the pod when it is gone, because the operator itself deletes it."""
        if pod.view.uid in self._pods.get(owner_of(pod), {}):
            self._deleted.add(pod.view.uid)

    def _count_pending(self, pod: OwnedPod | None, step: int) -> None:
        wait = None if pod is None else name_wait(pod.view)
        if wait is not None:
            self.pending[wait] += step

    def _note_vanished(self, pod: OwnedPod) -> None:
        uid, owner = pod.view.uid, owner_of(pod)
        if uid in self._deleted:
            self._deleted.discard(uid)
            return
        phase = pod.view.phase if pod.view.is_finished else PodPhase.FAILED
        self._vanished.setdefault(owner, {})[uid] = replace(pod.view, phase=phase, deleting=True, vanishes_at=None)
        self._expiring.append(Vanished(owner, uid, self._clock() + VANISHED_SECONDS))

    def _expire(self) -> None:
        now = self._clock()
        while self._expiring and self._expiring[0].until <= now:
            gone = self._expiring.popleft()
            pods = self._vanished.get(gone.owner, {})
            pods.pop(gone.uid, None)
            if not pods:
                self._vanished.pop(gone.owner, None)

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
