"""What a pipeline removes: outputs that are no results, and jobs of iterations that are recorded. Rule: pure."""

from collections.abc import Iterator

from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import Data, DeleteStepJob, PipelineObserved, RemoveData, StepJob
from podreduce_operator.pipelines.freshness import State
from podreduce_operator.pipelines.picture import Picture

__all__ = ["remove_after_ttl", "remove_unneeded"]

KEPT_ITERATIONS = 2
"""The next iteration reads the last one; and a retry begins with the last one whose data is there."""


def remove_unneeded(observed: PipelineObserved, picture: Picture) -> Iterator[RemoveData | DeleteStepJob]:
    """Yield the removals while a run goes on."""
    needed = {name for node in picture.unrolled.nodes for name in node.producers if runs(picture, node.name)}
    for node in picture.unrolled.nodes:
        place = picture.unrolled.places[node.name]
        if observed.data.get(node.name) is not Data.PRESENT or node.is_seen or node.name in needed:
            continue
        if is_old(observed, picture, place) or (is_eager(observed) and not is_last(picture, observed, place)):
            yield RemoveData(place=place)
    for job in observed.run_jobs:
        if job.ended == "Complete" and not job.deleting and is_unneeded(observed, picture, job):
            yield DeleteStepJob(job=job, why="recorded")


def runs(picture: Picture, name: str) -> bool:
    """Tell whether a step runs or may run."""
    return picture.states[name] is not State.REUSED


def is_eager(observed: PipelineObserved) -> bool:
    """Tell whether outputs go as soon as nobody needs them."""
    return observed.pipeline.spec.intermediates == "WhileNeeded"


def is_old(observed: PipelineObserved, picture: Picture, place: Place) -> bool:
    """Tell whether a place is of an iteration that only `keep: All` keeps."""
    loop = observed.pipeline.spec.loop_of(place.step)
    if loop is None or loop.keep == "All":
        return False
    return place.iteration <= picture.unrolled.loops[loop.name].iteration - KEPT_ITERATIONS


def is_unneeded(observed: PipelineObserved, picture: Picture, job: StepJob) -> bool:
    """Tell whether a recorded job goes: its iteration is old, or nobody reads the map output any more that it keeps."""
    loop = observed.pipeline.spec.loop_of(job.place.step)
    if job.keeps_maps and loop is not None:
        return picture.unrolled.loops[loop.name].end is not None
    return is_old(observed, picture, job.place)


def is_last(picture: Picture, observed: PipelineObserved, place: Place) -> bool:
    """Tell whether the next iteration of a loop that goes on will read a place."""
    loop = observed.pipeline.spec.loop_of(place.step)
    if loop is None:
        return False
    progress = picture.unrolled.loops[loop.name]
    return progress.end is None and place.iteration >= progress.iteration - 1


def remove_after_ttl(observed: PipelineObserved) -> Iterator[RemoveData]:
    """Yield the removal of all outputs of an ended run that are no results."""
    with_uri = {step.name for step in observed.pipeline.spec.steps if step.output.uri is not None}
    for name, data in observed.data.items():
        record = observed.records.get(name)
        if data is Data.PRESENT and record is not None and record.place.step not in with_uri:
            yield RemoveData(place=record.place)
