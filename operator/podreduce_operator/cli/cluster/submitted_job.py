"""Applies the job of `podreduce submit`, says what comes of it, and follows its run to the end if that is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.changes import next_run_id
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, Reference
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.run_facts import (
    FIRST_RUN,
    find_ending,
    is_wanted_run,
    spec_of,
    status_of,
    wanted_run_id,
)
from podreduce_operator.cli.cluster.waiting import describe_with_tasks, wait_for_one
from podreduce_operator.cli.terminal import complain
from podreduce_operator.digests.pinned_digests import digest_pinned

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["apply_job", "describe_applied"]

Json = dict[str, Any]


async def apply_job(connection: "Connection", documents: Sequence[Json], *, waits: bool) -> CommandExit:
    """Apply the documents, of which the job is the last one; with `waits` return when its run has come to rest."""
    *others, wanted = documents
    *_, job = await connection.apply([*others, await keep_run_id(connection, wanted)])
    namespace, reference = job["metadata"]["namespace"], Reference(kind=JOB, name=job["metadata"]["name"])
    if namespace != connection.namespace:
        place = replace(connection.place, namespace=namespace)
        connection = replace(connection, namespace=namespace, place=place)
    complain(describe_applied(connection.place, job))
    if not waits:
        return CommandExit.DONE
    ended = await wait_for_one(connection, reference, describe_with_tasks)
    if ended is CommandExit.DONE:
        complain(f"its records: {connection.place.command('output', reference.name, '--head', '10')}")
    return ended


async def keep_run_id(connection: "Connection", job: Json) -> Json:
    """Return the job with the `runId` that it has in the cluster, unless it names one.

    Without it, applying the job on the server's side takes away the one that an earlier submission has set. Then the
    default is back, and with it a run of long ago.
    """
    metadata = job["metadata"]
    if "runId" in job["spec"] or "name" not in metadata:
        return job
    namespace = metadata.get("namespace") or connection.namespace
    known = await replace(connection, namespace=namespace).get(JOB, metadata["name"])
    run_id = FIRST_RUN if known is None else wanted_run_id(known)
    return job if run_id == FIRST_RUN else {**job, "spec": {**job["spec"], "runId": run_id}}


def describe_applied(place: Place, job: Mapping[str, Any]) -> str:
    """Return what applying a job has done, and the next command."""
    metadata = job["metadata"]
    applied = f"{Reference(kind=JOB, name=metadata['name'])} in the namespace {metadata['namespace']} is applied"
    run_id = wanted_run_id(job)
    again = f"submit with --set spec.runId={next_run_id(run_id)}"
    ending, is_pinned = find_ending(job), is_pinned_otherwise(job)
    if ending is not None and ending.is_end:
        changed = ", and what you have changed has not run" if is_pinned else ""
        return f"{applied}; its run {run_id} has ended already ({ending}){changed}: to run it again, {again}"
    if is_pinned:
        return f"{applied}; its run {run_id} goes on as it was planned: to run what you have changed, {again}"
    return f"{applied}; to see it: {place.command('status', metadata['name'], '--watch')}"


def is_pinned_otherwise(job: Mapping[str, Any]) -> bool:
    """Tell whether the run that the spec names was planned with another spec, and stays as it is."""
    spec, pinned = spec_of(job), (status_of(job).get("digests") or {}).get("spec")
    if pinned is None or spec.get("runPolicy") == "OnChange" or not is_wanted_run(job):
        return False
    return bool(digest_pinned(spec) != pinned)
