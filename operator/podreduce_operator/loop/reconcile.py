"""A pass over a job: observe, decide, apply, and one status write. `passes` runs them.

Rule: level-triggered. If an event is missed, the next pass still sees its effect. This is the only module that calls
`decide`.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.loop.adoption import Adoption
from podreduce_operator.loop.apply import Applied, Applier, FaultPoint
from podreduce_operator.loop.observe import observe
from podreduce_operator.loop.passes import MIN_PAUSE_SECONDS, Passes, Wait, Worker, wait_for_wake
from podreduce_operator.loop.program_reading import ProgramReading
from podreduce_operator.loop.telemetry import Telemetry
from podreduce_operator.model.actions import CreatePod, DeleteJob, DeletePod, KeepAttempts
from podreduce_operator.model.decisions import Decision, Phase
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.decide import decide
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.run_cleanup import has_settled
from podreduce_operator.policy.run_state import read_installation, read_run_id, read_run_state
from podreduce_operator.policy.status import build_status
from podreduce_operator.policy.wave_progress import WAVE_SECONDS
from podreduce_operator.runs.record_budget import RecordBudget
from podreduce_operator.runs.remove_run import discard_job
from podreduce_operator.runs.run import Run, RunCache

__all__ = ["Reconciler"]

STATUS_INTERVAL_SECONDS = 1.0
RESYNC_SECONDS = 60.0
REST_SECONDS = 3600.0
"""The longest pause of a settled job whose ttl still runs. Its passes ask nobody; they notice that a clock was set."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class JobWorker(Worker):
    """One job's loop.

    Attributes:
        status_written_at: when the status was last written (monotonic).
        phase_written: the phase that was last written. The first status of an end, and of the commit, which waits for
            it, is not delayed; later ones are.
        phase_began_at: when the job came into the phase that its status shows (monotonic); None if that was not seen.
        troubled_since: since when every pass has met a fault (by the clock); None if the last one met none.
        program: the readings of the job's ConfigMap that failed.
    """

    status_written_at: float = -math.inf
    phase_written: Phase | None = None
    phase_began_at: float | None = None
    troubled_since: float | None = None
    program: ProgramReading = field(default_factory=ProgramReading)


