"""Observes a pipeline: its jobs, its pinned run, its records and what is left of their outputs, as one frozen value.

Rule: reads only. Jobs are listed before the store: a job publishes before its status says that it is complete.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podreduce.contract.errors import PodreduceError
from podreduce_operator.api.times import parse_time
from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.loop.observe import as_fault
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineObserved, PipelineView, StepJob
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, RunMemory
from podreduce_operator.pipeline_runs.places import result_uri
from podreduce_operator.pipeline_runs.shared_steps import holds_steps
from podreduce_operator.pipeline_runs.step_data import look_for_data, read_published_digest
from podreduce_operator.pipelines.carried_maps import keeps_maps
from podreduce_operator.pipelines.job_of_step import RUN_LABEL, read_place
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.policy.pipeline_status import read_pipeline_state
from podreduce_operator.policy.run_state import read_current_run

__all__ = ["observe_pipeline"]


async def observe_pipeline(
    pipeline: PipelineView, cluster: PipelineCluster, memory: RunMemory, parallelism: int, now: float
) -> tuple[PipelineObserved, PipelineRun | None]:
    """Return what is observed of the pipeline, and the run to act on; None if the store cannot be reached.

    Args:
        pipeline: the pipeline as last seen.
        cluster: where its jobs are.
        memory: what is known of its store.
        parallelism: the installation's limit.
        now: seconds since the epoch.
    """
    run_id = pipeline.spec.run_id
    blind = PipelineObserved(
        pipeline=pipeline,
        run=read_pipeline_state(pipeline.status, run_id),
        run_hash=hash_run(pipeline.uid, run_id),
        parallelism=min(pipeline.spec.parallelism or parallelism, parallelism),
        is_store_unreadable=True,
    )
    try:
        found = await cluster.list_steps_of(pipeline)
        blind = replace(blind, jobs=tuple(job for job in (as_step_job(each, now) for each in found) if job is not None))
        storage = await cluster.read_storage_of(pipeline)
        run = PipelineRun(view=pipeline, run_id=run_id, storage=storage, memory=memory)
        return await observe_store(blind, run)
    except (ActionError, PodreduceError) as error:
        return replace(blind, faults=(as_fault(error),)), None


async def observe_store(blind: PipelineObserved, run: PipelineRun) -> tuple[PipelineObserved, PipelineRun]:
    """Add what the store says. What is published at URIs counts only when no job of the run is running any more."""
    run = await run.read()
    is_running = any(job.ended is None for job in blind.run_jobs)
    observed = replace(
        blind,
        pipeline=run.view,
        digests=run.digests(),
        records=dict(run.memory.records),
        data=await look_for_data(run),
        published={} if is_running else await find_published(run),
        is_store_unreadable=False,
        holds_steps=blind.run.terminal is None or await holds_steps(run),
    )
    return observed, run


async def find_published(run: PipelineRun) -> dict[str, str]:
    """Return the digest of what lies at the URI of each step of a loop."""
    spec = run.view.spec
    uris = {step: result_uri(spec, step) for loop in spec.loops for step in loop.steps} if run.pinned else {}
    found = {step: await read_published_digest(run.storage.open(uri)) for step, uri in uris.items() if uri is not None}
    return {step: digest for step, digest in found.items() if digest is not None}


def as_step_job(job: JobView, now: float) -> StepJob | None:
    """Return a job as its pipeline sees it; None if its labels do not say which step it is of."""
    place = read_place(job.labels)
    if place is None:
        return None
    state = read_current_run(job.status, job.spec.run_id)
    maps, reduces = job.status.get("map", {}), job.status.get("reduce", {})
    share = job.spec.parallelism or 1
    return StepJob(
        name=job.key.name,
        uid=job.uid,
        place=place,
        run=job.labels.get(RUN_LABEL, ""),
        ended=state.terminal,
        reason=state.reason,
        message=state.message,
        share=share,
        active=maps.get("active", 0) + reduces.get("active", 0),
        wanted=count_wanted(maps, reduces),
        bytes_left=count_bytes_left(job.status),
        seconds=count_seconds(job.status, now),
        progress=describe_progress(maps, reduces),
        suspended=job.spec.suspend,
        deleting=job.deleting,
        keeps_maps=keeps_maps(job.labels),
    )


MOST_TASKS = 1_000_000


def count_wanted(maps: Mapping[str, Any], reduces: Mapping[str, Any]) -> int:
    """Return how many tasks the job's wave has left; as many as can be while that is not known."""
    for tasks in (maps, reduces):
        total = tasks.get("total")
        if total is None:
            return MOST_TASKS
        if tasks.get("succeeded", 0) < total:
            return int(total - tasks.get("succeeded", 0))
    return 1


def count_bytes_left(status: Mapping[str, Any]) -> int:
    """Return what the job's maps have still to read, by the share of the maps that are complete."""
    maps, size = status.get("map", {}), status.get("plan", {}).get("bytes", 0)
    total = maps.get("total") or 1
    return int(size * max(total - maps.get("succeeded", 0), 0) / total)


def count_seconds(status: Mapping[str, Any], now: float) -> float:
    """Return how long the job's run has taken, or took."""
    started, ended = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    return 0.0 if started is None else max((now if ended is None else ended) - started, 0.0)


def describe_progress(maps: Mapping[str, Any], reduces: Mapping[str, Any]) -> str:
    """Return the tasks of the running wave, such as `maps 3/8`."""
    if reduces.get("succeeded") or reduces.get("active"):
        return f"reduces {reduces.get('progress', '')}"
    return f"maps {maps['progress']}" if "progress" in maps else ""
