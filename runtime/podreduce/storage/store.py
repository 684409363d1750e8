"""`ObjectStore`: one prefix of one store, with the operations podreduce needs, each for sync and for async callers.

Rule: keys are relative to the prefix; every failure is an error of `contract.errors` that names the object's URI.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError

from podreduce.contract.errors import InternalError, ObjectChangedError, ObjectNotFoundError
from podreduce.storage import listing
from podreduce.storage.faults import NO_GATE, BeforeWrite, Gate, Place, is_conflict, persist, persist_async
from podreduce.storage.odd_keys import is_odd
from podreduce.storage.stream import CHUNK_BYTES, stream_ranges
from podreduce.storage.writer import MAX_PARTS, PART_BYTES, Blocks, ObjectUpload, ObjectWriter

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore import ObjectMeta as ListedObject
    from obstore.store import LocalStore, MemoryStore, S3Store

    from podreduce.storage.multipart import MultipartClient

__all__ = ["MAX_COPY_BYTES", "ObjectMeta", "ObjectStore"]

MAX_COPY_BYTES = 5 * 1024**3
"""The largest object that S3 copies in one request."""

DELETE_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """An object as listed: its key below the store's prefix, size in bytes, version tag, time of last change."""

    key: str
    size: int
    etag: str | None
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ObjectStore:
    """Objects below one URI ending in `/`. Made by `open_store`; safe to share between threads and event loops.

    Every method raises StorageDeniedError (credentials, permissions, no such bucket: do not retry) or, after some 40 s
    of retries, StorageUnavailableError. Reads of a key raise ObjectNotFoundError. `*_async` do the same for async code.
    """

    uri: str
    prefix: str
    store: "S3Store | LocalStore | MemoryStore"
    connect_for_copies: "Callable[[], S3Store | LocalStore | MemoryStore]"
    connect_for_checksummed: "Callable[[], S3Store | LocalStore | MemoryStore]"
    connect_for_uploads: "Callable[[], MultipartClient] | None" = None
    connect_unretried: "Callable[[], S3Store] | None" = None
    endpoint: str | None = None
    directory: Path | None = None
    mishap: Callable[[], None] = lambda: None
    before_write: BeforeWrite = lambda: None
    gate: Gate = NO_GATE
    threads: Gate = NO_GATE

    def __repr__(self) -> str:
        return f"ObjectStore({self.uri!r})"

    def uri_of(self, key: str) -> str:
        """Return the URI of the object at `key`."""
        return self.uri + key

    def asked_once(self) -> "ObjectStore":
        """Return this store without obstore's own retries, which repeat even what the store says it cannot do (501)."""
        return self if self.connect_unretried is None else replace(self, store=self.connect_unretried())

    # Reading

    def get(self, key: str, *, etag: str | None = None) -> bytes:
        """Return the whole object; with `etag`, only that version of it.

        Raises:
            ObjectNotFoundError: there is no such object.
            ObjectChangedError: it is another version.
        """
        if (client := self._odd_client(key)) is not None:
            return client.read(self.prefix + key, etag=etag)
        options = get_options(etag)
        return persist(
            lambda: bytes(obstore.get(self.store, self.prefix + key, options=options).bytes()),
            self._place("read", key),
        )

    async def get_async(self, key: str, *, etag: str | None = None) -> bytes:
        """Return the whole object."""
        if self._odd_client(key) is not None:
            return await asyncio.to_thread(self.get, key, etag=etag)

        async def read() -> bytes:
            result = await obstore.get_async(self.store, self.prefix + key, options=get_options(etag))
            return bytes(await result.bytes_async())

        return await persist_async(read, self._place("read", key))

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> bytes:
        """Return bytes `start` to `end` (exclusive), fewer if the object ends before; an empty range reads nothing.

        Raises:
            ObjectNotFoundError: there is no such object.
            ObjectChangedError: it is another version than `etag`, or ends before `start`.
        """
        if start >= end:
            return b""
        if (client := self._odd_client(key)) is not None:
            return client.read(self.prefix + key, etag=etag, start=start, end=end)
        options = get_options(etag)
        options["range"] = (start, end)
        return persist(
            lambda: bytes(obstore.get(self.store, self.prefix + key, options=options).bytes()),
            self._place("read", key),
        )

    def stream(
        self,
        key: str,
        start: int,
        end: int,
        *,
        etag: str | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        read_ahead: int = 2,
    ) -> Iterator[bytes]:
        """Yield bytes `start` to `end` in chunks; threads fetch `read_ahead` of them in advance.

        Each chunk is a separate request, so that a slow reader holds no connection and a restart of the store costs
        one chunk. Close the iterator (or exhaust it) to stop the threads. Raises what `get_range` does.
        """
        return stream_ranges(
            lambda low, high: self.get_range(key, low, high, etag=etag),
            start,
            end,
            chunk_bytes=chunk_bytes,
            read_ahead=read_ahead,
        )

    def head(self, key: str) -> ObjectMeta:
        """Return the object's size, tag and time.

        Raises:
            ObjectNotFoundError: there is no such object.
        """
        if (client := self._odd_client(key)) is not None:
            return self._meta(client.head(self.prefix + key))
        found = persist(lambda: obstore.head(self.store, self.prefix + key), self._place("read", key))
        return ObjectMeta(key=key, size=found["size"], etag=found["e_tag"], modified=found["last_modified"])

    async def head_async(self, key: str) -> ObjectMeta:
        """Return the object's size, tag and time."""
        if self._odd_client(key) is not None:
            return await asyncio.to_thread(self.head, key)
        found = await persist_async(lambda: obstore.head_async(self.store, self.prefix + key), self._place("read", key))
        return ObjectMeta(key=key, size=found["size"], etag=found["e_tag"], modified=found["last_modified"])

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at `key`."""
        try:
            self.head(key)
        except ObjectNotFoundError:
            return False
        return True

    async def exists_async(self, key: str) -> bool:
        """Tell whether there is an object at `key`."""
        try:
            await self.head_async(key)
        except ObjectNotFoundError:
            return False
        return True

    # Listing

    def list(self, prefix: str = "", *, recursive: bool = True) -> Iterator[ObjectMeta]:
        """Yield the objects whose key starts with `prefix`, in the order of their keys (code points).

        `recursive=False` leaves out those with a further `/` after `prefix`, without reading through them. A prefix
        without objects, or a directory that does not exist, yields nothing. A directory store leaves out files that it
        cannot read back: see `unreadable_files`.
        """
        place = self._place("list", prefix)
        found = listing.list_objects(
            self.store, self.prefix + prefix, place, recursive=recursive, connect=self.connect_for_uploads
        )
        for each in found:
            yield self._meta(each)

    async def list_async(self, prefix: str = "", *, recursive: bool = True) -> AsyncIterator[ObjectMeta]:
        """Yield the objects whose key starts with `prefix`."""
        place = self._place("list", prefix)
        found = listing.list_objects_async(
            self.store, self.prefix + prefix, place, recursive=recursive, connect=self.connect_for_uploads
        )
        async for each in found:
            yield self._meta(each)

    def unreadable_files(self, prefix: str = "", *, recursive: bool = True) -> Mapping[str, str]:
        """Return, for a directory, the files below `prefix` that cannot be objects, each with the reason.

        Their names cannot be keys (`x#1`, or bytes that are not UTF-8), or they are pipes, sockets, devices, or links
        to nothing. An input with such files must be refused; otherwise they would be ignored silently.
        """
        if self.directory is None:
            return {}
        top = self.directory / (self.prefix + prefix)
        return persist(lambda: listing.unreadable_files(top, recursive=recursive), self._place("list", prefix))

    def why_unreadable(self, key: str) -> str | None:
        """Return, for a directory, why the file at `key` cannot be an object; None if it can, or does not exist."""
        return None if self.directory is None else listing.why_unreadable(str(self.directory / (self.prefix + key)))

    # Writing

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing any existing one."""
        persist(
            lambda: obstore.put(self.store, self.prefix + key, data, use_multipart=False),
            self._writing("write", key),
        )

    async def put_async(self, key: str, data: bytes) -> None:
        """Write the object, replacing any existing one."""
        await persist_async(
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

        return persist(write, self._writing("create", key))

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

        return await persist_async(write, self._writing("create", key))

    async def replace_async(self, key: str, data: bytes, *, etag: str) -> bool:
        """Write the object if it still is that version (`If-Match`), atomically; return False if it is not.

        False may also mean that this very call succeeded and its answer was lost.
        """
        if self.directory is not None:
            return await asyncio.to_thread(self._replace_file, key, data, etag)

        async def write() -> bool:
            await obstore.put_async(self.store, self.prefix + key, data, mode={"e_tag": etag})
            return True

        try:
            return await persist_async(write, self._writing("replace", key))
        except (ObjectChangedError, ObjectNotFoundError):
            return False

    def _replace_file(self, key: str, data: bytes, etag: str) -> bool:
        """Do the same with a file: all that replace one in its directory take turns."""
        place = (self.directory or Path("/")) / (self.prefix + key)
        with locked(place.parent):
            try:
                if self.head(key).etag != etag:
                    return False
            except ObjectNotFoundError:
                return False
            self.put(key, data)
        return True

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
        persist(
            lambda: obstore.copy(self.connect_for_copies(), self.prefix + source, self.prefix + target),
            self._writing("copy", source),
        )

    async def copy_async(self, source: str, target: str) -> None:
        """Copy an object within the store, replacing any at `target`."""
        size = (await self.head_async(source)).size if self.endpoint else 0
        if size > MAX_COPY_BYTES:
            await asyncio.to_thread(self._copy_by_streaming, source, target, size)
            return
        await persist_async(
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
            with suppress(ObjectNotFoundError):  # only a directory store raises it, and its batches are single keys
                persist(partial(obstore.delete, self.store, batch), self._writing("delete", keys[0]))

    async def delete_async(self, *keys: str) -> None:
        """Delete these objects; missing ones are ignored."""
        for batch in self._delete_batches(keys):
            with suppress(ObjectNotFoundError):
                await persist_async(partial(obstore.delete_async, self.store, batch), self._writing("delete", keys[0]))

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects below `prefix` (ending in `/`, or empty: the whole store); return how many there were."""
        keys = [found.key for found in self.list(directory_prefix(prefix))]
        self.delete(*keys)
        self._remove_empty_directories(prefix)
        return len(keys)

    async def delete_prefix_async(self, prefix: str) -> int:
        """Delete all objects below `prefix`; return how many there were."""
        keys = [found.key async for found in self.list_async(directory_prefix(prefix))]
        await self.delete_async(*keys)
        self._remove_empty_directories(prefix)
        return len(keys)

    def _delete_batches(self, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        size = 1 if self.directory else DELETE_BATCH
        for start in range(0, len(keys), size):
            yield [self.prefix + key for key in keys[start : start + size]]

    def _remove_empty_directories(self, prefix: str) -> None:
        if self.directory:
            listing.remove_empty_directories(self.directory / (self.prefix + prefix))

    def _odd_client(self, key: str) -> "MultipartClient | None":
        """Return the client that reads this key, if obstore cannot."""
        if self.connect_for_uploads is None or not is_odd(self.prefix + key):
            return None
        return self.connect_for_uploads()

    def _place(self, verb: str, key: str) -> Place:
        return Place(verb=verb, uri=self.uri_of(key), endpoint=self.endpoint, mishap=self.mishap, gate=self.gate)

    def _writing(self, verb: str, key: str) -> Place:
        return replace(self._place(verb, key), before_try=self.before_write)

    def _meta(self, found: "ListedObject") -> ObjectMeta:
        return ObjectMeta(
            key=found["path"][len(self.prefix) :],
            size=found["size"],
            etag=found["e_tag"],
            modified=found["last_modified"],
        )


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which only `replace_async` uses. A directory that is not there has none."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def get_options(etag: str | None) -> "GetOptions":
    """Return the options for a read of this version; None means any."""
    return {"if_match": etag} if etag else {}


def directory_prefix(prefix: str) -> str:
    """Return `prefix` if it is empty or ends in `/`: any other prefix would match neighbours, too.

    Raises:
        InternalError: it is another prefix.
    """
    if prefix and not prefix.endswith("/"):
        raise InternalError(f"{prefix!r} is not a directory prefix: it must end in /")
    return prefix
