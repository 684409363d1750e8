"""What is left of jobs that are gone: removed when the deletion is seen, and swept for those whose deletion nobody saw.

Rule: nothing waits for it, and whatever goes wrong is left to the next sweep: anybody may have written what lies in a
store. A sweep lists the store before it asks which jobs there are, so that a job created meanwhile is never taken for
one that is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import structlog

from podreduce.contract.layout import installation_prefix
from podreduce.errors import PodreduceError
from podreduce_operator.cluster.seam import JobStorage
from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.discard import discard_run, find_runs
from podreduce_operator.errors import OperatorError
from podreduce_operator.model import JobKey, JobView
from podreduce_operator.storage_secret import SecretError

__all__ = ["Removals", "sweep", "sweep_forever"]

SWEEP_SECONDS = 3600.0
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


async def sweep_forever(
    cluster: SweptCluster, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Sweep once an hour, beginning now, until cancelled; `sleep` waits, for tests."""
    while True:
        try:
            await sweep(cluster)
        except LOOP_ENDS:
            raise
        except (OperatorError, PodreduceError, SecretError) as error:
            log.warning("not swept", error=str(error))
        except BaseException:
            log.exception("not swept")
        await sleep(SWEEP_SECONDS)


async def sweep(cluster: SweptCluster) -> None:
    """Remove every run in the installation's own storage whose job is gone; one that will not go holds no other up."""
    storage = cluster.own_storage()
    if storage is None:
        return
    runs = await find_runs(storage, installation_prefix(storage.installation))
    living = await cluster.list_job_uids()
    for run in runs:
        if run.uid in living:
            continue
        words = log.bind(namespace=run.namespace, job=run.name, uid=run.uid, run_id=run.run_id)
        try:
            await discard_run(storage, run)
        except LOOP_ENDS:
            raise
        except BaseException:  # noqa: BLE001 - a run that cannot be read must not hold up the sweep of all others
            words.exception("not swept: left to the next sweep")
        else:
            words.info("swept")
