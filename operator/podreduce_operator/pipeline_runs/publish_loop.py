"""Copies the last output of a loop's step to its URI, so that readers never see an iteration before the last.

Rule: may be repeated and interrupted anywhere. It is published as a job's output is: staged, named, `_SUCCESS` last.
"""

from functools import partial

from podreduce.contract.layout import staging_prefix
from podreduce.contract.output_files import OutputFile
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import CommitIntent, IntentPart, OutputPart, PartRef, TaskRef, TaskType
from podreduce.storage import ObjectStore, split_object_uri
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import StepRecord
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.runs.output_claim import Claim, release_output, take_over
from podreduce_operator.runs.publishing import publish, read_manifest, remove_staged

__all__ = ["publish_loop"]

CONCURRENT_COPIES = 4


async def publish_loop(run: PipelineRun, record: StepRecord, uri: str) -> None:
    """Copy a recorded output to `uri`, and publish it there.

    Raises:
        ActionError: another run is writing there, or the recorded output is gone.
        PodreduceError: the store refuses something.
    """
    source, output = run.storage.open(record.output_uri), run.storage.open(uri)
    manifest = await read_manifest(source)
    if manifest is None:
        raise ActionError(
            "OutputLost", f"{record.output_uri} has no manifest any more: it is made again", permanent=False
        )
    identity = JobIdentity(
        namespace=run.view.key.namespace, name=run.view.key.name, uid=run.view.uid, run_id=run.run_id
    )
    claim = Claim(installation=run.storage.installation, job=identity)
    await take_over(output, claim, partial(is_own, claim))
    parts = [stage_part(identity, number, part, part.records) for number, part in enumerate(manifest.parts)]
    files = [stage_part(identity, number, file, 0) for number, file in enumerate(manifest.files)]
    copies = [partial(copy_part, run, source, output, each) for each in (*parts, *files)]
    await gather_bounded(copies, limit=CONCURRENT_COPIES)
    # What was there before is replaced: it was made by this pipeline.
    intent = CommitIntent(output_uri=uri, if_exists="Replace", parts=tuple(parts), files=tuple(files))
    await publish(output, intent, manifest)
    await remove_staged(output, identity)
    await release_output(output, claim)


async def is_own(claim: Claim, holder: Claim) -> bool:
    """Tell whether a claim is of an earlier run of the same pipeline, which writes no more."""
    return holder.job.uid == claim.job.uid


def stage_part(identity: JobIdentity, number: int, part: OutputPart | OutputFile, records: int) -> IntentPart:
    """Return where a part or a file is staged, and how it is named in the end."""
    key = f"{staging_prefix(identity.uid, identity.run_id)}{part.name}"
    staged = PartRef(key=key, bytes=part.bytes, records=records, sha256=part.sha256)
    task = TaskRef(type=TaskType.REDUCE, index=number)
    return IntentPart(name=part.name, task=task, attempt_id="copy", part=staged)


async def copy_part(run: PipelineRun, source: ObjectStore, output: ObjectStore, part: IntentPart) -> None:
    """Copy a part to where it is staged. Within a bucket the server does it."""
    (from_store, from_key), (to_store, to_key) = (
        split_object_uri(uri) for uri in (source.uri_of(part.name), output.uri_of(part.part.key))
    )
    if from_store == to_store and from_store.startswith("s3://"):
        await run.storage.open(from_store).copy_async(from_key, to_key)
        return
    await output.in_thread(partial(stream_part, source, output, part))


def stream_part(source: ObjectStore, output: ObjectStore, part: IntentPart) -> None:
    """Copy a part through this process."""
    with output.open_writer(part.part.key) as writer:
        for chunk in source.stream(part.name, 0, part.part.bytes):
            writer.write(chunk)
