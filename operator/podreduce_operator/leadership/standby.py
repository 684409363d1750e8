"""What only the leader does: jobs are reconciled, and what deleted ones stored is removed. A standby keeps note of it.

Rule: duties begin once and do not end; an operator that loses its lease ends as a process.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["Standby"]

REMEMBERED_SECONDS = 300.0
"""How long a standby remembers a deleted job: longer than its leader takes to remove what that stored (it waits two
minutes for the job's pods), so that a leader lost amid that leaves nothing. Whatever is older is the sweeper's."""


class Standby:
    """Passes on to the loop what the watches show, from the beginning of the duties on.

    Args:
        wake: has a job reconciled.
        remove: starts to remove what a deleted job stored; done already, that does nothing.
        known_jobs: returns all jobs that there are.
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
        """Do all that there is to do, and from now on whatever comes."""
        self._have_begun = True
        self._forget_old()
        while self._deleted:
            self._remove(self._deleted.popleft()[1])
        for key in list(self._known_jobs()):
            self._wake(key)

    def wake(self, key: JobKey) -> None:
        """Take that something about the job has changed."""
        if self._have_begun:
            self._wake(key)

    def remove(self, job: JobView) -> None:
        """Take that the job is gone."""
        if self._have_begun:
            self._remove(job)
            return
        self._forget_old()
        self._deleted.append((self._clock(), job))

    def _forget_old(self) -> None:
        while self._deleted and self._deleted[0][0] < self._clock() - REMEMBERED_SECONDS:
            self._deleted.popleft()
