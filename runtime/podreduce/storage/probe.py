"""Finds out whether a store honours conditional creates, on which every commit of podreduce rests."""

import uuid

from podreduce.errors import StorageDeniedError
from podreduce.storage.store import ObjectStore

__all__ = ["probe_conditional_create"]


async def probe_conditional_create(store: ObjectStore) -> None:
    """Create a probe object below `store` twice, and delete it again.

    Raises:
        StorageDeniedError: the second create did not fail, so two attempts could both commit; or as any write.
    """
    key = f"_podreduce-probe-{uuid.uuid4()}"
    try:
        created = [await store.create_async(key, b"probe"), await store.create_async(key, b"probe")]
    finally:
        await store.delete_async(key)
    if created[1]:
        raise StorageDeniedError(
            f"{store.uri}: the store at {store.endpoint} ignores If-None-Match, so two attempts could both commit; "
            "use a store with conditional writes (MinIO since 2023, AWS S3 since 2024)"
        )
