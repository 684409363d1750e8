"""Finds out whether a store honours conditional creates, on which every commit of podreduce rests."""

import uuid

from podreduce.contract.errors import StorageDeniedError
from podreduce.storage.store import ObjectStore

__all__ = ["probe_conditional_create"]


async def probe_conditional_create(store: ObjectStore, prefix: str = "") -> None:
    """Create a probe object twice, and delete it again; whoever dies amid that leaves it behind.

    Args:
        store: the one in question.
        prefix: where it will be swept up with others then. Not in a directory, which would keep the prefix itself.

    Raises:
        StorageDeniedError: the second create did not fail, so two attempts could both commit; or as any write.
    """
    key = f"{'' if store.directory else prefix}_podreduce-probe-{uuid.uuid4()}"
    try:
        created = [await store.create_async(key, b"probe"), await store.create_async(key, b"probe")]
    finally:
        await store.delete_async(key)
    if created[1]:
        raise StorageDeniedError(
            f"{store.uri}: the store at {store.endpoint} ignores If-None-Match, so two attempts could both commit; "
            "use a store with conditional writes (MinIO since 2023, AWS S3 since 2024)"
        )
