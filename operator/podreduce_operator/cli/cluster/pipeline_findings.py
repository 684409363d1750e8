"""Why a pipeline or a schedule waits or failed: its own state, and what is found in the jobs of its steps. Rule: pure.

A finding in the job of a step names the step first. The rest of it, with its commands, is that of the job.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from podreduce.contract.texts import render_count
from podreduce_operator.cli.cluster.findings import Case, Finding
from podreduce_operator.cli.cluster.job_findings import (
    diagnose,
    find_failed_attempts,
    find_failure,
    find_misunderstood,
    find_not_begun,
    find_notes,
    find_skew,
    find_suspension,
    find_untaken,
    find_wait_reason,
)
from podreduce_operator.cli.cluster.kinds import JOB, Reference
from podreduce_operator.cli.cluster.pipeline_steps import Step, explain_no_job
from podreduce_operator.cli.cluster.run_facts import Ending, find_ending, message_of, read_duration, spec_of
from podreduce_operator.cli.pipelines.step_words import describe_step
from podreduce_operator.cli.wording import render_seconds

__all__ = ["StepCase", "diagnose_pipeline", "diagnose_schedule", "diagnose_step"]

Find = Callable[[Case], Iterator[Finding]]

OWN: tuple[Find, ...] = (find_untaken, find_not_begun, find_misunderstood)
OF_COMPLETE: tuple[Find, ...] = (find_failed_attempts, find_skew, find_notes)
"""What is worth knowing of a step that is complete."""
MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCase:
    """A step, and everything that is known of its job; None if it has none."""

    step: Step
    case: Case | None = None


def diagnose_pipeline(case: Case, steps: Sequence[StepCase]) -> list[Finding]:
    """Return the findings about a pipeline, the most important first. There is at least one."""
    found = [finding for find in OWN for finding in find(case)]
    failed = [finding for each in steps if each.step.state == "Failed" for finding in diagnose_step(each)]
    found += failed
    if not failed or message_of(case.status, "Failed")[0] not in {"StepFailed", ""}:
        found += find_failure(case)
    found += [*find_suspension(case), *find_wait_reason(case)]
    found += [finding for each in steps if each.step.state == "Running" for finding in diagnose_step(each)]
    found += [*find_waiting_steps(case, steps), *find_completion(case, steps), *find_limits(case)]
    found += [finding for each in steps if each.step.state == "Complete" for finding in tell_complete(each)]
    return [*found, *find_notes(case)] or [describe(case)]


def diagnose_step(each: StepCase) -> list[Finding]:
    """Return the findings about a step: those of its job."""
    step, case = each.step, each.case
    if case is None:
        message = f": {step.line['message']}" if "message" in step.line else ""
        return [Finding(text=f"{explain_no_job(step)}{message}")]
    if step.state == "Running" and find_ending(case.job) is None and not has_trouble(case):
        text = f"the step {describe_step(step.line, in_columns=False)}"
        return [Finding(text=f"{text}; its job is {job_of(case)}", command=case.command("status", "--watch"))]
    first, *others = diagnose(case)
    more = [*first.more, *(() if case.subject else (f"its job is {job_of(case)}",))]
    told = replace(first, text=f"the step {step.name}: {first.text}", more=more)
    return [told, *(replace(other, text=f"the step {step.name}: {other.text}") for other in others)]


def has_trouble(case: Case) -> bool:
    """Tell whether something is found in a job that runs, besides that it does."""
    return any(not finding.text.startswith(("nothing is wrong", "several pods")) for finding in diagnose(case))


def job_of(case: Case) -> Reference:
    """Return the job."""
    return Reference(kind=JOB, name=case.name)


def tell_complete(each: StepCase) -> Iterator[Finding]:
    """Yield what is worth knowing of a complete step."""
    if each.case is not None:
        found = [finding for find in OF_COMPLETE for finding in find(each.case)]
        yield from (replace(finding, text=f"the step {each.step.name}: {finding.text}") for finding in found)


def find_waiting_steps(case: Case, steps: Sequence[StepCase]) -> Iterator[Finding]:
    """Find the steps that a run in progress has not begun, and those that a failed one has not reached."""
    ending = find_ending(case.job)
    for state, told in (("Waiting", "waiting for other steps"), ("NotReached", "not reached")):
        names = [each.step.name for each in steps if each.step.state == state]
        if names and (ending is None or state != "Waiting"):
            shown = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
            yield Finding(text=f"{told}: {render_count(len(names), 'step')}: {shown}")


def find_completion(case: Case, steps: Sequence[StepCase]) -> Iterator[Finding]:
    """Find that the run is complete."""
    if find_ending(case.job) is Ending.COMPLETE:
        seconds = render_seconds(read_duration(case.status, case.now) or 0.0)
        reused = sum(each.step.state == "Reused" for each in steps)
        unchanged = f", {reused} of them unchanged" if reused else ""
        text = f"it is complete, in {seconds}: {render_count(len(steps), 'step')}{unchanged}"
        yield Finding(text=text, command=case.command("output"))


def find_limits(case: Case) -> Iterator[Finding]:
    """Find the loops that ended at their limit, without convergence."""
    for loop in case.status.get("loops") or ():
        if loop["state"] == "LimitReached":
            values = ", ".join((loop.get("recent") or [{}])[-1].get("values", ()))
            last = f"; its last values are {values}" if values else ""
            often = render_count(loop["iteration"], "iteration")
            yield Finding(
                text=f"the loop {loop['name']} ended after {often} without convergence{last}",
                remedy=case.remedies["LoopLimitReached"],
            )


def describe(case: Case) -> Finding:
    """Return where a pipeline stands about which nothing else is to be said."""
    phase = case.status.get("phase", "not begun")
    return Finding(text=f"nothing is wrong: it is {phase}, and nothing keeps it", command=case.command("status"))


def diagnose_schedule(case: Case) -> list[Finding]:
    """Return the findings about a schedule itself; empty if it makes its jobs or pipelines as it should."""
    spec: Mapping[str, Any] = spec_of(case.job)
    found = [*find_untaken(case), *find_misunderstood(case)]
    reason, message = message_of(case.status, "Stalled")
    if reason:
        found.append(Finding(text=f"the schedule makes nothing: {reason}: {message}", remedy="correct its spec"))
    reason, message = message_of(case.status, "Reconciling")
    if reason:
        found.append(Finding(text=f"the schedule waits: {reason}: {message}", command=case.command("events")))
    if spec.get("suspend"):
        text = "the schedule is suspended: it makes nothing until it is resumed"
        found.append(Finding(text=text, command=case.command("resume")))
    return found
