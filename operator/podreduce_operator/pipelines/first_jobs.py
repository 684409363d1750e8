"""The jobs of all steps as they are in a first iteration: to check every step before any of them starts.

Rule: pure. Later iterations differ in what they read and where they write, and in nothing else.
"""

from typing import Any

from podreduce_operator.api.pipeline_spec import PipelineSpec, StepSpec
from podreduce_operator.model.pipelines import CreateStep, PipelineView, StepDigests
from podreduce_operator.pipelines.job_of_step import PinnedRun, build_step_job, find_output_uri
from podreduce_operator.pipelines.unrolling import Unrolled, unroll

__all__ = ["build_first_jobs", "unroll_once"]


def build_first_jobs(pipeline: PipelineView, run: PinnedRun, data_uri: str) -> dict[str, dict[str, Any]]:
    """Return the manifest of each step's first job, by the step's name. Below `data_uri` are the intermediate outputs.

    Raises:
        StepJobError: a program is missing, or is too large for a job.
        SubstitutionError: a placeholder names no parameter.
        PodTemplateError: the pod templates of the pipeline and of a step do not fit together.
    """
    unrolled = unroll_once(pipeline.spec)
    outputs = {name: find_output_uri(pipeline.spec, place, data_uri) for name, place in unrolled.places.items()}
    return {
        unrolled.places[node.name].step: build_step_job(
            pipeline, run, node, CreateStep(place=unrolled.places[node.name], share=1), outputs
        )
        for node in unrolled.nodes
    }


def unroll_once(spec: PipelineSpec) -> Unrolled:
    """Return the nodes of a pipeline of which nothing has run."""
    return unroll(spec, {step.name: digests_of_nothing(step) for step in spec.steps}, {}, {})


def digests_of_nothing(step: StepSpec) -> StepDigests:
    """Return the digests of a step while nobody has listed its objects."""
    return StepDigests(spec=None, listings={each.read_uris: "" for each in step.all_inputs})
