"""Staged objects: complete in the store but not published, so that all attempts may write one and one is chosen.

A small one is an object under its staged key; it is copied to its final name. A large one in S3 is a multipart upload
to the final name with all its parts, but not completed: it is invisible until `publish_staged` completes it, which
moves no bytes. Its staged key ends in `.pending` and holds its record, a `PendingUpload`.

Rule: the record is written before the first part, so that deleting the staged keys also finds every upload. This is
the method of Hadoop's S3A "magic" committer, without the marker objects.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import DecodeError

from podreduce.contract.errors import (
    InternalError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    UploadLostError,
)
from podreduce.contract.wire import Wire, decode, encode
from podreduce.storage.place import Place
from podreduce.storage.store import ObjectStore
from podreduce.storage.writer import PART_BYTES, Blocks, Data

if TYPE_CHECKING:
    from podreduce.storage.multipart import MultipartClient

__all__ = ["StagedUpload", "check_staged", "discard_staged", "is_pending", "publish_staged"]

PENDING_SUFFIX = ".pending"
CONCURRENT_PARTS = 2
MOST_RECORD_BYTES = 1 << 20
"""More than the record of an upload of 10,000 parts has."""
METADATA_NAME = "podreduce-staged"
"""On a published object: the staged key it came from. A repeated publication recognises its own object by it."""


class PendingUpload(Wire, frozen=True, kw_only=True):
    """An uncompleted upload: `key`, below the store's prefix, is its final name; `etags` is empty until the end."""

    key: str
    upload_id: str
    etags: tuple[str, ...] = ()


class StagedUpload:
    """Where an `ObjectWriter` puts an object that `publish_staged` may later name `target`.

    Attributes:
        key: the staged key; final only after the writing.
    """

    def __init__(self, store: ObjectStore, key: str, target: str) -> None:
        self.key = key
        self.place = Place(
            verb="write", uri=store.uri_of(target), endpoint=store.endpoint, before_try=store.before_write
        )
        self.part_bytes = PART_BYTES
        self._store = store
        self._target = target

    def put(self, data: bytes) -> None:
        """Stage an object."""
        self._store.put(self.key, data)

    def stream(self, blocks: Blocks) -> None:
        """Stage an upload if the store has multipart uploads; else an object."""
        if self._store.connect_for_uploads is None:
            with self._store.open_writer(self.key) as writer:
                for block in blocks:
                    writer.write(block)
            return
        self._upload(self._store.connect_for_uploads(), blocks)

    def _upload(self, client: "MultipartClient", blocks: Blocks) -> None:
        path = self._store.prefix + self._target
        upload_id = client.create(path, {METADATA_NAME: self.key})
        record_key = self.key + PENDING_SUFFIX
        try:
            self._store.put(record_key, encode(PendingUpload(key=self._target, upload_id=upload_id)))
            etags = upload_parts(client, path, upload_id, blocks, self.part_bytes)
            self._store.put(record_key, encode(PendingUpload(key=self._target, upload_id=upload_id, etags=etags)))
        except BaseException:
            with suppress(PodreduceError):  # its record leads to what is left
                client.abort(path, upload_id)
                self._store.delete(record_key)
            raise
        self.key = record_key


def upload_parts(
    client: "MultipartClient", path: str, upload_id: str, blocks: Blocks, part_bytes: int
) -> tuple[str, ...]:
    """Upload `blocks` in parts, a few of them at a time; return the parts' ETags."""
    etags: list[str] = []
    running: deque[Future[str]] = deque()
    with ThreadPoolExecutor(CONCURRENT_PARTS, thread_name_prefix="upload-part") as pool:
        for number, part in enumerate(join_blocks(blocks, part_bytes), 1):
            if len(running) == CONCURRENT_PARTS:
                etags.append(running.popleft().result())
            running.append(pool.submit(client.upload_part, path, upload_id, number, part))
        etags.extend(future.result() for future in running)
    return tuple(etags)


def join_blocks(blocks: Blocks, part_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of `blocks` in pieces of exactly `part_bytes`, except for the last; at least one piece."""
    waiting: list[Data] = []
    size = 0
    yielded = False
    for block in blocks:
        rest = memoryview(block)
        while size + len(rest) >= part_bytes:
            cut = part_bytes - size
            yield b"".join([*waiting, rest[:cut]])
            yielded = True
            rest, waiting, size = rest[cut:], [], 0
        waiting.append(rest)
        size += len(rest)
    if size or not yielded:
        yield b"".join(waiting)


def is_pending(key: str) -> bool:
    """Tell whether an upload is staged at `key`, not an object."""
    return key.endswith(PENDING_SUFFIX)


def check_staged(store: ObjectStore, key: str) -> None:
    """Make sure that the upload staged at `key` can be published.

    Raises:
        UploadLostError: the store has deleted it. MinIO does that 24 hours after the start of an upload, AWS if a
            bucket's life-cycle rule says so.
    """
    try:
        pending = read_pending(store, key)
    except ObjectNotFoundError:
        raise UploadLostError(f"{store.uri_of(key)}: the record of a pending upload is gone") from None
    connect(store).check(store.prefix + pending.key, pending.upload_id)


def publish_staged(store: ObjectStore, key: str, target: str) -> None:
    """Give the upload staged at `key` its name `target`, replacing any object there; repeating it does nothing.

    Raises:
        UploadLostError: the store has deleted the upload, and the object at `target` is another one.
        ObjectNotFoundError: nothing is staged there.
    """
    pending = read_pending(store, key)
    if pending.key != target:
        raise InternalError(f"{store.uri_of(key)}: an upload to {pending.key} cannot be published as {target}")
    client, path = connect(store), store.prefix + target
    try:
        client.complete(path, pending.upload_id, pending.etags)
    except UploadLostError:
        metadata = client.read_metadata(path)
        if metadata is None or metadata.get(METADATA_NAME) != key.removesuffix(PENDING_SUFFIX):
            raise


def discard_staged(store: ObjectStore, key: str) -> None:
    """Delete what is staged at `key`; do nothing if it is gone, published or deleted by the store."""
    if is_pending(key):
        with suppress(ObjectNotFoundError, UploadLostError):
            pending = read_pending(store, key)
            connect(store).abort(store.prefix + pending.key, pending.upload_id)
    store.delete(key)


def read_pending(store: ObjectStore, key: str) -> PendingUpload:
    """Return the record of a pending upload. Anybody who may write to the store may have replaced it.

    Raises:
        UploadLostError: something else lies there.
        ObjectNotFoundError: nothing lies there.
    """
    try:
        data = store.get_range(key, 0, MOST_RECORD_BYTES + 1)
        if len(data) <= MOST_RECORD_BYTES:
            return decode(data, PendingUpload)
    except (ObjectChangedError, DecodeError):
        pass
    raise UploadLostError(f"{store.uri_of(key)}: this is not the record of a pending upload")


def connect(store: ObjectStore) -> "MultipartClient":
    """Return the client for the store's uploads."""
    if store.connect_for_uploads is None:
        raise InternalError(f"{store.uri}: a store without multipart uploads has a pending upload")
    return store.connect_for_uploads()
