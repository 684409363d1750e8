"""Removes what a deleted job stored, when its deletion is seen. Rule: nothing waits for this."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["Removals"]
log = structlog.get_logger(__name__)


class Removals:
    """The running removals, by the UIDs of their jobs.

    Args:
        forget: removes what a job stored.
        wake: called with the key of a new job with the same name, because `forget` has stopped its loop.
        is_known: tells whether there is a job with this key.
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
        """Start to remove what the job stored. If a new job with the same name runs already, it is woken again."""
        if job.uid in self._tasks:
            return
        self._tasks[job.uid] = asyncio.create_task(self._remove(job), name=f"remove {job.key}")
        asyncio.get_running_loop().call_soon(self._wake_successor, job)

    async def close(self) -> None:
        """Cancel the running removals. The sweeper does the rest."""
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
            log.exception("data not removed: left to the sweeper", job=str(job.key), uid=job.uid)
        finally:
            self._tasks.pop(job.uid, None)

    def _wake_successor(self, job: JobView) -> None:
        if self._is_known(job.key):
            self._wake(job.key)
