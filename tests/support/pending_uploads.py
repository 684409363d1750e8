"""The multipart uploads under way in a bucket, as the server lists them; and their end, as if it had dropped them."""

from podreduce.storage import ObjectStore
from podreduce.storage.multipart import MultipartClient

__all__ = ["connected", "drop_uploads", "list_uploads"]


def connected(store: ObjectStore) -> MultipartClient:
    """Return the client for the store's uploads."""
    assert store.connect_for_uploads is not None
    return store.connect_for_uploads()


def list_uploads(store: ObjectStore, key: str) -> list[str]:
    """Return the ids of the uploads to `key`."""
    client = connected(store)
    answer = client._client.list_multipart_uploads(Bucket=client._bucket, Prefix=store.prefix + key)  # noqa: SLF001
    return [upload["UploadId"] for upload in answer.get("Uploads", ())]


def drop_uploads(store: ObjectStore, key: str) -> None:
    """End the uploads to `key` behind podreduce's back."""
    for upload_id in list_uploads(store, key):
        connected(store).abort(store.prefix + key, upload_id)
