"""Checks whether a store supports conditional creates, which every commit of podreduce needs."""

import uuid
from contextlib import suppress

from podreduce.contract.errors import PodreduceError, StorageDeniedError
from podreduce.storage.store import ObjectStore

__all__ = ["probe_conditional_create"]


async def probe_conditional_create(store: ObjectStore, prefix: str = "") -> None:
    """Create a probe object twice, and delete it again; if the process dies in between, the object stays.

    Args:
        store: the store to check. A directory always can.
        prefix: where a later clean-up finds a probe that stays.

    Raises:
        StorageDeniedError: the second create did not fail, so two attempts could both commit; or as for any write.
    """
    if store.directory is not None:
        return
    key = f"{prefix}_podreduce-probe-{uuid.uuid4()}"
    once = store.asked_once()
    try:
        created = [await once.create_async(key, b"probe"), await once.create_async(key, b"probe")]
    except PodreduceError:
        with suppress(PodreduceError):  # why the create failed is what must be told
            await once.delete_async(key)
        raise
    await once.delete_async(key)
    if created[1]:
        raise StorageDeniedError(
            f"{store.uri}: the store at {store.endpoint} ignores If-None-Match, so two attempts could both commit; "
            "use a store with conditional writes (MinIO since 2023, AWS S3 since 2024)"
        )
