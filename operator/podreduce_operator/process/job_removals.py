"""What is left of jobs that are gone: removed when the deletion is seen, and swept for those whose deletion nobody saw.

Rule: nothing waits for it, and whatever goes wrong is left to the next sweep: anybody may have written what lies in a
store. A sweep lists the store before it asks which jobs there are, so that a job created meanwhile is never taken for
one that is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.cluster import JobStorage
from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["Removals", "SweptCluster", "log"]
log = structlog.get_logger(__name__)


class Removals:
    """The removals under way, by the jobs' UIDs.

    Args:
        forget: removes what a job stored.
        wake: called with the job's key if there `is_known` a job of that name, which forgetting has stopped.
    """

    def __init__(
        self,
        *,
        forget: Callable[[JobView], Awaitable[None]],
        wake: Callable[[JobKey], None],
        is_known: Callable[[JobKey], bool],
    ) -> None:
        self._forget = forget
        self._wake = wake
        self._is_known = is_known
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, job: JobView) -> None:
        """Start to remove what the job stored. A job of the same name may run already: it is woken again."""
        if job.uid in self._tasks:
            return
        self._tasks[job.uid] = asyncio.create_task(self._remove(job), name=f"remove {job.key}")
        asyncio.get_running_loop().call_soon(self._wake_successor, job)

    async def close(self) -> None:
        """Leave the rest to the sweeper."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _remove(self, job: JobView) -> None:
        try:
            await self._forget(job)
        except LOOP_ENDS:
            raise
        except BaseException:
            log.exception("left to the sweeper", job=str(job.key), uid=job.uid)
        finally:
            self._tasks.pop(job.uid, None)

    def _wake_successor(self, job: JobView) -> None:
        if self._is_known(job.key):
            self._wake(job.key)


class SweptCluster(Protocol):
    """What a sweep asks of the cluster."""

    def own_storage(self) -> JobStorage | None:
        """Return the installation's own storage, if it was given one."""

    async def list_job_uids(self) -> set[str]:
        """Return the UIDs of all jobs there are."""
