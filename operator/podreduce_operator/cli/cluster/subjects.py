"""What a command is asked about: a job; a pipeline and its steps; or the newest that a schedule has made.

Rule: what stands for something else is told on standard error, so that nobody takes one for the other.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, PIPELINE, SCHEDULE, Kind, Reference
from podreduce_operator.cli.cluster.pipeline_steps import Step, explain_no_job, find_failed, find_steps, name_steps
from podreduce_operator.cli.cluster.resources import list_jobs_of, name_of, read_resource
from podreduce_operator.cli.cluster.run_facts import spec_of
from podreduce_operator.cli.terminal import complain

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["Subject", "find_job", "find_kind_made", "find_newest", "find_subject"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A job or a pipeline.

    Attributes:
        steps: of a pipeline, those that are asked about; None for a job.
    """

    reference: Reference
    manifest: Json
    steps: list[Step] | None = None


async def find_subject(connection: "Connection", reference: Reference, step: str | None = None) -> Subject:
    """Return a job, or a pipeline with its steps, or only with one of them; for a schedule its newest child.

    Raises:
        CommandError: there is none, it has no such step, or it has no steps at all.
    """
    manifest = await read_resource(connection, reference)
    if reference.kind is SCHEDULE:
        reference, manifest = await find_newest(connection, reference, manifest)
    if reference.kind is PIPELINE:
        steps = await find_steps(connection, reference, manifest, step)
        return Subject(reference=reference, manifest=manifest, steps=steps)
    if step is not None:
        raise CommandError(f"{reference}: --step: a job has no steps; name a pipeline: mrp/NAME", CommandExit.INVALID)
    return Subject(reference=reference, manifest=manifest)


async def find_newest(connection: "Connection", reference: Reference, schedule: Json) -> tuple[Reference, Json]:
    """Return the newest job or pipeline that a schedule has made, and say which it is.

    Raises:
        CommandError: there is none.
    """
    kind = find_kind_made(schedule)
    newest = next(iter(await list_jobs_of(connection, schedule, kind)), None)
    if newest is None:
        command = connection.place.command("diagnose", str(reference))
        raise CommandError(
            f"{reference}: there is no {kind.noun} of this schedule: {command} says why, or when it makes one",
            CommandExit.FAILED,
        )
    found = Reference(kind=kind, name=name_of(newest))
    complain(f"{reference}: the newest {kind.noun} that it made is {found}")
    return found, newest


def find_kind_made(schedule: Json) -> Kind:
    """Return what a schedule makes."""
    return PIPELINE if "pipelineTemplate" in spec_of(schedule) else JOB


async def find_job(connection: "Connection", reference: Reference, step: str | None) -> Subject:
    """Return a job: the one that is named, that of a step, or the newest of a schedule.

    Of a pipeline without `step`, that of its only step, or else of the first one that failed, which is told.

    Raises:
        CommandError: there is none, or it is not clear which is meant.
    """
    subject = await find_subject(connection, reference, step)
    if subject.steps is None:
        return subject
    found = subject.steps[0] if len(subject.steps) == 1 else find_failed(subject.steps)
    if found is None:
        raise CommandError(
            f"{subject.reference}: no step of it has failed: name one with --step: {name_steps(subject.steps)}",
            CommandExit.INVALID,
        )
    if found.job is None:
        raise CommandError(f"{subject.reference}: {explain_no_job(found)}", CommandExit.FAILED)
    job = Reference(kind=JOB, name=name_of(found.job))
    if step is None:
        complain(f"{subject.reference}: the job of the step {found.name} is {job}")
    return Subject(reference=job, manifest=found.job)
