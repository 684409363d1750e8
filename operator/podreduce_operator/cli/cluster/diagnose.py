"""`podreduce diagnose`: why a job, a pipeline with its steps, or a schedule with its newest child waits or failed."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.findings import Case, Finding, render_findings
from podreduce_operator.cli.cluster.job_case import collect_case, find_events
from podreduce_operator.cli.cluster.job_findings import diagnose
from podreduce_operator.cli.cluster.kinds import JOB, SCHEDULE, Reference
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.pipeline_findings import (
    StepCase,
    diagnose_pipeline,
    diagnose_schedule,
    diagnose_step,
)
from podreduce_operator.cli.cluster.pipeline_steps import Step
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.cluster.remedies import PIPELINE_REMEDIES
from podreduce_operator.cli.cluster.resources import list_jobs_of, name_of, read_resource
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.subjects import Subject, find_kind_made, find_subject
from podreduce_operator.cli.terminal import fit, say

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["print_diagnosis", "show_diagnosis"]

Json = dict[str, Any]

Known = tuple[list[Finding], Sequence[str]]
"""The findings, and what could not be read."""

CLOSELY = frozenset({"Failed", "Running"})
"""The states of steps of whose jobs also pods, events and post-mortem are read."""


async def show_diagnosis(
    connection: "Connection",
    reference: Reference,
    output: Format | None,
    endpoint: str | None,
    step: str | None = None,
) -> CommandExit:
    """Print why something waits, is slow or failed: the most important first."""
    manifest = await read_resource(connection, reference)
    head, own = {reference.kind.noun: reference.name}, list[Finding]()
    if reference.kind is SCHEDULE:
        own = diagnose_schedule(await collect_own(connection, reference, manifest))
        if not await list_jobs_of(connection, manifest, find_kind_made(manifest)):
            print_diagnosis(head, own or [tell_empty(connection, reference, manifest)], (), output)
            return CommandExit.DONE
    subject = await find_subject(connection, reference, step)
    if subject.reference != reference:
        head[f"newest {subject.reference.kind.noun}"] = subject.reference.name
    findings, unknown = await diagnose_subject(connection, subject, endpoint, is_one=step is not None)
    print_diagnosis(head, [*own, *findings], unknown, output)
    return CommandExit.DONE


async def diagnose_subject(connection: "Connection", subject: Subject, endpoint: str | None, *, is_one: bool) -> Known:
    """Return the findings about a job, about one step, or about a pipeline."""
    if subject.steps is None:
        case = await collect_case(connection, subject.reference, subject.manifest, endpoint)
        return diagnose(case), case.unknown
    steps = [await collect_step(connection, step, endpoint, is_close=is_one) for step in subject.steps]
    unknown = [told for each in steps if each.case is not None for told in each.case.unknown]
    if is_one:
        return diagnose_step(steps[0]), unknown
    whole = await collect_own(connection, subject.reference, subject.manifest)
    return diagnose_pipeline(whole, steps), list(dict.fromkeys([*whole.unknown, *unknown]))


async def collect_step(connection: "Connection", step: Step, endpoint: str | None, *, is_close: bool) -> StepCase:
    """Return what is known of the job of a step: of one that is complete, what its status says."""
    if step.job is None:
        return StepCase(step=step)
    if is_close or step.state in CLOSELY:
        job = Reference(kind=JOB, name=name_of(step.job))
        return StepCase(step=step, case=await collect_case(connection, job, step.job, endpoint, PIPELINE_REMEDIES))
    case = Case(job=step.job, place=connection.place, now=time.time(), remedies=PIPELINE_REMEDIES)
    return StepCase(step=step, case=case)


async def collect_own(connection: "Connection", reference: Reference, manifest: Json) -> Case:
    """Return what is known of a pipeline or a schedule itself."""
    events, unknown = await find_events(connection, reference, manifest)
    return Case(
        job=manifest,
        place=connection.place,
        now=time.time(),
        subject=str(reference),
        remedies=PIPELINE_REMEDIES,
        events=events,
        unknown=unknown,
    )


def tell_empty(connection: "Connection", reference: Reference, schedule: Json) -> Finding:
    """Return that a schedule has made nothing, and when it will."""
    next_at = status_of(schedule).get("nextScheduleTime")
    when = f"; the next time is {next_at}" if next_at else ""
    return Finding(
        text=f"nothing is wrong: there is no {find_kind_made(schedule).noun} of this schedule yet{when}",
        command=connection.place.command("status", str(reference)),
    )


def print_diagnosis(
    head: Mapping[str, str], findings: Sequence[Finding], unknown: Sequence[str], output: Format | None
) -> None:
    """Print findings in words, or as JSON or YAML after what they are about."""
    if output in {Format.JSON, Format.YAML}:
        shown = {**head, "findings": [asdict(finding) for finding in findings], "unknown": list(unknown)}
        print_json(shown, output)
    else:
        say(fit("\n".join(render_findings(findings, unknown)), sys.stdout))
