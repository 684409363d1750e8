"""Freezes the shuffle: after this it is fixed what each partition reads.

Rule: may be repeated at any point. The first manifest that is created counts.
"""

import msgspec

from podreduce.contract.layout import COMMITS_PREFIX, shuffle_key
from podreduce.contract.task import ShuffleManifest
from podreduce.contract.wire import encode
from podreduce_operator.runs.offset_pages import write_offsets
from podreduce_operator.runs.run import Run
from podreduce_operator.runs.stored_records import unreadable
from podreduce_operator.shuffle.manifest import build_shuffle_manifest

__all__ = ["freeze_shuffle"]


async def freeze_shuffle(run: Run, parallelism: int) -> ShuffleManifest | None:
    """Write the next shuffle manifest, and return it; None if it exists already.

    Raises:
        ActionError: no manifest can be made of these commits, although each of them is well formed.
        PodreduceError: the store refuses something.
    """
    records = run.records
    if records.plan is None:
        return None
    try:
        manifest = build_shuffle_manifest(
            records.plan,
            records.commits,
            records.bucket_bytes,
            records.manifest,
            parallelism=parallelism,
            key_spread=records.sums.key_spread,
        )
    except (ArithmeticError, LookupError, ValueError) as error:
        raise unreadable(run.work.uri_of(COMMITS_PREFIX), f"the commits do not fit together: {error!r}") from error
    manifest = msgspec.structs.replace(manifest, offset_pages=await write_offsets(records, manifest))
    is_new = await run.work.create_async(shuffle_key(manifest.generation), encode(manifest))
    return manifest if is_new else None
