"""Removes what a pipeline stored: outputs without a URI, earlier runs' plans, all but the results of a deleted one."""

import structlog

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import job_prefix
from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import Data, PipelineView
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, Seen
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, STEPS
from podreduce_operator.runs.remove_run import LEFT_TO_SWEEPER, discard_run, find_runs

__all__ = ["discard_pipeline", "remove_earlier_plans", "remove_output"]

log = structlog.get_logger(__name__)


async def remove_output(run: PipelineRun, place: Place) -> None:
    """Remove the output of a step, which has no URI. Its record stays."""
    await run.steps.delete_prefix_async(f"{DATA_PREFIX}{place}/")
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
    key = pipeline.key
    try:
        storage = await cluster.read_storage_of(pipeline)
        async for run in find_runs(storage, job_prefix(storage.installation, key.namespace, key.name)):
            if run.uid == pipeline.uid:
                await discard_run(storage, run)
    except (ActionError, PodreduceError) as error:
        log.warning(LEFT_TO_SWEEPER, pipeline=str(key), uid=pipeline.uid, error=str(error))
