"""Publishes the output, from staged parts to `_SUCCESS`.

Rule: every step may be repeated and interrupted anywhere. `_SUCCESS` is removed first and written last.
"""

from collections.abc import Sequence
from functools import partial

from podreduce.contract.errors import ObjectNotFoundError, UploadLostError
from podreduce.contract.layout import (
    OUTPUT_MANIFEST_KEY,
    SUCCESS_KEY,
    part_name,
    staging_prefix,
)
from podreduce.contract.output_files import OutputFile
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.contract.task import CommitIntent, CommitRecord, IntentPart, OutputManifest, OutputPart, RunTotals
from podreduce.contract.wire import encode
from podreduce.storage import ObjectStore, check_staged, discard_staged, in_batches, is_pending, publish_staged
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.observed import PublishedOutput
from podreduce_operator.runs.files_beside import choose_files
from podreduce_operator.runs.output_claim import OWN_NAMES, RESERVED_PREFIX, Claim, holds_claim
from podreduce_operator.runs.stored_records import read_record

__all__ = ["build_intent", "build_manifest", "find_lost", "has_leftovers", "publish", "read_published", "remove_staged"]

CONCURRENT_PARTS = 8


async def has_leftovers(output: ObjectStore, claim: Claim) -> bool:
    """Tell whether the run's claim or staged parts still exist."""
    has_staged = await output.has_any_async(staging_prefix(claim.job.uid, claim.job.run_id))
    return has_staged or await holds_claim(output, claim)


async def remove_staged(output: ObjectStore, job: JobIdentity) -> None:
    """Remove the run's unpublished parts, including unfinished uploads."""
    prefix = staging_prefix(job.uid, job.run_id)
    async for batch in in_batches(output.list_async(prefix)):
        pending = [found.key for found in batch if is_pending(found.key)]
        calls = [partial(output.in_thread, partial(discard_staged, output, key)) for key in pending]
        await gather_bounded(calls, limit=CONCURRENT_PARTS)
    await output.delete_prefix_async(prefix)


def build_intent(plan: Plan, commits: list[CommitRecord], totals: RunTotals) -> CommitIntent:
    """Return the intent: exactly which committed parts and files become the output; and the run's totals.

    Raises:
        ValueError: a commit has no part.
        ActionError: the names of two files clash, or there are too many files.
    """
    parts = []
    for commit in sorted(commits, key=lambda commit: commit.task):
        if commit.part is None:
            raise ValueError(f"the commit of {commit.task} names no output part")
        name = part_name(commit.task, plan.output_format, plan.output_compression)
        parts.append(IntentPart(name=name, task=commit.task, attempt_id=commit.attempt_id, part=commit.part))
    return CommitIntent(
        output_uri=plan.output_uri,
        if_exists=plan.if_exists,
        totals=totals,
        parts=tuple(parts),
        files=choose_files(commits),
    )


async def find_lost(output: ObjectStore, commits: Sequence[CommitRecord]) -> list[CommitRecord]:
    """Return the commits of whose part or files one was an unfinished upload that the store has dropped."""

    async def is_lost(commit: CommitRecord) -> bool:
        keys = [each.key for each in (commit.part, *commit.files) if each is not None]
        try:
            for key in filter(is_pending, keys):
                await output.in_thread(partial(check_staged, output, key), is_brief=True)
        except UploadLostError:
            return True
        return False

    lost = await gather_bounded([partial(is_lost, commit) for commit in commits], limit=CONCURRENT_PARTS)
    return [commit for commit, is_gone in zip(commits, lost, strict=True) if is_gone]


