"""Holds the events of a kind back until this operator leads. A standby only remembers which resources were deleted.

Rule: one for each kind of resource. Leading begins once and does not end: an operator that loses its lease ends its
process.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from podreduce_operator.model.resources import JobKey, ResourceView

__all__ = ["Standby"]

ViewT = TypeVar("ViewT", bound=ResourceView)

REMEMBERED_SECONDS = 300.0
"""How long a standby remembers a deleted job.

This is longer than the leader needs to remove the job's data; it waits two minutes for the job's pods. So if the leader
is lost during that, nothing is left. The sweeper removes older data.
"""


class Standby(Generic[ViewT]):
    """Passes events from the watches to the loop of a kind, as soon as this operator leads.

    Args:
        wake: starts a pass for a resource.
        known: returns the keys of all resources of the kind.
        remove: starts to remove what a deleted resource stored. Does nothing if this is already done, or if the kind
            stores nothing.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        wake: Callable[[JobKey], None],
        known: Callable[[], Iterable[JobKey]],
        remove: Callable[[ViewT], None] = lambda _view: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wake = wake
        self._remove = remove
        self._known = known
        self._clock = clock
        self._leads = False
        self._deleted: deque[tuple[float, ViewT]] = deque()

    def begin_leading(self) -> None:
        """Handle all known resources now, and every event from now on."""
        self._leads = True
        self._forget_old()
        while self._deleted:
            self._remove(self._deleted.popleft()[1])
        for key in list(self._known()):
            self._wake(key)

    def wake(self, key: JobKey) -> None:
        """Handle a change of a resource."""
        if self._leads:
            self._wake(key)

    def remove(self, view: ViewT) -> None:
        """Handle the deletion of a resource."""
        if self._leads:
            self._remove(view)
            return
        self._forget_old()
        self._deleted.append((self._clock(), view))

    def _forget_old(self) -> None:
        while self._deleted and self._deleted[0][0] < self._clock() - REMEMBERED_SECONDS:
            self._deleted.popleft()
