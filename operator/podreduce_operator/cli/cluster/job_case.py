"""Collects what is known of a job, for its diagnosis. Rule: what cannot be read is named, with the reason."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import PodreduceError
from podreduce.contract.post_mortem import PostMortem
from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.event_list import Event, parse_events, read_events, run_mark
from podreduce_operator.cli.cluster.findings import Case
from podreduce_operator.cli.cluster.job_logs import find_pods
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.program_change import find_program_change
from podreduce_operator.cli.cluster.remedies import CLUSTER_REMEDIES
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.run_store import open_run_store, read_post_mortem

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["collect_case", "find_events"]

Json = dict[str, Any]


async def collect_case(
    connection: "Connection",
    reference: Reference,
    manifest: Json,
    endpoint: str | None,
    remedies: Mapping[str, str] = CLUSTER_REMEDIES,
) -> Case:
    """Return everything that is known of a job. `remedies`: what to do, by reason."""
    pods, unknown = await find_pods(connection, manifest, None)
    events, why = await find_events(connection, reference, manifest)
    post_mortem, why_not = await find_post_mortem(connection, manifest, endpoint)
    change, why_unknown = await find_change(connection, manifest)
    return Case(
        job=manifest,
        place=connection.place,
        now=time.time(),
        remedies=remedies,
        pods=pods,
        events=events,
        post_mortem=post_mortem,
        program_change=change,
        unknown=(*unknown, *why, *why_not, *why_unknown),
    )


async def find_events(connection: "Connection", reference: Reference, manifest: Json) -> tuple[list[Event], list[str]]:
    """Return the events, or why they may not be listed."""
    try:
        found = await read_events(connection, reference, manifest)
    except CommandError as error:
        return [], [f"the events were not listed: {error}"]
    return parse_events(found, reference, run_mark(manifest)), []


async def find_change(connection: "Connection", manifest: Json) -> tuple[str, list[str]]:
    """Return whether the text in the job's ConfigMap has changed, or why that is not known."""
    try:
        return await find_program_change(connection, manifest), []
    except CommandError as error:
        return "", [str(error)]


async def find_post_mortem(
    connection: "Connection", manifest: Json, endpoint: str | None
) -> tuple[PostMortem | None, list[str]]:
    """Return the post-mortem of a run that ended, or why it was not read."""
    if "postMortem" not in status_of(manifest):
        return None, []
    try:
        async with open_run_store(connection, manifest, endpoint) as store:
            try:
                return read_post_mortem(store), []
            except PodreduceError as error:
                raise store.explain(error) from error
    except CommandError as error:
        return None, [f"the post-mortem was not read: {error}"]
