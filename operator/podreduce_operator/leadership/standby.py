"""The duties of the leader: reconcile jobs, and remove what deleted jobs stored. A standby remembers deleted jobs.

Rule: the duties begin once and do not end. An operator that loses its lease ends its process.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["Standby"]

REMEMBERED_SECONDS = 300.0
"""How long a standby remembers a deleted job.

This is longer than the leader needs to remove the job's data; it waits two minutes for the job's pods. So if the leader
is lost during that, nothing is left. The sweeper removes older data.
"""


class Standby:
    """Passes events from the watches to the loop, after the duties have begun.

    Args:
        wake: starts a pass for a job.
        remove: starts to remove what a deleted job stored. Does nothing if this is already done.
        known_jobs: returns the keys of all jobs.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        wake: Callable[[JobKey], None],
        remove: Callable[[JobView], None],
        known_jobs: Callable[[], Iterable[JobKey]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wake = wake
        self._remove = remove
        self._known_jobs = known_jobs
        self._clock = clock
        self._have_begun = False
        self._deleted: deque[tuple[float, JobView]] = deque()

    def begin(self) -> None:
        """Begin the duties: handle all known jobs now, and every event from now on."""
        self._have_begun = True
        self._forget_old()
        while self._deleted:
            self._remove(self._deleted.popleft()[1])
        for key in list(self._known_jobs()):
            self._wake(key)

    def wake(self, key: JobKey) -> None:
        """Handle a change of a job."""
        if self._have_begun:
            self._wake(key)

    def remove(self, job: JobView) -> None:
        """Handle the deletion of a job."""
        if self._have_begun:
            self._remove(job)
            return
        self._forget_old()
        self._deleted.append((self._clock(), job))

    def _forget_old(self) -> None:
        while self._deleted and self._deleted[0][0] < self._clock() - REMEMBERED_SECONDS:
            self._deleted.popleft()
