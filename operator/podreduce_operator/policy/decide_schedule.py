"""The scheduling policy of MapReduceSchedules: one pure function, as `decide` is for jobs.

What is said of jobs holds for pipelines: a schedule makes the one or the other, by its template. After a change of the
template it may have made both, and they count together.

The policy
----------
1. A time is due if the schedule names it, it is not in the future, and it is later than all of these: the creation, the
   last time that was dealt with, the newest job's time, and the last change of `schedule` or `timeZone` or end of a
   suspension. Of several, only the latest is due.
2. A due time whose `startingDeadlineSeconds` are over is missed: this is told once, and the time is dealt with.
3. `Forbid`: while a job has not ended, the due time waits. `Replace`: that job is deleted, and the next one is made
   when it is gone, because both write to one output. `Allow`: the job is made. Before a job is made or replaced, the
   jobs are listed from the API server itself, because an older list could deceive.
4. A suspended schedule makes no jobs. Its jobs go on.
5. The newest of the ended jobs are kept, as many as the limits say. A job that has not ended is never removed.
6. A refused job is told and tried again. The time stays due until its deadline or until a later time is due.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from podreduce_operator.model.observed import Fault
from podreduce_operator.model.schedules import (
    DeleteJobOf,
    Noun,
    ScheduleDecision,
    ScheduledJob,
    ScheduleObserved,
    ScheduleState,
    ScheduleVerdict,
    ScheduleView,
    StartJob,
)
from podreduce_operator.schedules.cron import Cron, CronError, parse_cron

__all__ = ["decide_schedule", "schedule_in_words"]

RETRY_SECONDS = 10.0
"""The pause after a job could not be made or deleted."""


def decide_schedule(observed: ScheduleObserved, now: float) -> ScheduleDecision:
    """Decide what to do about one schedule at `now` (seconds since the epoch)."""
    spec, state = observed.schedule.spec, advance(observed, now)
    pruned = () if observed.faults else tuple(prune(observed))
    try:
        cron = parse_cron(spec.schedule, spec.time_zone)
    except CronError as error:
        verdict = ScheduleVerdict(state=state, reason="InvalidSchedule", message=str(error), is_stalled=True)
        return ScheduleDecision(verdict=verdict, actions=pruned)
    if spec.suspend:
        return ScheduleDecision(verdict=ScheduleVerdict(state=state, reason="Suspended"), actions=pruned)
    decision = start_due(observed, state, cron, now)
    return look_again(replace(decision, actions=(*decision.actions, *pruned)), cron, now)


def advance(observed: ScheduleObserved, now: float) -> ScheduleState:
    """Return the state with what has changed since it was written: new jobs, another schedule, an ended suspension."""
    state, spec = observed.state, observed.schedule.spec
    known = schedule_in_words(observed.schedule)
    starts_anew = state.known not in {"", known} or (state.was_suspended and not spec.suspend)
    dealt_with = [job.scheduled_at for job in observed.jobs] + ([] if state.last_at is None else [state.last_at])
    return replace(
        state,
        last_at=max(dealt_with, default=None),
        since=now if starts_anew else state.since,
        known=known,
        was_suspended=spec.suspend,
    )


def start_due(observed: ScheduleObserved, state: ScheduleState, cron: Cron, now: float) -> ScheduleDecision:
    """Make the job of the latest due time, or say why it is not made."""
    bounds = [observed.schedule.created_at, state.last_at, state.since]
    due = cron.latest(max(at for at in bounds if at is not None), now)
    if due is None:
        return ScheduleDecision(verdict=ScheduleVerdict(state=state))
    deadline = observed.schedule.spec.starting_deadline_seconds
    seconds_left = math.inf if deadline is None else due + deadline - now
    if seconds_left < 0:
        return ScheduleDecision(verdict=ScheduleVerdict(state=replace(state, last_at=due, missed_at=due)))
    if observed.faults:
        return retry_later(observed.faults[0], state)
    return start_job(observed, state, due, seconds_left)


def start_job(observed: ScheduleObserved, state: ScheduleState, due: float, seconds_left: float) -> ScheduleDecision:
    """Make the job of a due time, as soon as the earlier jobs allow it."""
    policy = observed.schedule.spec.concurrency_policy
    running = [job for job in observed.jobs if job.ended is None]
    noun = observed.schedule.spec.noun
    if running and policy == "Forbid":
        return wait_for(running, state, seconds_left, noun)
    if not observed.is_current:
        return ScheduleDecision(verdict=ScheduleVerdict(state=state), needs_current=True)
    if running and policy == "Replace":
        return replace_jobs(running, state, noun)
    started = replace(state, last_at=due)
    return ScheduleDecision(verdict=ScheduleVerdict(state=started), actions=(StartJob(scheduled_at=due),))


def retry_later(fault: Fault, state: ScheduleState) -> ScheduleDecision:
    """Report why a job cannot be made, and try again after a pause."""
    verdict = ScheduleVerdict(state=state, reason=fault.reason, message=fault.message, is_stalled=fault.permanent)
    return ScheduleDecision(verdict=verdict, wake_after=RETRY_SECONDS)


def wait_for(
    running: Sequence[ScheduledJob], state: ScheduleState, seconds_left: float, noun: Noun
) -> ScheduleDecision:
    """Let a due time wait for the earlier jobs, at the longest until its deadline."""
    message = f"the next {noun} is due and waits for {join_names(running)} to end (concurrencyPolicy: Forbid)"
    return ScheduleDecision(
        verdict=ScheduleVerdict(state=state, reason="JobAlreadyActive", message=message),
        wake_after=None if math.isinf(seconds_left) else seconds_left + 1.0,
    )


def replace_jobs(running: Sequence[ScheduledJob], state: ScheduleState, noun: Noun) -> ScheduleDecision:
    """Delete the earlier jobs. The next one is made when they are gone."""
    message = f"the next {noun} is due: {join_names(running)} is deleted first (concurrencyPolicy: Replace)"
    deleted = tuple(delete(job, "replaced") for job in running if not job.deleting)
    return ScheduleDecision(
        verdict=ScheduleVerdict(state=state, reason="ReplacingJob", message=message), actions=deleted
    )


def join_names(jobs: Sequence[ScheduledJob]) -> str:
    """Return the names of the jobs."""
    return ", ".join(job.name for job in jobs)


def prune(observed: ScheduleObserved) -> Iterator[DeleteJobOf]:
    """Yield the deletion of ended jobs beyond the limits, the oldest of each kind."""
    spec = observed.schedule.spec
    for kind, limit in (
        ("Complete", spec.successful_jobs_history_limit),
        ("Failed", spec.failed_jobs_history_limit),
    ):
        ended = sorted((job for job in observed.jobs if job.ended == kind), key=lambda job: -job.scheduled_at)
        yield from (delete(job, "history") for job in ended[limit:] if not job.deleting)


def delete(job: ScheduledJob, why: str) -> DeleteJobOf:
    """Return the deletion of a job."""
    return DeleteJobOf(name=job.name, uid=job.uid, why=why, noun=job.noun)


def look_again(decision: ScheduleDecision, cron: Cron, now: float) -> ScheduleDecision:
    """Add the next scheduled time, and wake up then at the latest."""
    last_at = decision.verdict.state.last_at
    next_at = cron.next(now if last_at is None else max(now, last_at))
    verdict = replace(decision.verdict, next_at=next_at)
    waits = [wait for wait in (decision.wake_after, None if next_at is None else next_at - now) if wait is not None]
    return replace(decision, verdict=verdict, wake_after=min(waits, default=None))


def schedule_in_words(schedule: ScheduleView) -> str:
    """Return the schedule and its zone in one text: when this changes, the count starts anew."""
    return f"{schedule.spec.schedule} {schedule.spec.time_zone}"
