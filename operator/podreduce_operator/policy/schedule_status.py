"""Builds a schedule's status, reads it back, and tells what changed by events. Rule: pure.

A schedule is Ready whatever its jobs do, so that GitOps does not wait for them: the condition LastRunFailed tells it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from podreduce.contract.texts import cut_middle
from podreduce_operator.api.times import parse_time, render_time
from podreduce_operator.model.schedules import Noun, ScheduledJob, ScheduleObserved, ScheduleState, ScheduleVerdict
from podreduce_operator.policy.conditions import Condition, write_conditions
from podreduce_operator.policy.job_events import JobEvent
from podreduce_operator.policy.run_conditions import MAX_MESSAGE
from podreduce_operator.policy.run_state import find_condition, is_condition_true, read_conditions, read_installation

__all__ = ["build_schedule_status", "read_schedule_state", "schedule_events_between"]

MAX_ACTIVE = 10
MAX_OBSERVED = 300
LAST_RUN_FAILED = "LastRunFailed"
SUSPENDED = "Suspended"
SPEC_NOT_UNDERSTOOD = "SpecNotUnderstood"
ALL_WELL = "Scheduled"


def read_schedule_state(status: Mapping[str, Any]) -> ScheduleState:
    """Read what the status says about the schedule."""
    return ScheduleState(
        last_at=parse_time(status.get("lastScheduleTime")),
        since=parse_time(status.get("scheduleSince")),
        known=status.get("observedSchedule", ""),
        was_suspended=is_condition_true(status, SUSPENDED),
        missed_at=parse_time(status.get("lastMissedTime")),
    )


def build_schedule_status(observed: ScheduleObserved, verdict: ScheduleVerdict, now: float) -> dict[str, Any]:
    """Return the schedule's whole status."""
    schedule, state = observed.schedule, verdict.state
    known = {condition["type"]: condition for condition in read_conditions(schedule.status)}
    complete = [job.scheduled_at for job in observed.jobs if job.ended == "Complete"]
    known_success = parse_time(schedule.status.get("lastSuccessfulTime"))
    succeeded = max([*complete, *([] if known_success is None else [known_success])], default=None)
    fields = {
        "observedGeneration": schedule.generation,
        "installation": read_installation(schedule.status),
        "lastScheduleTime": render_optional(state.last_at),
        "nextScheduleTime": render_optional(verdict.next_at),
        "lastMissedTime": render_optional(state.missed_at),
        "lastSuccessfulTime": render_optional(succeeded),
        "scheduleSince": render_optional(state.since),
        "observedSchedule": state.known[:MAX_OBSERVED] or None,
        "active": sorted(job.name for job in observed.jobs if job.ended is None)[:MAX_ACTIVE] or None,
        "conditions": write_conditions(find_conditions(observed, verdict), known, schedule.generation, now),
    }
    return {name: value for name, value in fields.items() if value is not None}


def render_optional(seconds: float | None) -> str | None:
    """Return a time as text, if there is one."""
    return None if seconds is None else render_time(seconds)


def find_conditions(observed: ScheduleObserved, verdict: ScheduleVerdict) -> dict[str, Condition]:
    """Return what each condition says."""
    noun = observed.schedule.spec.noun
    all_well = (ALL_WELL, f"{noun}s are made at their times")
    reason, text = (verdict.reason, verdict.message) if verdict.reason else all_well
    message = cut_middle(text, MAX_MESSAGE)
    suspended = observed.schedule.spec.suspend
    waits = bool(verdict.reason) and not verdict.is_stalled and not suspended
    found: dict[str, Condition] = {
        "Ready": (not verdict.is_stalled, reason, message),
        "Reconciling": (waits, reason, message),
        "Stalled": (verdict.is_stalled, reason, message),
        SUSPENDED: (suspended, SUSPENDED, f"no {noun}s are made (suspend: true)"),
    }
    last = find_last_ended(observed)
    if last is not None:
        found[LAST_RUN_FAILED] = (last.ended == "Failed", f"Last{last.ended}", f"the {last.noun} {last.name} failed")
    if observed.schedule.spec_error:
        told = f"{observed.schedule.spec_error}; the schedule goes on with its last spec"
        found[SPEC_NOT_UNDERSTOOD] = (True, "InvalidSpec", cut_middle(told, MAX_MESSAGE))
    return found


def find_last_ended(observed: ScheduleObserved) -> ScheduledJob | None:
    """Return the job with the latest scheduled time that has ended."""
    ended = [job for job in observed.jobs if job.ended is not None]
    return max(ended, key=lambda job: job.scheduled_at, default=None)


def schedule_events_between(before: Mapping[str, Any], after: Mapping[str, Any], noun: Noun) -> Iterator[JobEvent]:
    """Yield the events for the changes between two statuses of a schedule. `noun`: what it makes."""
    missed = after.get("lastMissedTime")
    if missed != before.get("lastMissedTime"):
        message = f"the {noun} of {missed} was not made: startingDeadlineSeconds are over"
        yield JobEvent(kind="Warning", reason="MissedSchedule", message=message)
    elif after.get("lastScheduleTime") != before.get("lastScheduleTime"):
        yield JobEvent(kind="Normal", reason="JobStarted", message=f"made the {noun} of {after['lastScheduleTime']}")
    told, known = find_condition(after, "Ready"), find_condition(before, "Ready")
    if told is not None and told["reason"] != ALL_WELL and (known is None or known["reason"] != told["reason"]):
        kind = "Normal" if told["status"] == "True" else "Warning"
        yield JobEvent(kind=kind, reason=told["reason"], message=told["message"] or told["reason"])
