"""`ObjectStore`: one prefix of one store, with the operations podreduce needs, each for sync and for async callers.

Rule: keys are relative to the prefix; every failure is an error of `contract.errors` that names the object's URI.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import obstore
from obstore.exceptions import AlreadyExistsError

from podreduce.contract.errors import InternalError, ObjectChangedError, ObjectNotFoundError
from podreduce.storage.listing import in_batches
from podreduce.storage.place import Place
from podreduce.storage.readable_store import ReadableStore
from podreduce.storage.retries import with_retries, with_retries_async
from podreduce.storage.store_errors import is_conflict
from podreduce.storage.writer import MAX_PARTS, PART_BYTES, Blocks, ObjectUpload, ObjectWriter

__all__ = ["MAX_COPY_BYTES", "ObjectStore"]

MAX_COPY_BYTES = 5 * 1024**3
"""The largest object that S3 copies in one request."""

DELETE_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ObjectStore(ReadableStore):
    """Objects below one URI ending in `/`. Made by `open_store`; safe to share between threads and event loops."""

    def asked_once(self) -> "ObjectStore":
        """Return this store without obstore's own retries, which repeat even what the store says it cannot do (501)."""
        return self if self.connect_unretried is None else replace(self, store=self.connect_unretried())

    # Writing

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing any existing one."""
        with_retries(
            lambda: obstore.put(self.store, self.prefix + key, data, use_multipart=False),
            self._writing("write", key),
        )

    async def put_async(self, key: str, data: bytes) -> None:
        """Write the object, replacing any existing one."""
        await with_retries_async(
            lambda: obstore.put_async(self.store, self.prefix + key, data, use_multipart=False),
            self._writing("write", key),
        )

    def create(self, key: str, data: bytes) -> bool:
        """Write the object if it does not exist (`If-None-Match: *`), atomically; return False if it exists.

        False may also mean that this very call succeeded and its answer was lost. A caller who must know puts a unique
        mark into the object, and reads it back.
        """

        def write() -> bool:
            try:
                obstore.put(self.store, self.prefix + key, data, mode="create")
            except AlreadyExistsError as error:
                if is_conflict(error):
                    raise
                return False
            return True

        return with_retries(write, self._writing("create", key))

    async def create_async(self, key: str, data: bytes) -> bool:
        """Write the object if it does not exist; return False if it exists."""

        async def write() -> bool:
            try:
                await obstore.put_async(self.store, self.prefix + key, data, mode="create")
            except AlreadyExistsError as error:
                if is_conflict(error):
                    raise
                return False
            return True

        return await with_retries_async(write, self._writing("create", key))

    async def replace_async(self, key: str, data: bytes, *, etag: str) -> bool:
        """Write the object if it still is that version (`If-Match`), atomically; return False if it is not.

        False may also mean that this very call succeeded and its answer was lost.
        """

        async def write() -> bool:
            await obstore.put_async(self.store, self.prefix + key, data, mode={"e_tag": etag})
            return True

        try:
            return await with_retries_async(write, self._writing("replace", key))
        except (ObjectChangedError, ObjectNotFoundError):
            return False

    def open_writer(
        self,
        key: str,
        *,
        part_bytes: int = PART_BYTES,
        concurrency: int = 2,
        encode: Callable[[Blocks], Blocks] = iter,
        checksummed: bool = False,
    ) -> ObjectWriter:
        """Open a new object for streaming; use it in a `with`: if it ends normally, the object becomes visible.

        It holds at most some (concurrency + 2) x part_bytes and makes `write` wait beyond that. An exception in the
        block aborts the upload and leaves no object. S3 allows 10,000 parts: some 80 GB with the default size.
        `encode` gets all written blocks and yields the blocks to upload; it runs in the upload's thread.
        `checksummed`: the data has checksums that its readers check, so the requests need none.
        """
        upload = ObjectUpload(
            store=self.connect_for_checksummed() if checksummed else self.store,
            path=self.prefix + key,
            place=self._writing("write", key),
            part_bytes=part_bytes,
            concurrency=concurrency,
        )
        return ObjectWriter(upload, encode=encode)

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store, replacing any at `target`; the server does it (a directory: a hard link).

        Beyond 5 GiB S3 needs a multipart copy, which obstore does not offer: such objects go through this process.

        Raises:
            ObjectNotFoundError: there is no object at `source`.
        """
        size = self.head(source).size if self.endpoint else 0
        if size > MAX_COPY_BYTES:
            self._copy_by_streaming(source, target, size)
            return
        with_retries(
            lambda: obstore.copy(self.connect_for_copies(), self.prefix + source, self.prefix + target),
            self._writing("copy", source),
        )

    async def copy_async(self, source: str, target: str) -> None:
        """Copy an object within the store, replacing any at `target`."""
        size = (await self.head_async(source)).size if self.endpoint else 0
        if size > MAX_COPY_BYTES:
            await self.in_thread(partial(self._copy_by_streaming, source, target, size))
            return
        await with_retries_async(
            lambda: obstore.copy_async(self.connect_for_copies(), self.prefix + source, self.prefix + target),
            self._writing("copy", source),
        )

    def _copy_by_streaming(self, source: str, target: str, size: int) -> None:
        part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
        with self.open_writer(target, part_bytes=part_bytes) as writer:
            for chunk in self.stream(source, 0, size):
                writer.write(chunk)

    # Deleting

    def delete(self, *keys: str) -> None:
        """Delete these objects; missing ones are ignored."""
        for batch in self._delete_batches(keys):
            with suppress(ObjectNotFoundError):  # for a store that calls a missing one an error
                with_retries(partial(obstore.delete, self.store, batch), self._writing("delete", keys[0]))

    async def delete_async(self, *keys: str) -> None:
        """Delete these objects; missing ones are ignored."""
        for batch in self._delete_batches(keys):
            with suppress(ObjectNotFoundError):
                await with_retries_async(
                    partial(obstore.delete_async, self.store, batch), self._writing("delete", keys[0])
                )

    def _delete_batches(self, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        for start in range(0, len(keys), DELETE_BATCH):
            yield [self.prefix + key for key in keys[start : start + DELETE_BATCH]]

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects below `prefix` (ending in `/`, or empty: the whole store); return how many there were."""
        deleted, listed = 0, self.list(directory_prefix(prefix))
        while batch := [found.key for found in islice(listed, DELETE_BATCH)]:
            self.delete(*batch)
            deleted += len(batch)
        return deleted

    async def delete_prefix_async(self, prefix: str) -> int:
        """Delete all objects below `prefix`, as they are listed; return how many there were."""
        deleted = 0
        async for batch in in_batches(self.list_async(directory_prefix(prefix)), DELETE_BATCH):
            await self.delete_async(*(found.key for found in batch))
            deleted += len(batch)
        return deleted

    def _writing(self, verb: str, key: str) -> Place:
        return replace(self._place(verb, key), before_try=self.before_write)


def directory_prefix(prefix: str) -> str:
    """Return `prefix` if it is empty or ends in `/`: any other prefix would match neighbours, too.

    Raises:
        InternalError: it is another prefix.
    """
    if prefix and not prefix.endswith("/"):
        raise InternalError(f"{prefix!r} is not a directory prefix: it must end in /")
    return prefix