class Reconciler:
    """Runs the loop of every job that is woken.

    Args:
        cluster: pods and jobs.
        limits: what the installation allows each job.
        installation: it adopts the jobs that have no installation yet, and only its own jobs are run. None runs all.
        fault_point: called around each action. Tests use it to crash the operator.
        status_interval_seconds: the least time between two status writes of a job.
        clock: seconds since the epoch.
        monotonic: seconds that only go forward, by which passes are due and overdue.
        wait: waits for a job's wake-up, so many seconds at most.
        telemetry: told what happens.
        record_bytes: how much memory the records of all runs may take.
        min_pause_seconds: the least pause between two passes over a job.
        clean_up_after_seconds: how long after a job's end its data is removed, so that what waits for the end is first.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        limits: Limits,
        installation: str | None = None,
        fault_point: FaultPoint | None = None,
        status_interval_seconds: float = STATUS_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = wait_for_wake,
        telemetry: Telemetry | None = None,
        record_bytes: float = math.inf,
        min_pause_seconds: float = MIN_PAUSE_SECONDS,
        clean_up_after_seconds: float = 0.0,
    ) -> None:
        self.cluster = cluster
        self.limits = limits
        self.adoption = Adoption(installation)
        self.status_interval_seconds = status_interval_seconds
        self.clean_up_after_seconds = clean_up_after_seconds
        self.clock = clock
        self.monotonic = monotonic
        self.telemetry = telemetry or Telemetry()
        self.cache = RunCache(
            on_attempt_end=self.telemetry.on_attempt_end, budget=RecordBudget(most_bytes=record_bytes)
        )
        self.applier = Applier(cluster=cluster, cache=self.cache, fault_point=fault_point, telemetry=self.telemetry)
        self.passes = Passes(
            "job",
            JobWorker,
            self.reconcile,
            monotonic=monotonic,
            wait=wait,
            on_pass=self.telemetry.on_pass,
            min_pause_seconds=min_pause_seconds,
        )
        self.left_alone: set[str] = set()

    def wake(self, key: JobKey) -> None:
        """Start a pass for the job soon. This is cheap, and harmless if there is nothing to do."""
        self.passes.wake(key)

    async def settle(self, key: JobKey) -> None:
        """Run the job until it is terminal, cleaned up, and its status says so. Return early if the job is gone."""
        await self.passes.settle(key)

    async def remove_data(self, job: JobView) -> None:
        """Remove everything that a deleted job stored except its output."""
        self.passes.drop(job.key)
        if self.adoption.is_foreign(job.status):
            self.left_alone.discard(job.uid)
            return
        await discard_job(job, self.cluster, self.cache)

    async def close(self) -> None:
        """Stop all loops at once, wherever they are, as a restart does."""
        await self.passes.close()

    async def reconcile(self, key: JobKey, worker: JobWorker) -> float | None:
        """Make one pass. Return the seconds until the next pass (infinite: none is due), or None if the job is gone."""
        job = await self.cluster.find_job(key)
        if job is None or job.deleting:
            return None
        if self.adoption.is_foreign(job.status):
            await self.leave_alone(job)
            return None
        self.left_alone.discard(job.uid)
        if not await self.adoption.adopt(job.uid, job.status, worker, partial(self.cluster.write_status, job)):
            return 0.0
        started = self.monotonic()
        seen = await worker.program.compare(job, self.cluster, self.clock())
        observed, run = await observe(job, self.cluster, self.cache, self.limits, self.clock(), seen=seen)
        worker.observing_seconds = self.monotonic() - started
        observed = replace(observed, troubled_since=worker.troubled_since)
        decision, observed = await self.act(observed, run, self.clock())
        worker.troubled_since = faults_since(observed, self.clock())
        status_due = await self.write_status(observed, run, decision, worker)
        settled = is_settled(observed, decision)
        if settled and status_due is None:
            worker.settled.set()
        rests = settled and not observed.faults and has_settled(observed.run, self.clock())
        if settled and not observed.faults:
            self.cache.forget(job)
        seconds = seconds_to_next_pass(observed, decision, status_due, rests=rests)
        return min(seconds, worker.program.seconds_left(self.clock()))

    async def leave_alone(self, job: JobView) -> None:
        """Say once that nothing is done for the job. An event is all: its conditions are the other installation's."""
        if job.uid in self.left_alone:
            return
        self.left_alone.add(job.uid)
        owner = read_installation(job.status)
        log.info("job left alone: it belongs to another installation", job=str(job.key), installation=owner)
        message = (
            f"the installation {self.adoption.installation} serves this namespace and does nothing for this job: "
            f"it belongs to the installation {owner} (status.installation); "
            "see Several installations in docs/operations.md"
        )
        await self.cluster.record_event(job, "Normal", "LeftAlone", message)

    async def act(self, observed: Observed, run: Run | None, now: float) -> tuple[Decision, Observed]:
        """Decide and apply. After a fault, decide again in the same pass. Return what the status reports."""
        decision = decide(observed, now)
        log.debug("decided", job=str(observed.job.key), decision=str(decision))
        applied = await self.apply(decision, run, observed)
        if applied.is_cut_short:
            decision = replace(decision, wake_after=0.0)
        if not applied.faults:
            return decision, observed
        fault = applied.faults[0]
        log.warning("action failed", job=str(observed.job.key), reason=fault.reason, message=fault.message)
        faulty = replace(observed, faults=applied.faults)
        decision = decide(faulty, now)
        await self.apply(decision, run, faulty)
        return decision, faulty

    async def apply(self, decision: Decision, run: Run | None, observed: Observed) -> Applied:
        """Apply a decision. Without the store, only pods and the job are deleted."""
        if run is not None:
            return await self.applier.apply(decision.actions, run)
        return await self.applier.apply_without_store(decision.actions, observed.job)

    async def write_status(
        self, observed: Observed, run: Run | None, decision: Decision, worker: JobWorker
    ) -> float | None:
        """Write the status if it changed and is due. Return after how many seconds to check it again, if needed."""
        plan = None if run is None else run.records.plan
        status = build_status(observed, decision.verdict, self.clock(), None if plan is None else plan.spec)
        look_again = WAVE_SECONDS if "wave" in status else None
        if status == observed.job.status:
            return look_again
        due_in = worker.status_written_at + self.status_interval_seconds - self.monotonic()
        is_awaited = decision.verdict.is_terminal or decision.verdict.phase is Phase.COMMITTING
        if due_in > 0 and not (is_awaited and worker.phase_written is not decision.verdict.phase):
            return due_in
        if not await self.cluster.write_status(observed.job, status):
            return 0.0
        worker.status_written_at = self.monotonic()
        worker.phase_written = decision.verdict.phase
        self.note_phase(observed.job.status.get("phase"), status.get("phase"), worker)
        log_progress(observed.job, status)
        for event in events_between(observed.job.status, status):
            await self.cluster.record_event(observed.job, event.kind, event.reason, event.message)
        return self.clean_up_after_seconds if decision.verdict.is_terminal else look_again

    def note_phase(self, before: str | None, after: str | None, worker: JobWorker) -> None:
        """Report how long the job was in its phase, if it has left it."""
        if after == before:
            return
        if before is not None and worker.phase_began_at is not None:
            self.telemetry.on_phase_end(before, self.monotonic() - worker.phase_began_at)
        worker.phase_began_at = self.monotonic()


