"""Removes what deleted jobs left in the store: blobs, plans, staged parts and claims, but never the output.

Rule: touches only the prefix of its own installation, and only runs whose job is known to be gone. There is no
finalizer, so a job's deletion never waits for this.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import aclosing, suppress
from functools import partial

import structlog

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError
from podreduce.contract.layout import DATA_PREFIX, PLAN_KEY, installation_prefix, job_prefix, run_prefix
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.storage import ObjectStore
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.cluster.interface import Cluster, JobStorage
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.resources import ResourceView
from podreduce_operator.policy.run_cleanup import keeps_data
from podreduce_operator.policy.run_state import read_run_state
from podreduce_operator.runs.output_claim import Claim, release_output
from podreduce_operator.runs.publishing import remove_staged
from podreduce_operator.runs.run import Run, RunCache
from podreduce_operator.runs.stored_records import check_plan, read_record

__all__ = [
    "LEFT_TO_SWEEPER",
    "discard_job",
    "discard_run",
    "discard_runs_of",
    "find_runs",
    "remove_intermediates",
    "wait_until_gone",
]

PODS_GONE_SECONDS = 120
POLL_SECONDS = 1.0
RUN_PARTS = 3
"""`<namespace>/<name>/<uid>-<runId>/`, below the installation's prefix."""

UID_CHARACTERS = 36
MOST_LISTED = 1000
"""How many objects of a run are listed: a page. To go past more of them, a new listing begins behind the run."""
AFTER_SLASH = "0"
"""The character after `/`: a key that ends in it is greater than every key below that directory."""

LEFT_TO_SWEEPER = "data not removed: left to the sweeper"

log = structlog.get_logger(__name__)


async def discard_job(job: JobView, cluster: Cluster, cache: RunCache) -> None:
    """Remove everything that a deleted job stored, after its pods are gone and cannot write any more."""
    cache.forget(job)
    job_log = log.bind(job=str(job.key), uid=job.uid)
    try:
        storage = await cluster.read_storage(job)
        await wait_until_gone(partial(cluster.list_pods, job))
        async for run in find_runs(storage, job_prefix(storage.installation, job.key.namespace, job.key.name)):
            if run.uid == job.uid:
                await discard_if_possible(job, storage, run)
    except (ActionError, PodreduceError) as error:
        job_log.warning(LEFT_TO_SWEEPER, error=str(error))


async def discard_if_possible(job: JobView, storage: JobStorage, run: JobIdentity) -> None:
    """Remove one run of a deleted job. A run that cannot be removed does not stop the others."""
    try:
        await discard_run(storage, run, output_uri=as_prefix(job.spec.output.uri))
    except (ActionError, PodreduceError) as error:
        log.warning(LEFT_TO_SWEEPER, job=str(job.key), uid=job.uid, run_id=run.run_id, error=str(error))


async def wait_until_gone(list_them: Callable[[], Awaitable[Sized]]) -> None:
    """Wait until what may still write is gone, for two minutes at most, also while it cannot be listed."""
    for _ in range(int(PODS_GONE_SECONDS / POLL_SECONDS)):
        with suppress(ActionError):
            if not await list_them():
                return
        await asyncio.sleep(POLL_SECONDS)


async def discard_runs_of(owner: ResourceView, storage: JobStorage) -> None:
    """Remove all that a deleted pipeline or schedule has stored below its own place.

    Raises:
        PodreduceError: the store refuses something.
    """
    async for run in find_runs(storage, job_prefix(storage.installation, owner.key.namespace, owner.key.name)):
        if run.uid == owner.uid:
            await discard_run(storage, run)


async def find_runs(storage: JobStorage, prefix: str) -> AsyncIterator[JobIdentity]:
    """Yield the runs with objects below `prefix` of the work URI, in the order of their keys.

    Only the first objects of a run are listed. None of the runs is held, for there may be any number of them.
    """
    work = storage.open(storage.work_uri)
    start, after = len(installation_prefix(storage.installation)), ""
    while True:
        place, listed = "", 0
        async with aclosing(work.list_async(prefix, after=after)) as objects:
            async for found in objects:
                parts = found.key[start:].split("/", RUN_PARTS)
                if place and found.key.startswith(place):
                    listed += 1
                    if listed == MOST_LISTED:
                        break
                elif len(parts) > RUN_PARTS and parts[2][UID_CHARACTERS : UID_CHARACTERS + 1] == "-":
                    place, listed = found.key.removesuffix(parts[RUN_PARTS]), 1
                    uid, run_id = parts[2][:UID_CHARACTERS], parts[2][UID_CHARACTERS + 1 :]
                    yield JobIdentity(namespace=parts[0], name=parts[1], uid=uid, run_id=run_id)
            else:
                return
        after = place.removesuffix("/") + AFTER_SLASH


async def discard_run(storage: JobStorage, run: JobIdentity, *, output_uri: str | None = None) -> None:
    """Remove a run's staged parts and claim, found by its plan, and then everything below its prefix.

    Args:
        storage: where the run is.
        run: which run.
        output_uri: where its output is if its plan cannot be read. Without it such a run stays as it is.

    Raises:
        ActionError: the plan cannot be read.
        PodreduceError: the store refuses something.
    """
    prefix = run_prefix(storage.installation, run.namespace, run.name, run.uid, run.run_id)
    store = storage.open(storage.work_uri + prefix)
    found = await find_output(store, run, output_uri)
    if found is not None:
        output = storage.open(found)
        await remove_staged(output, run)
        await release_output(output, Claim(installation=storage.installation, job=run))
    await store.delete_prefix_async("")


async def find_output(store: ObjectStore, run: JobIdentity, otherwise: str | None) -> str | None:
    """Return where a run's output is, by its plan; `otherwise` if the plan cannot be read; None if there is no plan."""
    try:
        plan = await read_record(store, PLAN_KEY, Plan)
        check_plan(plan, run, store.uri_of(PLAN_KEY))
    except ObjectNotFoundError:
        return None
    except ActionError as error:
        if otherwise is None:
            raise
        log.warning("plan unreadable: staged parts are removed from the job's output", error=str(error))
        return otherwise
    return plan.output_uri


async def remove_intermediates(run: Run) -> None:
    """Remove what only a running job needs: blobs unless they are kept, staged parts, and last the claim."""
    if not keeps_data(run.job, read_run_state(run.job.status, run.run_id)):
        await run.work.delete_prefix_async(DATA_PREFIX)
    await remove_staged(run.output, run.identity)
    await release_output(run.output, run.claim)
