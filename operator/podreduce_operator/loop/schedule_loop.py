"""A pass over a schedule: observe, decide, apply, and one status write. `passes` runs them.

Rule: level-triggered. This is the only module that calls `decide_schedule`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from podreduce_operator.api.crd import PIPELINES
from podreduce_operator.cluster.interface import ScheduleCluster
from podreduce_operator.loop.adoption import Adoption
from podreduce_operator.loop.passes import Passes, Wait, Worker, wait_for_wake
from podreduce_operator.loop.telemetry import ScheduleTelemetry
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.model.schedules import (
    ScheduleAction,
    ScheduleDecision,
    ScheduledJob,
    ScheduleObserved,
    ScheduleView,
    StartJob,
)
from podreduce_operator.pipeline_runs.remove_data import discard_steps_of
from podreduce_operator.policy.decide_schedule import decide_schedule
from podreduce_operator.policy.run_state import read_current_run
from podreduce_operator.policy.schedule_status import (
    build_schedule_status,
    read_schedule_state,
    schedule_events_between,
)
from podreduce_operator.schedules.job_of_schedule import TemplateError, build_scheduled, read_scheduled_at

__all__ = ["ScheduleLoop"]

RESYNC_SECONDS = 300.0
"""The longest pause. A pass asks nobody; it notices that a clock was set."""

log = structlog.get_logger(__name__)


class ScheduleLoop:
    """Runs the loop of every schedule that is woken.

    Args:
        cluster: schedules and what they make.
        installation: it adopts the schedules that have no installation yet, and only its own are served. None: all.
        clock: seconds since the epoch.
        monotonic: seconds that only go forward.
        wait: waits for a wake-up, so many seconds at most.
        fault_point: called around each action. Tests use it to crash the operator.
        telemetry: told what happens.
    """

    def __init__(
        self,
        cluster: ScheduleCluster,
        *,
        installation: str | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = wait_for_wake,
        fault_point: Callable[[str, ScheduleAction], None] | None = None,
        telemetry: ScheduleTelemetry | None = None,
    ) -> None:
        self.cluster = cluster
        self.adoption = Adoption(installation)
        self.clock = clock
        self.fault_point = fault_point or (lambda _when, _action: None)
        self.telemetry = telemetry or ScheduleTelemetry()
        self.passes = Passes("schedule", Worker, self.reconcile, monotonic=monotonic, wait=wait)

    def wake(self, key: JobKey) -> None:
        """Start a pass for the schedule soon. This is cheap, and harmless if there is nothing to do."""
        self.passes.wake(key)

    async def remove_data(self, schedule: ScheduleView) -> None:
        """Remove what the pipelines of a deleted schedule had in common."""
        self.passes.drop(schedule.key)
        if not self.adoption.is_foreign(schedule.status) and schedule.spec.makes is PIPELINES:
            await discard_steps_of(schedule, self.cluster)

    async def close(self) -> None:
        """Stop all loops at once, wherever they are, as a restart does."""
        await self.passes.close()

    async def reconcile(self, key: JobKey, worker: Worker) -> float | None:
        """Make one pass. Return the seconds until the next pass, or None if the schedule is gone or is not ours."""
        schedule = await self.cluster.find_schedule(key)
        if schedule is None or schedule.deleting or self.adoption.is_foreign(schedule.status):
            return None
        write = partial(self.cluster.write_schedule_status, schedule)
        if not await self.adoption.adopt(schedule.uid, schedule.status, worker, write):
            return 0.0
        observed = await self.observe(schedule, current=False)
        decision = decide_schedule(observed, self.clock())
        if decision.needs_current:
            observed = await self.observe(schedule, current=True)
            decision = decide_schedule(observed, self.clock())
        decision, observed = await self.act(decision, observed)
        if not await self.write_status(observed, decision):
            return 0.0
        return min(math.inf if decision.wake_after is None else decision.wake_after, RESYNC_SECONDS)

    async def observe(self, schedule: ScheduleView, *, current: bool) -> ScheduleObserved:
        """Return everything that is known about the schedule. If its jobs cannot be listed, this is a fault."""
        state, faults = read_schedule_state(schedule.status), tuple[Fault, ...]()
        try:
            found = await self.cluster.list_jobs_of(schedule, current=current)
        except ActionError as error:
            found, faults = (), (error.as_fault(),)
        jobs = tuple(job for job in map(as_scheduled_job, found) if job is not None)
        return ScheduleObserved(schedule=schedule, state=state, jobs=jobs, is_current=current, faults=faults)

    async def act(
        self, decision: ScheduleDecision, observed: ScheduleObserved
    ) -> tuple[ScheduleDecision, ScheduleObserved]:
        """Apply a decision. After a fault, decide again in the same pass. Return what the status reports."""
        log.debug("decided", schedule=str(observed.schedule.key), decision=str(decision))
        for action in decision.actions:
            try:
                self.fault_point("before", action)
                await self.apply(action, observed.schedule)
                self.fault_point("after", action)
            except ActionError as error:
                fault = error.as_fault()
                log.warning(
                    "action failed", schedule=str(observed.schedule.key), reason=fault.reason, message=str(error)
                )
                faulty = replace(observed, faults=(fault,))
                return decide_schedule(faulty, self.clock()), faulty
        return decision, observed

    async def apply(self, action: ScheduleAction, schedule: ScheduleView) -> None:
        """Carry out an action.

        Raises:
            ActionError: the cluster refuses it, or the template does not fit the schedule.
        """
        if isinstance(action, StartJob):
            try:
                manifest = build_scheduled(schedule, action.scheduled_at)
            except TemplateError as error:
                raise ActionError("InvalidTemplate", str(error), permanent=True) from error
            await self.cluster.create_job(schedule, manifest)
            self.telemetry.on_start(max(0.0, self.clock() - action.scheduled_at))
            log.info("made", kind=manifest["kind"], name=manifest["metadata"]["name"], schedule=str(schedule.key))
            return
        await self.cluster.delete_job_of(schedule, action.noun, action.name, action.uid)

    async def write_status(self, observed: ScheduleObserved, decision: ScheduleDecision) -> bool:
        """Write the status if it changed. Return False if the schedule has changed meanwhile."""
        before = observed.schedule.status
        status = build_schedule_status(observed, decision.verdict, self.clock())
        if status == before:
            return True
        if not await self.cluster.write_schedule_status(observed.schedule, status):
            return False
        if status.get("lastMissedTime") != before.get("lastMissedTime"):
            self.telemetry.on_missed()
        for event in schedule_events_between(before, status, observed.schedule.spec.noun):
            await self.cluster.record_schedule_event(observed.schedule, event.kind, event.reason, event.message)
        return True


def as_scheduled_job(job: JobView | PipelineView) -> ScheduledJob | None:
    """Return a job or a pipeline as its schedule sees it; None if its name has no scheduled time."""
    scheduled_at = read_scheduled_at(job.key.name)
    if scheduled_at is None:
        return None
    ended = read_current_run(job.status, job.spec.run_id).terminal
    return ScheduledJob(
        name=job.key.name,
        uid=job.uid,
        scheduled_at=scheduled_at,
        ended=ended,
        deleting=job.deleting,
        noun="job" if isinstance(job, JobView) else "pipeline",
    )
