"""A pass over a pipeline: observe, decide, apply, and one status write. `passes` runs them.

Rule: level-triggered. This is the only module that calls `decide_pipeline`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.loop.adoption import Adoption
from podreduce_operator.loop.apply_pipeline import FaultPoint, apply_pipeline
from podreduce_operator.loop.observe_pipeline import observe_pipeline
from podreduce_operator.loop.passes import MIN_PAUSE_SECONDS, Passes, Wait, Worker, wait_for_wake
from podreduce_operator.loop.telemetry import PipelineTelemetry
from podreduce_operator.model.pipelines import PipelineDecision, PipelineObserved, PipelineView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, RunMemory
from podreduce_operator.pipeline_runs.remove_data import discard_pipeline
from podreduce_operator.policy.decide_pipeline import decide_pipeline
from podreduce_operator.policy.pipeline_status import build_pipeline_status, ended_steps, pipeline_events_between

__all__ = ["PipelineLoop"]

STATUS_INTERVAL_SECONDS = 1.0
RESYNC_SECONDS = 60.0
REST_SECONDS = 3600.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PipelineWorker(Worker):
    """One pipeline's loop.

    Attributes:
        uid: of the pipeline that `memory` is about.
        memory: what is known of its store.
        status_written_at: when the status was last written (monotonic). The status of an end is not delayed.
    """

    uid: str = ""
    memory: RunMemory = field(default_factory=RunMemory)
    status_written_at: float = -math.inf


class PipelineLoop:
    """Runs the loop of every pipeline that is woken.

    Args:
        cluster: pipelines and the jobs of their steps.
        parallelism: how many tasks of one pipeline may run at a time, at most.
        installation: it adopts the pipelines that have no installation yet, and only its own are served. None: all.
        fault_point: called around each action. Tests use it to crash the operator.
        telemetry: told what happens.
        status_interval_seconds: the least time between two status writes of a pipeline.
        clock: seconds since the epoch.
        monotonic: seconds that only go forward.
        wait: waits for a wake-up, so many seconds at most.
        min_pause_seconds: the least pause between two passes over a pipeline.
    """

    def __init__(
        self,
        cluster: PipelineCluster,
        *,
        parallelism: int,
        installation: str | None = None,
        fault_point: FaultPoint | None = None,
        telemetry: PipelineTelemetry | None = None,
        status_interval_seconds: float = STATUS_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = wait_for_wake,
        min_pause_seconds: float = MIN_PAUSE_SECONDS,
    ) -> None:
        self.cluster = cluster
        self.parallelism = parallelism
        self.adoption = Adoption(installation)
        self.fault_point = fault_point or (lambda _when, _action: None)
        self.telemetry = telemetry or PipelineTelemetry()
        self.status_interval_seconds = status_interval_seconds
        self.clock = clock
        self.monotonic = monotonic
        self.passes = Passes(
            "pipeline",
            PipelineWorker,
            self.reconcile,
            monotonic=monotonic,
            wait=wait,
            min_pause_seconds=min_pause_seconds,
        )

    def wake(self, key: JobKey) -> None:
        """Start a pass for the pipeline soon. This is cheap, and harmless if there is nothing to do."""
        self.passes.wake(key)

    async def settle(self, key: JobKey) -> None:
        """Run the pipeline until its run has ended and its status says so. Return early if it is gone."""
        await self.passes.settle(key)

    async def remove_data(self, pipeline: PipelineView) -> None:
        """Remove everything that a deleted pipeline stored except its results."""
        self.passes.drop(pipeline.key)
        if not self.adoption.is_foreign(pipeline.status):
            await discard_pipeline(pipeline, self.cluster)

    async def close(self) -> None:
        """Stop all loops at once, wherever they are, as a restart does."""
        await self.passes.close()

    async def reconcile(self, key: JobKey, worker: PipelineWorker) -> float | None:
        """Make one pass. Return the seconds until the next pass, or None if the pipeline is gone or is not ours."""
        pipeline = await self.cluster.find_pipeline(key)
        if pipeline is None or pipeline.deleting or self.adoption.is_foreign(pipeline.status):
            return None
        write = partial(self.cluster.write_pipeline_status, pipeline)
        if not await self.adoption.adopt(pipeline.uid, pipeline.status, worker, write):
            return 0.0
        if worker.uid != pipeline.uid:
            worker.uid, worker.memory = pipeline.uid, RunMemory()
        started = self.monotonic()
        observed, run = await observe_pipeline(pipeline, self.cluster, worker.memory, self.parallelism, self.clock())
        worker.observing_seconds = self.monotonic() - started
        decision, observed = await self.act(observed, run)
        status_due = await self.write_status(pipeline, observed, decision, worker)
        if decision.verdict.is_terminal and not decision.actions and status_due is None:
            worker.settled.set()
        return seconds_to_next_pass(observed, decision, status_due)

    async def act(
        self, observed: PipelineObserved, run: PipelineRun | None
    ) -> tuple[PipelineDecision, PipelineObserved]:
        """Decide and apply. After a fault, decide again in the same pass. Return what the status reports."""
        decision = decide_pipeline(observed, self.clock())
        key = str(observed.pipeline.key)
        log.debug("decided", pipeline=key, decision=str(decision))
        faults = await apply_pipeline(decision, observed, run, self.cluster, self.fault_point)
        if not faults:
            return decision, observed
        log.warning("action failed", pipeline=key, reason=faults[0].reason, message=faults[0].message)
        faulty = replace(observed, faults=faults)
        return decide_pipeline(faulty, self.clock()), faulty

    async def write_status(
        self, pipeline: PipelineView, observed: PipelineObserved, decision: PipelineDecision, worker: PipelineWorker
    ) -> float | None:
        """Write the status if it changed and is due. Return after how many seconds to look again, if needed."""
        status = build_pipeline_status(observed, decision.verdict, self.clock(), current=pipeline.raw_spec)
        if status == pipeline.status:
            return None
        due_in = worker.status_written_at + self.status_interval_seconds - self.monotonic()
        if due_in > 0 and not decision.verdict.is_terminal:
            return due_in
        if not await self.cluster.write_pipeline_status(pipeline, status):
            return 0.0
        worker.status_written_at = self.monotonic()
        for step in ended_steps(pipeline.status, status):
            self.telemetry.on_step(step["state"], step.get("seconds", 0.0), step.get("bytes", 0))
        for event in pipeline_events_between(pipeline.status, status):
            await self.cluster.record_pipeline_event(pipeline, event.kind, event.reason, event.message)
        return 0.0 if decision.verdict.is_terminal else None


def seconds_to_next_pass(observed: PipelineObserved, decision: PipelineDecision, status_due: float | None) -> float:
    """Return the seconds until the next pass. After an action without a fault the world is looked at again at once."""
    if decision.actions and not observed.faults:
        return 0.0
    rest = REST_SECONDS if decision.verdict.is_terminal else RESYNC_SECONDS
    return min([at for at in (decision.wake_after, status_due) if at is not None] + [rest])
