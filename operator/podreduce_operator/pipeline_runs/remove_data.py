"""Removes what a pipeline stored: outputs without a URI, earlier runs' plans, all but the results of a deleted one.

The pipelines of a schedule may share their outputs without a URI. They are removed with the schedule.
"""

from functools import partial

import structlog

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import job_prefix
from podreduce_operator.cluster.interface import PipelineCluster, ScheduleCluster
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import Data, PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, Seen
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, STEPS
from podreduce_operator.pipeline_runs.shared_steps import remove_steps_output
from podreduce_operator.runs.remove_run import (
    LEFT_TO_SWEEPER,
    discard_run,
    discard_runs_of,
    find_runs,
    wait_until_gone,
)

__all__ = ["discard_pipeline", "discard_steps_of", "remove_earlier_plans", "remove_output"]


log = structlog.get_logger(__name__)


async def remove_output(run: PipelineRun, place: Place) -> None:
    """Remove the output of a step, which has no URI. Its record stays. What another pipeline uses by now stays, too."""
    if not await remove_steps_output(run, f"{DATA_PREFIX}{place}/"):
        return
    record = run.memory.records.get(str(place))
    if record is not None:
        run.memory.data[str(place)] = Seen(record.job_uid, Data.GONE, run.monotonic())


async def remove_earlier_plans(run: PipelineRun) -> None:
    """Remove what earlier runs of the pipeline have pinned. Its records, which a run reuses, stay."""
    storage, key = run.storage, run.view.key
    try:
        async for found in find_runs(storage, job_prefix(storage.installation, key.namespace, key.name)):
            if found.uid == run.view.uid and found.run_id not in (run.run_id, STEPS):
                await discard_run(storage, found)
                run.memory.pinned.pop(found.run_id, None)
    except (ActionError, PodreduceError) as error:
        log.warning("plans of earlier runs not removed: the next run tries again", pipeline=str(key), error=str(error))


async def discard_pipeline(pipeline: PipelineView, cluster: PipelineCluster) -> None:
    """Remove the plans, the records and the outputs without a URI of a deleted pipeline. Its jobs go by themselves."""
    try:
        await discard_runs_of(pipeline, await cluster.read_storage_of(pipeline))
    except (ActionError, PodreduceError) as error:
        log.warning(LEFT_TO_SWEEPER, pipeline=str(pipeline.key), uid=pipeline.uid, error=str(error))


async def discard_steps_of(schedule: ScheduleView, cluster: ScheduleCluster) -> None:
    """Remove the records and the outputs without a URI that the pipelines of a deleted schedule had in common.

    Its pipelines are deleted with it, and are waited for, because their jobs may still write.
    """
    try:
        storage = await cluster.read_storage_of_steps(schedule)
        await wait_until_gone(partial(cluster.list_jobs_of, schedule, current=True))
        await discard_runs_of(schedule, storage)
    except (ActionError, PodreduceError) as error:
        log.warning(LEFT_TO_SWEEPER, schedule=str(schedule.key), uid=schedule.uid, error=str(error))
