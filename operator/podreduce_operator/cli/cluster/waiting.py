"""`podreduce wait`: returns when runs have ended in any way, and the exit code tells in which."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.findings import Case, render_finding
from podreduce_operator.cli.cluster.following import follow
from podreduce_operator.cli.cluster.job_findings import find_failure
from podreduce_operator.cli.cluster.kinds import PIPELINE, SCHEDULE, Reference
from podreduce_operator.cli.cluster.pipeline_findings import StepCase, diagnose_step
from podreduce_operator.cli.cluster.pipeline_steps import find_steps
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.remedies import PIPELINE_REMEDIES
from podreduce_operator.cli.cluster.run_facts import (
    Ending,
    count_tasks,
    find_ending,
    find_last_failure,
    find_wait,
    is_wanted_run,
    message_of,
    read_duration,
    read_tasks,
    spec_of,
    status_of,
    wanted_run_id,
)
from podreduce_operator.cli.report import render_success
from podreduce_operator.cli.terminal import complain, fit, say
from podreduce_operator.cli.watcher import first_line
from podreduce_operator.cli.wording import render_seconds
from podreduce_operator.policy.run_state import is_condition_true

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["describe_with_tasks", "find_rest", "wait_for_all", "wait_for_one"]

EXITS = {
    Ending.COMPLETE: CommandExit.DONE,
    Ending.FAILED: CommandExit.FAILED,
    Ending.SUSPENDED: CommandExit.SUSPENDED,
}
WORST = (CommandExit.DONE, CommandExit.SUSPENDED, CommandExit.FAILED, CommandExit.TIMED_OUT)


async def wait_for_all(
    connection: "Connection", references: Sequence[Reference], timeout_seconds: float | None
) -> CommandExit:
    """Wait until all have come to rest, and return the worst outcome: timed out, failed, suspended, complete."""
    waits = [asyncio.create_task(wait_for_one(connection, reference)) for reference in references]
    try:
        async with asyncio.timeout(timeout_seconds):
            outcomes = await asyncio.gather(*waits)
    except TimeoutError:
        left = [reference for reference, wait in zip(references, waits, strict=True) if wait.cancelled()]
        command = connection.place.command("diagnose", (left or references)[0].typed)
        complain(
            f"{', '.join(map(str, left))}: not ended after {timeout_seconds:.0f} s (--timeout); {command} says why"
        )
        return CommandExit.TIMED_OUT
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return max(outcomes, key=WORST.index)


async def wait_for_one(
    connection: "Connection", reference: Reference, describe_run: Callable[[Mapping[str, Any]], str] | None = None
) -> CommandExit:
    """Wait until a resource has come to rest, and print how. `describe_run` says where it stands meanwhile."""
    told = ""
    async for manifest in follow(connection, reference):
        ending = find_rest(reference, manifest)
        if ending is not None:
            if reference.kind is PIPELINE and ending is Ending.FAILED:
                await tell_failed_steps(connection, reference, manifest)
            tell_ending(connection.place, reference, manifest, ending)
            return EXITS[ending]
        news = (describe_run or describe)(manifest)
        if news != told:
            complain(f"{reference}: {news}")
            told = news
    raise AssertionError("a resource is followed without end")


def find_rest(reference: Reference, manifest: Mapping[str, Any]) -> Ending | None:
    """Return how a resource has come to rest; None while something goes on.

    A schedule is at rest while none of its jobs is active. The last one that ended says how; a schedule that can make
    none has failed.
    """
    if reference.kind.has_runs:
        return find_ending(manifest)
    status, generation = status_of(manifest), manifest["metadata"].get("generation", 0)
    if status.get("observedGeneration", -1) < generation or status.get("active"):
        return None
    if is_condition_true(status, "LastRunFailed") or is_condition_true(status, "Stalled"):
        return Ending.FAILED
    return Ending.SUSPENDED if spec_of(manifest).get("suspend") else Ending.COMPLETE


def describe(manifest: Mapping[str, Any]) -> str:
    """Return where a run stands, in a line that changes only with its phase or what it waits for."""
    status = status_of(manifest)
    if "runId" in status and not is_wanted_run(manifest):
        return f"run {wanted_run_id(manifest)} has not begun"
    told = ": ".join(word for word in find_wait(status) if word)
    not_understood = message_of(status, "SpecNotUnderstood")[1]
    active = ", ".join(status.get("active", ()))
    phase = status.get("phase") or (f"active: {active}" if active else "no status yet")
    words = [phase, told, not_understood, *tell_failures(status)]
    return "; ".join(word for word in words if word)


def tell_failures(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many attempts have failed, and the error of the last one. A run may try for minutes before it fails."""
    failed, last = count_tasks(status, "failed"), find_last_failure(status)
    if failed and last is not None:
        yield f"{render_count(failed, 'failed attempt')}, the last of {last['task']}: {first_line(last['message'])}"


