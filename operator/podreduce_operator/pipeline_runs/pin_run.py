"""Pins a run: reads the programs, checks the job of every step, lists the objects, and writes all of it down.

Rule: may be repeated at any point. The first `plan/pipeline.json` that is created counts.
"""

import asyncio
from collections.abc import Container, Iterable, Mapping
from typing import Any

from podreduce.contract.wire import encode
from podreduce.storage import probe_conditional_create
from podreduce_operator.api.crd import PIPELINES, SCHEDULES
from podreduce_operator.api.pipeline_parameters import resolve_step
from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.api.substitution import SubstitutionError
from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.digests.run_digests import digest_input
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import PinnedListing, PinnedPipeline, PinnedSource, PinnedStep
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, PINNED_KEY, result_uri
from podreduce_operator.pipeline_runs.remove_data import remove_earlier_plans
from podreduce_operator.pipeline_runs.shared_steps import claim_steps
from podreduce_operator.pipelines.first_jobs import build_first_jobs
from podreduce_operator.pipelines.job_of_step import PinnedRun, StepJobError
from podreduce_operator.pipelines.spec_digest import digest_step
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.plan_run import as_listed, refuse_invalid
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.pods.template_merge import PodTemplateError
from podreduce_operator.runs.output_claim import refuse_existing
from podreduce_operator.runs.publishing import read_manifest
from podreduce_operator.schedules.job_of_schedule import read_scheduled_at

__all__ = ["describe_run", "pin_run"]


async def pin_run(run: PipelineRun, cluster: PipelineCluster) -> None:
    """Claim the place of the steps, pin the run, and remove what earlier runs have pinned.

    Raises:
        ActionError: the pipeline is not valid, or an input, program or output does not allow the run.
        PodreduceError: the store refuses something.
    """
    await probe_conditional_create(run.work)
    await claim_steps(run, cluster)
    await run.work.create_async(PINNED_KEY, encode(await describe_run(run, cluster)))
    await remove_earlier_plans(run)


async def describe_run(run: PipelineRun, cluster: PipelineCluster) -> PinnedPipeline:
    """Return the run as it would be pinned now. Nothing is written.

    Raises:
        ActionError: the pipeline is not valid, or an input, program or output does not allow the run.
        PodreduceError: the store refuses something.
    """
    refuse_problems(run.view.spec)
    sources = await read_sources(run.view, cluster)
    owned = {step.name for step in run.view.spec.steps if await is_owned(run, step.name)}
    await refuse_foreign_outputs(run, owned)
    jobs = build_jobs(run, sources, owned)
    return PinnedPipeline(
        uid=run.view.uid,
        run_id=run.run_id,
        spec=dict(run.view.raw_spec),
        sources=tuple(sources),
        steps=tuple([await pin_step(run.view, name, job, cluster, name in owned) for name, job in jobs.items()]),
        listings=tuple(await list_objects(run)),
    )


def refuse_problems(spec: PipelineSpec) -> None:
    """Make sure that the graph is possible.

    Raises:
        ActionError: it is not. The message has every problem.
    """
    problems = find_pipeline_problems(spec)
    if problems:
        raise ActionError("Invalid", "; ".join(map(str, problems)), permanent=True)


async def read_sources(view: PipelineView, cluster: PipelineCluster) -> list[PinnedSource]:
    """Return the programs in ConfigMaps, each once."""
    programs = [view.spec.program, *(step.program for step in view.spec.steps)]
    references = [each.source_from.config_map_key_ref for each in programs if each and each.source_from]
    return [
        PinnedSource(config_map=name, key=key, text=await cluster.read_source_of(view, name, key))
        for name, key in dict.fromkeys((each.name, each.key) for each in references)
    ]


async def is_owned(run: PipelineRun, step: str) -> bool:
    """Tell whether this pipeline wrote what lies at a step's URI.

    Another pipeline of this name was this one, too, and so were those that the same schedule made.
    """
    uri = result_uri(run.view.spec, step)
    manifest = None if uri is None else await read_manifest(run.storage.open(uri))
    if manifest is None or manifest.owner is None:
        return False
    own, owner = run.view.key, manifest.owner
    is_own = owner.name == own.name or is_of_same_schedule(owner.name, run.view)
    return owner.kind == PIPELINES.kind and manifest.namespace == own.namespace and is_own


