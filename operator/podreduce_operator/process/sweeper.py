"""Removes, once an hour, what jobs and pipelines left in the store if they were deleted while no operator was running.

Rule: a failure is left to the next sweep, because anybody may have written to the store. A sweep lists runs before it
lists the resources. So a job created during the sweep never counts as deleted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from podreduce.contract.errors import BucketNotFoundError, PodreduceError
from podreduce.contract.layout import installation_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.storage import in_batches
from podreduce_operator.api.storage_secret import SecretError
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources
from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.runs.remove_run import discard_run, find_runs

__all__ = ["sweep", "sweep_forever"]

SWEEP_SECONDS = 3600.0
BATCH_RUNS = 1000
"""How many runs are compared with one list of all jobs."""

log = structlog.get_logger(__name__)


OwnStorage = Callable[[], JobStorage | None]
"""Returns the installation's own storage, if it has one."""
ListUids = Callable[[], Awaitable[ListedResources]]
"""Asks the API server for the UIDs of everything in the served namespaces that stores data."""


async def sweep_forever(
    own_storage: OwnStorage, list_uids: ListUids, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Sweep now and then once an hour, until cancelled. Tests replace `sleep`."""
    while True:
        try:
            await sweep(own_storage(), list_uids)
        except LOOP_ENDS:
            raise
        except (OperatorError, PodreduceError, SecretError) as error:
            log.warning("sweep failed", error=str(error))
        except BaseException:
            log.exception("sweep failed")
        await sleep(SWEEP_SECONDS)


async def sweep(storage: JobStorage | None, list_uids: ListUids) -> None:
    """Remove every run in the installation's own storage whose job or pipeline is gone, a batch at a time.

    Runs of namespaces that are not served, or cannot be listed now, stay: their jobs may exist. If there is no bucket,
    nothing is to be swept: a new installation's is made a little later, and a job that lacks it says so itself.
    """
    if storage is None:
        return
    try:
        async for runs in in_batches(find_runs(storage, installation_prefix(storage.installation)), BATCH_RUNS):
            listed = await list_uids()
            for run in runs:
                if listed.is_gone(run.namespace, run.uid):
                    await remove(run, storage)
    except BucketNotFoundError as error:
        log.info("nothing to sweep: the bucket does not exist yet", error=str(error))


async def remove(run: JobIdentity, storage: JobStorage) -> None:
    """Remove a run whose job is gone. If it fails, the others are still removed."""
    run_log = log.bind(namespace=run.namespace, job=run.name, uid=run.uid, run_id=run.run_id)
    try:
        await discard_run(storage, run)
    except LOOP_ENDS:
        raise
    except (OperatorError, PodreduceError) as error:
        run_log.warning("run not removed: left to the next sweep", error=str(error))
    except BaseException:  # noqa: BLE001 - a run that cannot be read must not stop the sweep of the others
        run_log.exception("run not removed: left to the next sweep")
    else:
        run_log.info("run removed")