async def publish(output: ObjectStore, intent: CommitIntent, manifest: OutputManifest) -> None:
    """Publish the parts and files in the intent, with `_SUCCESS` last. An interrupted publication is continued.

    The `_SUCCESS` of an earlier output is deleted first. The one of this output stays, even if another operator has
    just written it.
    """
    if await read_published(output, manifest.uid, manifest.run_id) is not None:
        return
    if not await has_manifest(output, manifest.uid, manifest.run_id):
        await output.delete_async(SUCCESS_KEY)
        objects = (*intent.parts, *intent.files)
        await gather_bounded([partial(publish_part, output, each) for each in objects], limit=CONCURRENT_PARTS)
        if intent.if_exists == "Replace":
            await remove_old(output, {each.name for each in objects})
        await output.put_async(OUTPUT_MANIFEST_KEY, encode(manifest))
    await output.put_async(SUCCESS_KEY, b"")


async def publish_part(output: ObjectStore, part: IntentPart) -> None:
    """Give one staged part or file its final name. Another operator may have done this and removed the staged part.

    Raises:
        ObjectNotFoundError: the part has neither its staged nor its final name.
    """
    try:
        if is_pending(part.part.key):
            await output.in_thread(partial(publish_staged, output, part.part.key, part.name), is_brief=True)
        else:
            await output.copy_async(part.part.key, part.name)
    except ObjectNotFoundError:
        if not await has_part(output, part):
            raise


async def has_part(output: ObjectStore, part: IntentPart) -> bool:
    """Tell whether a part with the right size has the final name."""
    try:
        return (await output.head_async(part.name)).size == part.part.bytes
    except ObjectNotFoundError:
        return False


async def remove_old(output: ObjectStore, names: set[str]) -> None:
    """Remove an earlier output: everything except the new parts and files and podreduce's own objects."""
    kept = names | set(OWN_NAMES)
    async for batch in in_batches(output.list_async("")):
        keys = [found.key for found in batch]
        await output.delete_async(*(key for key in keys if key not in kept and not key.startswith(RESERVED_PREFIX)))


def build_manifest(plan: Plan, plan_digest: str, intent: CommitIntent) -> OutputManifest:
    """Return the manifest of the output, with the run that made it."""
    parts = tuple(
        OutputPart(name=part.name, records=part.part.records, bytes=part.part.bytes, sha256=part.part.sha256)
        for part in intent.parts
    )
    files = tuple(OutputFile(name=each.name, bytes=each.part.bytes, sha256=each.part.sha256) for each in intent.files)
    totals = intent.totals
    return OutputManifest(
        job=plan.job.name,
        namespace=plan.job.namespace,
        uid=plan.job.uid,
        run_id=plan.job.run_id,
        owner=plan.owner,
        plan_digest=plan_digest,
        input_digest=plan.input_digest,
        spec_digest=plan.spec_digest,
        format=plan.output_format,
        records=sum(part.records for part in parts),
        bytes=sum(part.bytes for part in parts),
        bytes_in=totals.bytes_in if totals else None,
        slot_seconds=totals.slot_seconds if totals else None,
        counters=totals.counters if totals else None,
        omitted_counters=totals.omitted_counters if totals else 0,
        parts=parts,
        files=files,
    )


async def read_published(output: ObjectStore, uid: str, run_id: str) -> PublishedOutput | None:
    """Return the output if it is complete and belongs to this run."""
    if not await output.exists_async(SUCCESS_KEY):
        return None
    manifest = await read_manifest(output)
    if manifest is None or (manifest.uid, manifest.run_id) != (uid, run_id):
        return None
    return PublishedOutput(uri=output.uri, records=manifest.records, bytes=manifest.bytes, files=len(manifest.files))


async def has_manifest(output: ObjectStore, uid: str, run_id: str) -> bool:
    """Tell whether the output manifest is this run's. It is written when all parts have their final names."""
    manifest = await read_manifest(output)
    return manifest is not None and (manifest.uid, manifest.run_id) == (uid, run_id)


async def read_manifest(output: ObjectStore) -> OutputManifest | None:
    """Return the manifest of the output, of any run; None if there is none, or something else has its name."""
    try:
        return await read_record(output, OUTPUT_MANIFEST_KEY, OutputManifest)
    except (ObjectNotFoundError, ActionError):
        return None
