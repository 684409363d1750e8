"""The local engine of pipelines: runs the operator's two loops on processes, until the run ends or is interrupted.

Rule: the loops are the operator's (`PipelineLoop` and `Reconciler`). They are only started, woken, watched and stopped.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from podreduce_operator.cli.engine import (
    PASS_PAUSE_SECONDS,
    STATUS_INTERVAL_SECONDS,
    Stop,
    first_of,
    last_status,
    listen,
    local_limits,
)
from podreduce_operator.cli.workspace import LOGS_NAME, Workspace
from podreduce_operator.cluster.local.local_jobs import LocalJobs, Machine
from podreduce_operator.cluster.local.notices import JobChanged, Notice, PodEnded, StatusWritten
from podreduce_operator.loop.pipeline_loop import PipelineLoop
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey

__all__ = ["LocalPipeline", "PipelineOutcome", "PipelineWatcher", "StepFailure", "run_pipeline_engine"]

CLEAN_UP_AFTER_SECONDS = 0.1
"""The steps that wait for a job have begun by then: in a loop, to remove the data of each iteration delays the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPipeline:
    """A pipeline on this machine.

    Attributes:
        view: the pipeline.
        config_maps: those in its file, by name and key.
        workspace: for what its jobs need while they run.
        data_uri: for its records, and the outputs without a URI.
        machine: what all tasks together may use.
    """

    view: PipelineView
    config_maps: Mapping[str, Mapping[str, str]]
    workspace: Workspace
    data_uri: str
    machine: Machine


class PipelineWatcher(Protocol):
    """Shows a running pipeline to a person."""

    def take(self, job: str, notice: Notice) -> None:
        """Handle what happened to a step's job; an empty name is the pipeline itself."""

    def take_status(self, status: Mapping[str, Any]) -> None:
        """Handle the pipeline's status."""

    def say(self, text: str, kind: str = "") -> None:
        """Show a message."""

    async def draw_regularly(self) -> None:
        """Draw until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailure:
    """A failed step: its job, with the status that says why."""

    step: str
    job: JobView
    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOutcome:
    """How a run ended: its last status, the step that failed, and whether it was interrupted."""

    status: Mapping[str, Any]
    failure: StepFailure | None = None
    interrupted: bool = False


@dataclass(slots=True)
class Engine:
    """The two loops, and the cluster that they act on."""

    cluster: LocalJobs
    jobs: Reconciler
    pipelines: PipelineLoop
    is_over: bool = False

    def wake(self, job: str, notice: Notice) -> None:
        """Let the loops see what has changed. The status of a job changes what the pipeline knows."""
        if self.is_over:
            return
        if isinstance(notice, PodEnded | JobChanged) and job in self.cluster.clusters:
            self.jobs.wake(JobKey(namespace=self.cluster.pipeline.key.namespace, name=job))
        if isinstance(notice, StatusWritten):
            self.pipelines.wake(self.cluster.pipeline.key)


async def run_pipeline_engine(local: LocalPipeline, watcher: PipelineWatcher) -> PipelineOutcome:
    """Run the pipeline to its end. If interrupted, stop every process and undo the running steps.

    Complete steps stay complete: their outputs and records are at `data_uri`.
    """
    stop = Stop(requested=asyncio.Event(), forced=asyncio.Event())
    engine = open_engine(local, watcher)
    with listen(stop):
        finished = await run_loops(engine, stop, watcher)
        failure = await find_failure(engine, local.workspace, watcher)
    return PipelineOutcome(status=engine.cluster.pipeline.status, failure=failure, interrupted=not finished)


def open_engine(local: LocalPipeline, watcher: PipelineWatcher) -> Engine:
    """Return the loops on a cluster of processes. Each wakes the other."""
    engine: Engine

    def tell(job: str, notice: Notice) -> None:
        watcher.take(job, notice)
        engine.wake(job, notice)

    async def remove_data(job: JobView) -> None:
        await asyncio.sleep(CLEAN_UP_AFTER_SECONDS)
        await engine.jobs.remove_data(job)

    cluster = LocalJobs(
        pipeline=local.view,
        config_maps=local.config_maps,
        work_directory=local.workspace.path,
        data_uri=local.data_uri,
        machine=local.machine,
        tell=tell,
        tell_status=watcher.take_status,
        remove_data=remove_data,
    )
    slots, pace = local.machine.parallelism, STATUS_INTERVAL_SECONDS
    engine = Engine(
        cluster=cluster,
        jobs=Reconciler(
            cluster,
            limits=local_limits(slots),
            status_interval_seconds=pace,
            min_pause_seconds=PASS_PAUSE_SECONDS,
            clean_up_after_seconds=CLEAN_UP_AFTER_SECONDS,
        ),
        pipelines=PipelineLoop(
            cluster, parallelism=slots, status_interval_seconds=pace, min_pause_seconds=PASS_PAUSE_SECONDS
        ),
    )
    return engine


async def run_loops(engine: Engine, stop: Stop, watcher: PipelineWatcher) -> bool:
    """Run until the pipeline has ended or a signal came, and end all processes. False if a signal came."""
    drawing = asyncio.create_task(watcher.draw_regularly())
    settling = asyncio.create_task(settle_all(engine))
    try:
        await first_of(settling, stop.requested)
        finished = settling.done()
        if finished:
            settling.result()
        else:
            watcher.say("interrupted: stopping the tasks and undoing the running steps", "warning")
            await undo(engine, stop)
    finally:
        settling.cancel()
        drawing.cancel()
        await stop_all(engine)
    return finished


async def settle_all(engine: Engine) -> None:
    """Run the pipeline to its end, and let its ended jobs clean up: the last one releases its claim after that end."""
    await engine.pipelines.settle(engine.cluster.pipeline.key)
    for job in [cluster.job for cluster in engine.cluster.clusters.values()]:
        if not is_running(job.status):
            await engine.jobs.settle(job.key)


async def undo(engine: Engine, stop: Stop) -> None:
    """Stop the loops and the tasks, then remove what the running steps have stored. A second signal ends this."""
    await stop_all(engine)
    running = [cluster.job for cluster in engine.cluster.clusters.values() if is_running(cluster.job.status)]
    removing = asyncio.create_task(remove_data_of_all(engine, running))
    await first_of(removing, stop.forced)
    removing.cancel()


async def remove_data_of_all(engine: Engine, jobs: list[JobView]) -> None:
    """Remove what these jobs have stored."""
    for job in jobs:
        await engine.jobs.remove_data(job)


async def stop_all(engine: Engine) -> None:
    """Stop both loops and every process."""
    engine.is_over = True
    await engine.pipelines.close()
    await engine.jobs.close()
    await engine.cluster.close()


def is_running(status: Mapping[str, Any]) -> bool:
    """Tell whether a job has not ended."""
    return status.get("phase") not in ("Complete", "Failed")


async def find_failure(engine: Engine, workspace: Workspace, watcher: PipelineWatcher) -> StepFailure | None:
    """Return the first failed step. Its logs, bad records and post-mortem are in the workspace then."""
    for line in engine.cluster.pipeline.status.get("steps") or ():
        cluster = engine.cluster.clusters.get(line.get("job", ""))
        if line["state"] == "Failed" and cluster is not None:
            status = await last_status(cluster, workspace, watcher.say)
            with suppress(OSError):
                (cluster.work_directory / LOGS_NAME).rename(workspace.logs)
            return StepFailure(step=line["name"], job=cluster.job, status=status)
    return None
