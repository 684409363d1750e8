"""What jobs left in the store that were deleted while no operator saw it: swept once an hour.

Rule: whatever goes wrong is left to the next sweep: anybody may have written what is in a store. A sweep lists the
store before it asks which jobs there are, so that a job created meanwhile is never taken for one that is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import structlog

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import installation_prefix
from podreduce_operator.api.storage_secret import SecretError
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.runs.remove_run import discard_run, find_runs

__all__ = ["sweep", "sweep_forever"]

SWEEP_SECONDS = 3600.0
log = structlog.get_logger(__name__)


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
