"""Tells what is left of the recorded outputs. Rule: reads only."""

from collections.abc import Mapping
from functools import partial

from podreduce.contract.layout import SUCCESS_KEY
from podreduce.contract.task import OutputManifest
from podreduce.storage import ObjectStore
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.digests.run_digests import digest_output
from podreduce_operator.model.pipeline_records import StepRecord
from podreduce_operator.model.pipelines import Data
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, Seen
from podreduce_operator.pipeline_runs.places import DATA_PREFIX
from podreduce_operator.pipelines.job_of_step import find_output_uri
from podreduce_operator.runs.publishing import read_manifest

__all__ = ["look_for_data", "look_for_output", "read_published_digest"]

SEEN_SECONDS = 15.0
"""How long it counts that an output was there."""
CONCURRENT_READS = 8
LATEST = 2
"""How many iterations of a loop's step are looked for again. Nobody reads older ones."""


async def look_for_data(run: PipelineRun) -> dict[str, Data]:
    """Return what is left of each recorded output. One that lies elsewhere than its step writes now counts as gone."""
    records = run.memory.records
    newest: dict[str, int] = {}
    for record in records.values():
        newest[record.place.step] = max(record.place.iteration, newest.get(record.place.step, 0))
    stale = [(name, record) for name, record in records.items() if is_due(run, name, record, newest)]
    await gather_bounded([partial(look_again, run, *each) for each in stale], limit=CONCURRENT_READS)
    return {
        name: Data.GONE if has_moved(run, record) else run.memory.data[name].data for name, record in records.items()
    }


def has_moved(run: PipelineRun, record: StepRecord) -> bool:
    """Tell whether the step of a record writes to another place than it did. Nobody would find its output there."""
    spec, place = run.view.spec, record.place
    return (
        spec.step(place.step) is not None
        and find_output_uri(spec, place, run.steps_uri + DATA_PREFIX) != record.output_uri
    )


def is_due(run: PipelineRun, name: str, record: StepRecord, newest: Mapping[str, int]) -> bool:
    """Tell whether an output must be looked for now. `newest` has the last recorded iteration of each step."""
    known = run.memory.data.get(name)
    if known is None or known.job_uid != record.job_uid:
        return True
    is_latest = record.place.iteration > newest[record.place.step] - LATEST
    return is_latest and run.monotonic() - known.at >= SEEN_SECONDS


async def look_again(run: PipelineRun, name: str, record: StepRecord) -> Data:
    """Look for one output, and note what is there."""
    found = await look_for_output(run.storage.open(record.output_uri), record)
    run.memory.data[name] = Seen(record.job_uid, found, run.monotonic())
    return found


async def look_for_output(output: ObjectStore, record: StepRecord) -> Data:
    """Return whether an output is there whole, and as it was recorded."""
    if not await output.exists_async(SUCCESS_KEY):
        return Data.GONE
    manifest = await read_manifest(output)
    if manifest is None:
        return Data.GONE
    if digest_output(manifest.parts) != record.output_digest:
        return Data.REPLACED
    return Data.PRESENT if await has_parts(output, manifest) else Data.GONE


async def has_parts(output: ObjectStore, manifest: OutputManifest) -> bool:
    """Tell whether all parts are there, with their sizes."""
    sizes = {part.name: part.bytes for part in manifest.parts}
    async for each in output.list_async("", recursive=False):
        if sizes.get(each.key) == each.size:
            del sizes[each.key]
    return not sizes


async def read_published_digest(output: ObjectStore) -> str | None:
    """Return the digest of a published output; None if there is no whole one."""
    manifest = await read_manifest(output) if await output.exists_async(SUCCESS_KEY) else None
    return None if manifest is None else digest_output(manifest.parts)
