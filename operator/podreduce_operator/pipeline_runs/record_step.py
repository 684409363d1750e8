"""Writes the record of a complete step, from the manifest of its output.

Rule: may be repeated. The record is written again only for another job.
"""

from collections.abc import Iterable
from functools import partial

from podreduce.contract.task import OutputManifest
from podreduce.contract.wire import encode
from podreduce.storage import ObjectStore
from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.digests.run_digests import combine_inputs, digest_input, digest_output
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import Data, StepJob
from podreduce_operator.pipeline_runs.loop_values import read_loop_values
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, Seen
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, record_key
from podreduce_operator.pipelines.freshness import Node, input_digest
from podreduce_operator.pipelines.job_of_step import find_output_uri
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.plan_run import as_listed
from podreduce_operator.runs.publishing import read_manifest

__all__ = ["record_step"]

REPLACED = "replaced"
"""In place of the digest of an output that is not the job's any more. No manifest has this digest."""


async def record_step(run: PipelineRun, job: StepJob, node: Node | None) -> None:
    """Record what a complete job has read and written.

    Args:
        run: the pinned run.
        job: the job of a step.
        node: the step as it is unrolled; None if it is not part of the pipeline any more.

    Raises:
        ActionError: a condition of a loop cannot read the output.
        PodreduceError: the store refuses something.
    """
    uri = find_output_uri(run.view.spec, job.place, run.steps_uri + DATA_PREFIX)
    output = run.storage.open(uri)
    manifest = await read_manifest(output)
    if manifest is None or manifest.uid != job.uid:
        record = describe_replaced(run, job, uri)
    else:
        record = await describe_step(run, job, node, output, manifest)
    await run.steps.put_async(record_key(job.place), encode(record))
    run.memory.records[str(job.place)] = record
    found = Data.REPLACED if record.output_digest == REPLACED else Data.PRESENT
    run.memory.data[str(job.place)] = Seen(job.uid, found, run.monotonic())


async def describe_step(
    run: PipelineRun, job: StepJob, node: Node | None, output: ObjectStore, manifest: OutputManifest
) -> StepRecord:
    """Return the record of a step by the manifest of its output."""
    keys = find_loop_keys(run.view.spec, job.place)
    values = await output.in_thread(partial(read_loop_values, output, keys, manifest.bytes)) if keys else {}
    slots = manifest.slot_seconds
    return StepRecord(
        place=job.place,
        job_uid=job.uid,
        spec_digest=find_spec_digest(run, job.place.step),
        input_digest=find_input_digest(run, node, manifest, job.place),
        output_digest=digest_output(manifest.parts),
        listing=await digest_listing(run, output.uri),
        output_uri=output.uri,
        output_format=manifest.format,
        run_id=run.run_id,
        pipeline=run.view.key.name,
        pipeline_uid=run.view.uid,
        records=manifest.records,
        bytes=manifest.bytes,
        bytes_in=manifest.bytes_in or 0,
        files=len(manifest.files),
        slot_seconds=slots.map + slots.reduce if slots else 0.0,
        seconds=job.seconds,
        counters={
            f"{group}/{name}": value
            for group, counters in (manifest.counters or {}).items()
            for name, value in counters.items()
        },
        values=dict(values),
        times=count_times(run, job),
    )


def describe_replaced(run: PipelineRun, job: StepJob, uri: str) -> StepRecord:
    """Return the record of a step whose output is somebody else's already: it has to run again."""
    return StepRecord(
        place=job.place,
        job_uid=job.uid,
        spec_digest=None,
        input_digest="",
        output_digest=REPLACED,
        output_uri=uri,
        run_id=run.run_id,
        pipeline=run.view.key.name,
        pipeline_uid=run.view.uid,
        records=0,
        bytes=0,
        bytes_in=0,
        slot_seconds=0.0,
        times=count_times(run, job),
    )


def count_times(run: PipelineRun, job: StepJob) -> int:
    """Return how often this run has made the step, this time included."""
    before = run.memory.records.get(str(job.place))
    return before.times + 1 if before is not None and before.is_of(run.view.uid, run.run_id) else 1


def find_spec_digest(run: PipelineRun, step: str) -> str | None:
    """Return the digest of a step for its record."""
    steps = () if run.pinned is None else run.pinned.steps
    return next((each.recorded_digest for each in steps if each.name == step), None)


def find_input_digest(run: PipelineRun, node: Node | None, manifest: OutputManifest, place: Place) -> str:
    """Return the digest of what the job has read: in the words of `freshness` if it read what the records say.

    Otherwise it read other objects, because somebody changed them, and no later run finds its inputs the same.
    """
    records = run.memory.records
    if node is None or any(source.step is not None and source.step not in records for source in node.sources):
        return manifest.input_digest or ""
    read = [records[each.step].listing if each.step is not None else each.listing or "" for each in node.sources]
    step = next(each for each in run.view.spec.steps if each.name == place.step)
    sides = {each.known_name: digest for each, digest in zip(step.side_inputs, read[len(step.inputs) :], strict=True)}
    expected = combine_inputs(read[: len(step.inputs)], sides)
    return input_digest(node, records) if manifest.input_digest == expected else manifest.input_digest or ""


async def digest_listing(run: PipelineRun, uri: str) -> str:
    """Return the digest of an output's objects, as a job that reads them lists them."""
    try:
        objects = await list_input([uri], run.storage.open)
    except ActionError:  # it has no parts
        return digest_input(())
    return digest_input(map(as_listed, objects))


def find_loop_keys(spec: PipelineSpec, place: Place) -> Iterable[str]:
    """Return the keys whose values the conditions of a loop read from a step's output."""
    return [
        until.value
        for loop in spec.loops
        for until in loop.until
        if until.step == place.step and until.value is not None
    ]