def is_of_same_schedule(name: str, pipeline: PipelineView) -> bool:
    """Tell whether the schedule that made the pipeline makes pipelines with such a name: its own, and a time."""
    controller = pipeline.controller
    if controller is None or controller.kind != SCHEDULES.kind:
        return False
    return read_scheduled_at(name) is not None and name.rpartition("-")[0] == controller.name


async def refuse_foreign_outputs(run: PipelineRun, owned: Container[str]) -> None:
    """Make sure that no output would replace what somebody else wrote, unless the step asks for that.

    Raises:
        ActionError: something else is there.
    """
    for step in run.view.spec.steps:
        uri = result_uri(run.view.spec, step.name)
        if uri is None or step.name in owned or step.output.if_exists == "Replace":
            continue
        try:
            await refuse_existing(run.storage.open(uri))
        except ActionError as error:
            raise ActionError(error.reason, f"the step {step.name}: {error}", permanent=True) from error


def build_jobs(run: PipelineRun, sources: Iterable[PinnedSource], owned: Iterable[str]) -> Mapping[str, dict[str, Any]]:
    """Return the first job of each step.

    Raises:
        ActionError: one cannot be made.
    """
    pinned = PinnedRun(
        run_hash=hash_run(run.view.uid, run.run_id),
        sources={(each.config_map, each.key): each.text for each in sources},
        owned=frozenset(owned),
    )
    try:
        return build_first_jobs(run.view, pinned, run.steps_uri + DATA_PREFIX)
    except (StepJobError, SubstitutionError, PodTemplateError) as error:
        raise ActionError("Invalid", str(error), permanent=True) from error


async def pin_step(
    view: PipelineView, name: str, job: Mapping[str, Any], cluster: PipelineCluster, is_owned_output: bool
) -> PinnedStep:
    """Check the job of a step as if it was created now, and return what reuse needs to know of it.

    Raises:
        ActionError: it is refused, or its program is certainly wrong.
    """
    try:
        checked = await cluster.check_job(view, job)
        spec = decode_spec(checked["spec"])
        await asyncio.to_thread(refuse_invalid, spec.program.as_program(spec.program.source), spec)
    except ActionError as error:
        raise ActionError(error.reason, f"the step {name}: {error}", permanent=error.permanent) from error
    digest = digest_step(view.spec, name, checked, runs_in_image=cluster.runs_images)
    return PinnedStep(
        name=name,
        spec_digest=digest.digest,
        reason=digest.reason,
        recorded_digest=digest.recorded,
        is_owned=is_owned_output,
    )


async def list_objects(run: PipelineRun) -> list[PinnedListing]:
    """List the objects that the steps read, each list of URIs once.

    Raises:
        ActionError: a URI names nothing, or its objects cannot be read.
    """
    places = dict(find_lists(run.view.spec))
    found = []
    for uris, (path, resolved) in places.items():
        objects = await list_input(resolved, run.storage.open, place=path)
        found.append(
            PinnedListing(
                uris=uris, digest=digest_input(map(as_listed, objects)), bytes=sum(each.size_bytes for each in objects)
            )
        )
    return found


def find_lists(spec: PipelineSpec) -> Iterable[tuple[tuple[str, ...], tuple[str, tuple[str, ...]]]]:
    """Yield each list of URIs as the spec has it, its place in the spec, and the list with parameters filled in."""
    for number, step in enumerate(spec.steps):
        resolved = resolve_step(spec, step.name)
        for at, (each, filled) in enumerate(zip(step.all_inputs, resolved.all_inputs, strict=True)):
            kind, place = ("inputs", at) if at < len(step.inputs) else ("sideInputs", at - len(step.inputs))
            if each.read_uris:
                inner = "" if each.uris else ".first"
                yield each.read_uris, (f"steps[{number}].{kind}[{place}]{inner}", filled.read_uris)
