"""`podreduce logs`: the logs of a job, or of the jobs of a pipeline's steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.job_logs import (
    AttemptLog,
    FoundLogs,
    LogOptions,
    collect_logs,
    explain_nothing,
    print_logs,
)
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.pipeline_steps import Step, explain_no_job, name_steps
from podreduce_operator.cli.cluster.subjects import Subject, find_subject
from podreduce_operator.cli.terminal import complain

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["show_logs"]

MOST_TOLD = 5
"""How many steps without a job are named."""


async def show_logs(connection: "Connection", reference: Reference, options: LogOptions) -> CommandExit:
    """Print the logs that there are: the tasks of a job in order, and the steps of a pipeline in order."""
    subject = await find_subject(connection, reference, options.step)
    if subject.steps is None:
        found = await collect_logs(connection, subject.manifest, options)
    else:
        found = await collect_logs_of(connection, subject, subject.steps, options)
    print_logs(found.logs, options)
    for note in dict.fromkeys(found.notes):
        complain(note)
    if not found.logs:
        complain(explain_nothing(subject.manifest, options))
    return CommandExit.DONE if found.logs else CommandExit.FAILED


async def collect_logs_of(
    connection: "Connection", subject: Subject, steps: Sequence[Step], options: LogOptions
) -> FoundLogs:
    """Return the logs of the jobs of some steps. If there are none, the notes say which steps have no job, and why.

    Raises:
        CommandError: a task is named, and not its step; or the only step that is asked about has no job.
    """
    if options.task is not None and options.step is None:
        raise CommandError(
            f"{subject.reference}: {options.task} of which step? Say --step: {name_steps(steps)}", CommandExit.INVALID
        )
    absent = [f"{subject.reference}: {explain_no_job(step)}" for step in steps if step.job is None]
    if options.step is not None and absent:
        raise CommandError(absent[0], CommandExit.FAILED)
    logs: list[AttemptLog] = []
    notes: list[str] = []
    for step in steps:
        if step.job is not None:
            found = await collect_logs(connection, step.job, options)
            logs += [replace(log, title=f"{step.name}, {log.title}") for log in found.logs]
            notes += found.notes
    return FoundLogs(logs=logs, notes=notes if logs else [*notes, *absent[:MOST_TOLD]])
