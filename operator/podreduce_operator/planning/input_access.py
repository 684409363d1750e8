"""Reads one byte of the input, because a right to list an object is no right to read it.

Rule: one request for each bucket that the job names. Without this, such a job is planned, and all its tasks fail.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from podreduce.contract.errors import ObjectChangedError, ObjectNotFoundError, StorageDeniedError
from podreduce.contract.uris import split_object_uri, split_uri
from podreduce.storage import ObjectStore
from podreduce_operator.planning.packed_input import InputObject

__all__ = ["check_readable"]

REMEDY = (
    "it is listed but cannot be read: give the storage Secret's key the right to read the input (s3:GetObject, and "
    "kms:Decrypt if it is encrypted), restore archived objects, then set a new spec.runId"
)


async def check_readable(
    uris: Sequence[str], objects: Iterable[InputObject], open_at: Callable[[str], ObjectStore]
) -> None:
    """Read one byte of the first object in each bucket that `uris` name. Empty objects have none.

    Raises:
        StorageDeniedError: the store refuses one. The message names the object and the remedy.
        StorageUnavailableError: the store does not answer.
    """
    for sample in first_by_bucket(uris, objects):
        store_uri, key = split_object_uri(sample.uri)
        store = open_at(store_uri)
        try:
            with suppress(ObjectNotFoundError, ObjectChangedError):  # it has changed since: its task says so
                await store.in_thread(partial(store.get_range, key, 0, 1), is_brief=True)
        except StorageDeniedError as error:
            raise StorageDeniedError(f"{error}; {REMEDY}") from error


def first_by_bucket(uris: Sequence[str], objects: Iterable[InputObject]) -> Iterator[InputObject]:
    """Yield the first object with content in each bucket."""
    left = {bucket_of(uri) for uri in uris}
    for each in objects:
        bucket = bucket_of(each.uri)
        if each.size_bytes and bucket in left:
            left.discard(bucket)
            yield each
        if not left:
            return


def bucket_of(uri: str) -> str:
    """Return the bucket in a URI; empty for files."""
    _, bucket, _ = split_uri(uri)
    return bucket
