"""Carries out a pipeline's actions, each by one `match` case, and each idempotent.

Rule: an action that is already done does nothing. The first fault ends the pass, and `decide_pipeline` sees it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from podreduce.contract.errors import PodreduceError
from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.loop.observe import as_fault
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import (
    CreateStep,
    Data,
    DeleteStepJob,
    PinPipeline,
    PipelineAction,
    PipelineDecision,
    PipelineObserved,
    PublishLoop,
    RecordStep,
    RemoveData,
    SetShare,
    SetSuspend,
)
from podreduce_operator.pipeline_runs.pin_run import pin_run
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, result_uri
from podreduce_operator.pipeline_runs.publish_loop import publish_loop
from podreduce_operator.pipeline_runs.record_step import record_step
from podreduce_operator.pipeline_runs.remove_data import remove_output
from podreduce_operator.pipeline_runs.step_data import look_again
from podreduce_operator.pipelines.freshness import Node
from podreduce_operator.pipelines.job_of_step import PinnedRun, build_step_job, find_output_uri
from podreduce_operator.pipelines.loops import LoopError
from podreduce_operator.pipelines.picture import look_at

__all__ = ["FaultPoint", "apply_pipeline"]

FaultPoint = Callable[[str, PipelineAction], None]
"""Called with `before` and `after` around each action. Tests crash the operator there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineApplier:
    """Carries out the actions of one pass."""

    cluster: PipelineCluster
    observed: PipelineObserved
    run: PipelineRun

    async def apply(self, action: PipelineAction) -> None:
        """Carry out one action.

        Raises:
            ActionError: the cluster or the store refuses it.
            PodreduceError: the store refuses something.
        """
        pipeline, cluster = self.observed.pipeline, self.cluster
        match action:
            case PinPipeline():
                await pin_run(self.run, cluster)
            case CreateStep():
                await self.create(action)
            case SetShare(job=job, share=share):
                await cluster.change_step(pipeline, job.name, job.uid, {"parallelism": share})
            case SetSuspend(job=job, suspend=suspend):
                await cluster.change_step(pipeline, job.name, job.uid, {"suspend": suspend})
            case DeleteStepJob(job=job):
                await cluster.delete_step(pipeline, job.name, job.uid)
            case RecordStep(job=job):
                await record_step(self.run, job, self.find_node(job.place))
            case PublishLoop(place=place):
                await self.copy_result(place)
            case RemoveData(place=place):
                await remove_output(self.run, place)

    async def create(self, action: CreateStep) -> None:
        """Create the job of a step, if the outputs that it reads are still there."""
        node = self.find_node(action.place)
        if node is None or not await self.finds_inputs(node):
            return
        spec, place = self.observed.pipeline.spec, action.place
        outputs = {name: self.observed.records[name].output_uri for name in node.producers}
        outputs[node.name] = find_output_uri(spec, place, self.run.steps_uri + DATA_PREFIX)
        manifest = build_step_job(self.observed.pipeline, self.pinned(outputs[node.name]), node, action, outputs)
        await self.cluster.create_step(self.observed.pipeline, manifest)

    def pinned(self, uri: str) -> PinnedRun:
        """Return what the jobs of the run have in common. An output that this pipeline has recorded is its own."""
        pinned = self.run.pinned
        steps = () if pinned is None else pinned.steps
        recorded = {each.place.step for each in self.observed.records.values() if each.output_uri == uri}
        return PinnedRun(
            run_hash=self.observed.run_hash,
            sources={(each.config_map, each.key): each.text for each in (pinned.sources if pinned else ())},
            owned=frozenset({each.name for each in steps if each.is_owned} | recorded),
        )

    async def finds_inputs(self, node: Node) -> bool:
        """Look once more whether the outputs that a step reads are there. The next pass sees what was found."""
        found = [await look_again(self.run, name, self.observed.records[name]) for name in node.producers]
        return all(each is Data.PRESENT for each in found)

    async def copy_result(self, place: Place) -> None:
        """Copy the last output of a loop's step to its URI."""
        uri = result_uri(self.observed.pipeline.spec, place.step)
        record: StepRecord | None = self.observed.records.get(str(place))
        if uri is not None and record is not None:
            await publish_loop(self.run, record, uri)

    def find_node(self, place: Place) -> Node | None:
        """Return the node of a step as the pipeline is unrolled with all that is recorded by now."""
        try:
            picture = look_at(replace(self.observed, records=dict(self.run.memory.records)))
        except LoopError:
            return None
        return next((node for node in picture.unrolled.nodes if node.name == str(place)), None)


async def apply_pipeline(
    decision: PipelineDecision,
    observed: PipelineObserved,
    run: PipelineRun | None,
    cluster: PipelineCluster,
    fault_point: FaultPoint,
) -> tuple[Fault, ...]:
    """Carry out a decision in order, and return the fault that ended it. Without the store only jobs are deleted."""
    for action in decision.actions:
        fault_point("before", action)
        try:
            if run is not None:
                await PipelineApplier(cluster=cluster, observed=observed, run=run).apply(action)
            elif isinstance(action, DeleteStepJob):
                await cluster.delete_step(observed.pipeline, action.job.name, action.job.uid)
        except (ActionError, PodreduceError) as error:
            return (as_fault(error),)
        fault_point("after", action)
    return ()