def log_progress(job: JobView, status: Mapping[str, Any]) -> None:
    """Log a line when a run starts and a line when it ends. `status` was just written."""
    run_id = str(read_run_id(status))
    before, after = read_run_state(job.status, run_id), read_run_state(status, run_id)
    run_log = log.bind(job=str(job.key), run_id=run_id)
    if read_run_id(job.status) != run_id:
        run_log.info("run started")
    if after.terminal is not None and before.terminal is None:
        seconds = (after.completed_at or 0.0) - (after.started_at or after.completed_at or 0.0)
        run_log.info("run ended", result=after.terminal, reason=after.reason, seconds=round(seconds))


def faults_since(observed: Observed, now: float) -> float | None:
    """Return since when the job's passes have met faults; None if this one met none."""
    if not observed.faults:
        return None
    return now if observed.troubled_since is None else observed.troubled_since


def is_settled(observed: Observed, decision: Decision) -> bool:
    """Tell whether a terminal run has no unfinished pods and nothing to do before its ttl ends."""
    if observed.faults and observed.has_intermediates:
        return False
    unfinished = any(not pod.is_finished for pod in observed.pods)
    return observed.run.terminal is not None and not decision.actions and not unfinished


def seconds_to_next_pass(observed: Observed, decision: Decision, status_due: float | None, *, rests: bool) -> float:
    """Return the seconds until the next pass. It is due at once after an action that causes no event.

    A job that rests is looked at again when something expires; if nothing does, never. A clean-up that failed has its
    own pace.
    """
    causes_no_event = any(
        not isinstance(each, CreatePod | DeletePod | DeleteJob | KeepAttempts) for each in decision.actions
    )
    if causes_no_event and not observed.faults:
        return 0.0
    times = [at for at in (decision.wake_after, status_due) if at is not None]
    if observed.faults and decision.verdict.is_terminal:
        return min(times, default=RESYNC_SECONDS)
    if times or not rests:
        times.append(REST_SECONDS if rests else RESYNC_SECONDS)
    return min(times, default=math.inf)