def describe_with_tasks(manifest: Mapping[str, Any]) -> str:
    """Return where a job's run stands, with its tasks: `Mapping, map 3/8, reduce 0/?`."""
    status = status_of(manifest)
    tasks = [
        f"{task_type} {found['progress']}"
        for task_type in TaskType
        if is_wanted_run(manifest) and (found := read_tasks(status, task_type)).get("progress")
    ]
    return ", ".join([describe(manifest), *tasks])


def tell_ending(place: Place, reference: Reference, manifest: Mapping[str, Any], ending: Ending) -> None:
    """Print the report on a run that ended."""
    status = status_of(manifest)
    if reference.kind is SCHEDULE:
        tell_schedule(place, reference, manifest, ending)
    elif reference.kind is PIPELINE and ending is not Ending.SUSPENDED:
        tell_pipeline(place, reference, manifest, ending)
    elif ending is Ending.COMPLETE:
        text = render_success(str(reference), status, read_duration(status, time.time()) or 0.0)
        say(fit(text, sys.stdout))
    elif ending is Ending.FAILED:
        for finding in find_failure(Case(job=manifest, place=place, now=time.time())):
            complain("\n".join(render_finding(finding)))
        complain(f"{reference}: failed; {place.command('diagnose', reference.name)} says more")
    else:
        complain(f"{reference}: suspended: {message_of(status, 'Suspended')[1]}")


def tell_schedule(place: Place, reference: Reference, manifest: Mapping[str, Any], ending: Ending) -> None:
    """Print how a schedule came to rest."""
    stalled = message_of(status_of(manifest), "Stalled")
    if stalled[0]:
        complain(f"{reference}: it makes nothing: {': '.join(stalled)}")
    elif ending is Ending.FAILED:
        noun = "pipeline" if "pipelineTemplate" in spec_of(manifest) else "job"
        say(f"{reference}: the last {noun} failed; {place.command('diagnose', str(reference))} says why")
    else:
        say(f"{reference}: {ending.value.lower()}")


async def tell_failed_steps(connection: "Connection", reference: Reference, manifest: dict[str, Any]) -> None:
    """Print why steps of a pipeline failed, as far as the statuses of their jobs say it."""
    for step in await find_steps(connection, reference, manifest, None):
        if step.state == "Failed" and step.job is not None:
            case = Case(job=step.job, place=connection.place, now=time.time(), remedies=PIPELINE_REMEDIES)
            for finding in diagnose_step(StepCase(step=step, case=case)):
                complain("\n".join(render_finding(finding)))


def tell_pipeline(place: Place, reference: Reference, manifest: Mapping[str, Any], ending: Ending) -> None:
    """Print how a pipeline's run ended, and which step failed."""
    status = status_of(manifest)
    steps = status.get("steps") or ()
    reused = sum(step["state"] == "Reused" for step in steps)
    if ending is Ending.COMPLETE:
        seconds = render_seconds(read_duration(status, time.time()) or 0.0)
        unchanged = f", {reused} of them unchanged" if reused else ""
        say(f"{reference}: complete in {seconds}: {render_count(len(steps), 'step')}{unchanged}")
        return
    complain(f"{reference}: failed: {': '.join(message_of(status, 'Failed'))}")
    complain(f"{place.command('diagnose', str(reference))} says more")
