"""`podreduce diagnose`: collects what is known of a job, and prints the findings."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import PodreduceError
from podreduce.contract.post_mortem import PostMortem
from podreduce_operator.cli.cluster.diagnosis import Case, Finding, diagnose, render_finding
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.event_list import Event, parse_events, read_events, run_mark
from podreduce_operator.cli.cluster.job_logs import find_pods
from podreduce_operator.cli.cluster.kinds import JOB, Reference
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.cluster.program_change import find_program_change
from podreduce_operator.cli.cluster.resources import read_resource
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.run_store import open_run_store, read_post_mortem
from podreduce_operator.cli.terminal import fit, say

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["diagnose_job", "render_findings"]

Json = dict[str, Any]


async def diagnose_job(
    connection: "Connection", reference: Reference, output: Format | None, endpoint: str | None
) -> CommandExit:
    """Print why a job waits, is slow or failed."""
    if reference.kind is not JOB:
        raise CommandError(f"{reference}: only a job is diagnosed; its steps or jobs: podreduce status {reference}")
    manifest = await read_resource(connection, reference)
    pods, unknown = await find_pods(connection, manifest, None)
    events, why = await find_events(connection, reference, manifest)
    post_mortem, why_not = await find_post_mortem(connection, manifest, endpoint)
    change, why_unknown = await find_change(connection, manifest)
    case = Case(
        job=manifest,
        place=connection.place,
        now=time.time(),
        pods=pods,
        events=events,
        post_mortem=post_mortem,
        program_change=change,
        unknown=(*unknown, *why, *why_not, *why_unknown),
    )
    findings = diagnose(case)
    if output in {Format.JSON, Format.YAML}:
        shown = {"job": case.name, "findings": [asdict(finding) for finding in findings], "unknown": list(case.unknown)}
        print_json(shown, output)
    else:
        say(fit("\n".join(render_findings(findings, case.unknown)), sys.stdout))
    return CommandExit.DONE


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


def render_findings(findings: Sequence[Finding], unknown: Sequence[str]) -> Iterator[str]:
    """Yield the lines about a job."""
    for number, finding in enumerate(findings):
        if number:
            yield ""
        yield from render_finding(finding)
    if unknown:
        yield ""
    yield from (f"not known: {each}" for each in unknown)
