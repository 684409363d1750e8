"""Builds a pipeline's status, reads it back, and tells what changed by events.

Rule: pure. The status is at most 16 KB for any number of steps and iterations, because every field has a limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podreduce.contract.texts import cut_middle, render_count
from podreduce_operator.api.pipeline_spec import LIVE_FIELDS, LoopSpec
from podreduce_operator.api.spec import iter_differences
from podreduce_operator.api.times import render_time
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import (
    PipelineObserved,
    PipelinePhase,
    PipelineRunState,
    PipelineVerdict,
    StepJob,
)
from podreduce_operator.pipelines.loops import Iteration, Loop, LoopEnd, LoopError, find_loop_end, read_values
from podreduce_operator.pipelines.picture import as_outcome
from podreduce_operator.pipelines.unrolling import as_loop
from podreduce_operator.policy.conditions import Condition, write_conditions
from podreduce_operator.policy.job_events import JobEvent
from podreduce_operator.policy.run_conditions import MAX_MESSAGE
from podreduce_operator.policy.run_state import (
    find_condition,
    is_condition_true,
    read_conditions,
    read_installation,
    read_run_id,
    read_run_state,
)

__all__ = ["build_pipeline_status", "ended_steps", "pipeline_events_between", "read_pipeline_state"]

MAX_STEP_MESSAGE = 120
MAX_MESSAGES = 10
MAX_PATH = 16
SHOWN_VALUES = 5
"""How many of a loop's values are shown: those of the last iterations."""

DONE = ("Complete", "Reused")
ENDINGS = ("Complete", "Failed", "Suspended")
ENDS = tuple(map(str, LoopEnd))
SPEC_CHANGED = "SpecChanged"
CONVERGED = "Converged"


def read_pipeline_state(status: Mapping[str, Any], run_id: str) -> PipelineRunState:
    """Read what the status says about a run: nothing if the status is of another run."""
    run = read_run_state(status, run_id)
    return PipelineRunState(
        run_id=run_id,
        started_at=run.started_at,
        terminal=run.terminal,
        reason=run.reason,
        message=run.message,
        completed_at=run.completed_at,
    )


def build_pipeline_status(
    observed: PipelineObserved, verdict: PipelineVerdict, now: float, *, current: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the pipeline's whole status.

    Args:
        observed: what the decision rests on.
        verdict: what was decided.
        now: seconds since the epoch.
        current: the spec as it is now; that of `observed` is the pinned one.
    """
    pipeline, run = observed.pipeline, observed.run
    previous = pipeline.status
    status = dict(previous)
    if read_run_id(previous) != run.run_id:
        status = {"installation": read_installation(previous), "conditions": []}
    status["observedGeneration"] = pipeline.generation
    if run.terminal is None:
        status |= render_run(observed, verdict, status, now)
    known = {condition["type"]: condition for condition in read_conditions(status)}
    wanted = find_conditions(observed, verdict, status, current)
    status["conditions"] = write_conditions(wanted, known, pipeline.generation, now)
    return {name: value for name, value in status.items() if value is not None}


def render_run(
    observed: PipelineObserved, verdict: PipelineVerdict, status: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Return the fields about the run in progress. What is not known now stays as it was."""
    is_suspended = verdict.phase is PipelinePhase.SUSPENDED
    started_at = None if is_suspended else status.get("startTime") or render_time(now)
    steps = render_steps(observed, verdict, status.get("steps") or ())
    done = sum(each["state"] in DONE for each in steps)
    loops = status.get("loops") if observed.is_store_unreadable or not observed.digests else render_loops(observed)
    return {
        "runId": observed.run.run_id,
        "phase": str(verdict.phase),
        "startTime": started_at,
        "completionTime": render_time(now) if verdict.is_terminal else None,
        "progress": f"{done}/{len(observed.pipeline.spec.steps)}",
        "steps": steps,
        "loops": loops or None,
        "loop": next((describe_loop(each) for each in loops or () if each["state"] == "Running"), None),
        "criticalPath": render_path(verdict),
    }


def describe_loop(loop: Mapping[str, Any]) -> str:
    """Return a loop's place for the printer column, such as `rank 12/30`."""
    return f"{loop['name']} {loop['iteration']}/{loop['maxIterations']}"


def render_path(verdict: PipelineVerdict) -> dict[str, Any] | None:
    """Return the longest way that is left, if anything is left."""
    if not verdict.critical_path or verdict.is_terminal:
        return None
    return {"seconds": round(verdict.seconds_left), "steps": list(verdict.critical_path[:MAX_PATH])}


def render_steps(
    observed: PipelineObserved, verdict: PipelineVerdict, previous: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return a line for each step: its last iteration, if it is in a loop."""
    known = {each["name"]: each for each in previous}
    jobs = {str(job.place): job for job in observed.run_jobs}
    messages = MAX_MESSAGES
    lines = []
    for step in observed.pipeline.spec.steps:
        place = latest_place(step.name, verdict, observed)
        job, is_recorded = jobs.get(str(place)), str(place) in observed.records
        state = verdict.states.get(str(place)) or carry_over(known.get(step.name), job, is_recorded=is_recorded)
        line = render_step(observed, place, state, jobs.get(str(place)))
        if "message" in line and not messages:
            del line["message"]
        messages -= "message" in line
        lines.append(line)
    return lines


def latest_place(step: str, verdict: PipelineVerdict, observed: PipelineObserved) -> Place:
    """Return the last iteration of a step that is known of; the only one outside of loops."""
    if observed.pipeline.spec.loop_of(step) is None:
        return Place(step=step)
    names = [*verdict.states, *(str(job.place) for job in observed.run_jobs)]
    numbers = [int(name.removeprefix(f"{step}/")) for name in names if name.startswith(f"{step}/")]
    return Place(step=step, iteration=max(numbers, default=1))


def carry_over(known: Mapping[str, Any] | None, job: StepJob | None, *, is_recorded: bool) -> str:
    """Return the state of a step of which the decision says nothing: by its job, or as it was."""
    if job is not None:
        return "Running" if job.ended is None or (job.ended == "Complete" and not is_recorded) else job.ended
    state = "Waiting" if known is None else str(known["state"])
    return "NotReached" if state == "Running" else state


def render_step(observed: PipelineObserved, place: Place, state: str, job: StepJob | None) -> dict[str, Any]:
    """Return what the status says of one step."""
    record = observed.records.get(str(place))
    line: dict[str, Any] = {"name": place.step, "state": state}
    if job is not None:
        line["job"] = job.name
    if job is not None and state == "Running" and job.progress:
        line["progress"] = job.progress
    if record is not None and state in DONE:
        line |= {"seconds": round(record.seconds), "records": record.records, "bytes": record.bytes}
        if record.files:
            line["files"] = record.files
        if state == "Reused":
            line["run"] = record.run_id if record.is_of_pipeline(observed.pipeline.uid) else record.pipeline
    digests = observed.digests.get(place.step)
    if digests is not None and digests.reason and state in ("Running", "Complete"):
        line["message"] = cut_middle(f"not reused: {digests.reason}", MAX_STEP_MESSAGE)
    if job is not None and state == "Failed":
        line["message"] = cut_middle(f"{job.reason}: {job.message}", MAX_STEP_MESSAGE)
    return line


def render_loops(observed: PipelineObserved) -> list[dict[str, Any]]:
    """Return where each loop stands: its iteration, how it has ended, and the last values of its conditions."""
    return [render_loop(observed, loop) for loop in observed.pipeline.spec.loops]


def render_loop(observed: PipelineObserved, loop: LoopSpec) -> dict[str, Any]:
    """Return where one loop stands."""
    rule, iterations = as_loop(loop), list[Iteration]()
    while all(f"{step}/{len(iterations) + 1}" in observed.records for step in loop.steps):
        number = len(iterations) + 1
        iterations.append({step: as_outcome(observed.records[f"{step}/{number}"]) for step in loop.steps})
    line: dict[str, Any] = {
        "name": loop.name,
        "state": "Running"
        if iterations or any(job.place.step in loop.steps for job in observed.run_jobs)
        else "Waiting",
        "iteration": len(iterations),
        "maxIterations": loop.max_iterations,
    }
    try:
        shown = range(max(len(iterations) - SHOWN_VALUES, 0) + 1, len(iterations) + 1)
        line["recent"] = [render_iteration(observed, loop, rule, iterations[:count]) for count in shown]
        end = find_loop_end(rule, iterations)
    except LoopError:
        return line
    return line if end is None else {**line, "state": str(end)}


def render_iteration(
    observed: PipelineObserved, loop: LoopSpec, rule: Loop, iterations: Sequence[Iteration]
) -> dict[str, Any]:
    """Return what the status says of the last one of these iterations."""
    number = len(iterations)
    line: dict[str, Any] = {
        "iteration": number,
        "seconds": round(sum(observed.records[f"{step}/{number}"].seconds for step in loop.steps), 1),
    }
    values = [show_number(each.number) for each in read_values(rule, iterations)]
    return {**line, "values": values} if values else line


def show_number(number: float | None) -> str:
    """Return a number of a condition as the status shows it."""
    return "" if number is None else f"{number:.6g}"


def find_conditions(
    observed: PipelineObserved, verdict: PipelineVerdict, status: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Condition]:
    """Return what each condition says."""
    phase, message = verdict.phase, cut_middle(verdict.message, MAX_MESSAGE)
    reason = verdict.reason or str(phase)
    found: dict[str, Condition] = {
        "Ready": (phase is PipelinePhase.COMPLETE, reason, message),
        "Reconciling": (phase not in (PipelinePhase.COMPLETE, PipelinePhase.FAILED), reason, message),
        "Stalled": (phase is PipelinePhase.FAILED, reason, message),
    }
    found |= {kind: (str(phase) == kind, reason, message) for kind in ENDINGS}
    changed = find_changes(observed, current)
    if changed:
        text = f"takes effect with the next spec.runId: {', '.join(changed)}"
        found[SPEC_CHANGED] = (True, "PinnedFieldsChanged", cut_middle(text, MAX_MESSAGE))
    ends = {each["name"]: each["state"] for each in status.get("loops") or ()}
    if ends and all(end in ENDS for end in ends.values()):
        limited = [name for name, end in ends.items() if end == LoopEnd.LIMIT_REACHED]
        told = f"reached maxIterations without convergence: {', '.join(limited)}" if limited else ""
        found[CONVERGED] = (not limited, "LimitReached" if limited else "Converged", told)
    return found


def find_changes(observed: PipelineObserved, current: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of pinned fields that were edited since the run began."""
    if not observed.digests:
        return ()
    pinned, now = (
        {name: value for name, value in spec.items() if name not in LIVE_FIELDS}
        for spec in (observed.pipeline.raw_spec, current)
    )
    return tuple(iter_differences("spec", pinned, now))


def pipeline_events_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[JobEvent]:
    """Yield the events for the changes between two statuses of a pipeline."""
    same = read_run_id(before) == read_run_id(after)
    known = {each["name"]: each for each in (before.get("steps") or () if same else ())}
    for step in after.get("steps") or ():
        yield from step_events(step, known.get(step["name"], {}))
    ended = {each["name"]: each["state"] for each in (before.get("loops") or () if same else ())}
    for loop in after.get("loops") or ():
        if loop["state"] in ENDS and ended.get(loop["name"]) != loop["state"]:
            message = f"the loop {loop['name']} ended after {render_count(loop['iteration'], 'iteration')}"
            is_limit = loop["state"] == LoopEnd.LIMIT_REACHED
            yield JobEvent(
                kind="Warning" if is_limit else "Normal",
                reason="LoopLimitReached" if is_limit else "LoopConverged",
                message=message,
            )
    told, was = find_condition(after, "Ready"), find_condition(before, "Ready")
    if told is not None and (was is None or was["reason"] != told["reason"]):
        is_bad = is_condition_true(after, "Stalled") or told["message"] != ""
        yield JobEvent(
            kind="Warning" if is_bad else "Normal", reason=told["reason"], message=told["message"] or told["reason"]
        )


def ended_steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the steps that ended between two statuses of a pipeline, or that were found to be unchanged."""
    same = read_run_id(before) == read_run_id(after)
    known = {each["name"]: each["state"] for each in (before.get("steps") or () if same else ())}
    for step in after.get("steps") or ():
        if step["state"] in (*DONE, "Failed") and known.get(step["name"]) != step["state"]:
            yield step


STEP_EVENTS: Mapping[str, tuple[str, str]] = {
    "Running": ("StepStarted", "the job of the step {name} was made: {job}"),
    "Complete": ("StepComplete", "the step {name} is complete: {records} records in {seconds} s"),
    "Reused": ("StepReused", "the step {name} is unchanged: its output of run {run} is used again"),
    "Failed": ("StepFailed", "the step {name} failed: {message}"),
}


def step_events(step: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[JobEvent]:
    """Yield the event of a step that came into another state. In a loop only its start and its failure are told."""
    state = step["state"]
    if state not in STEP_EVENTS or before.get("state") == state:
        return
    reason, text = STEP_EVENTS[state]
    filled = {"job": "", "records": "?", "seconds": "?", "run": "?", "message": "", **step}
    kind = "Warning" if state == "Failed" else "Normal"
    yield JobEvent(kind=kind, reason=reason, message=text.format_map(filled))
