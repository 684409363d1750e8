"""`ReadableStore`: one prefix of one store, and all that only reads it, each for sync and for async callers.

Rule: keys are relative to the prefix; every failure is an error of `contract.errors` that names the object's URI.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore

from podreduce.contract.errors import ObjectNotFoundError, ObjectTooLargeError
from podreduce.contract.texts import render_count
from podreduce.storage import listing
from podreduce.storage.key_files import KeyFiles
from podreduce.storage.place import NO_GATE, BeforeWrite, Gate, Place, in_thread
from podreduce.storage.retries import with_retries, with_retries_async
from podreduce.storage.stream import CHUNK_BYTES, stream_ranges
from podreduce.storage.telemetry import OnRequest, ignore_request
from podreduce.storage.unusual_keys import is_unusual

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore import ObjectMeta as ListedObject
    from obstore.store import LocalStore, MemoryStore, S3Store

    from podreduce.storage.multipart import MultipartClient

__all__ = ["ObjectMeta", "ReadableStore"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """An object as listed: its key below the store's prefix, size in bytes, version tag, time of last change."""

    key: str
    size: int
    etag: str | None
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReadableStore:
    """Objects below one URI ending in `/`, to read them; `ObjectStore` adds writing.

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
    key_files: KeyFiles | None = None
    inject_fault: Callable[[], None] = lambda: None
    before_write: BeforeWrite = lambda: None
    gate: Gate = NO_GATE
    threads: Gate = NO_GATE
    on_request: OnRequest = ignore_request

    def __repr__(self) -> str:
        return f"ObjectStore({self.uri!r})"

    @property
    def directory(self) -> Path | None:
        """Where the objects are files; None if they are not."""
        return None

    def uri_of(self, key: str) -> str:
        """Return the URI of the object at `key`."""
        return self.uri + key

    async def in_thread(self, request: Callable[[], T], *, is_brief: bool = False) -> T:
        """Make a blocking request in one of the threads that this store may hold.

        If it `is_brief`, a directory store makes it at once: it takes less time there than a thread needs to begin.
        """
        del is_brief
        return await in_thread(request, self._place("read", ""))

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
        return with_retries(
            lambda: bytes(obstore.get(self.store, self.prefix + key, options=options).bytes()),
            self._place("read", key),
        )

    async def get_async(self, key: str, *, etag: str | None = None) -> bytes:
        """Return the whole object."""
        if self._odd_client(key) is not None:
            return await self.in_thread(partial(self.get, key, etag=etag))

        async def read() -> bytes:
            result = await obstore.get_async(self.store, self.prefix + key, options=get_options(etag))
            return bytes(await result.bytes_async())

        return await with_retries_async(read, self._place("read", key))

    async def get_small_async(self, key: str, most_bytes: int) -> bytes:
        """Return the whole object. Nothing is read of one that is larger than `most_bytes`, or not much more.

        Raises:
            ObjectNotFoundError: there is no such object.
            ObjectTooLargeError: it is larger.
        """
        client = self._odd_client(key)
        if client is not None:
            read_odd = partial(client.read, self.prefix + key, etag=None, most_bytes=most_bytes)
            data: bytes = await self.in_thread(read_odd)
        else:
            data = await with_retries_async(partial(self._read_small, key, most_bytes), self._place("read", key))
        return self._of_size(data, len(data), key, most_bytes)

    async def _read_small(self, key: str, most_bytes: int) -> bytes:
        result = await obstore.get_async(self.store, self.prefix + key)
        size = self._of_size(result.meta["size"], result.meta["size"], key, most_bytes)
        # One chunk, unless the server sends more than it has announced.
        async for chunk in result.stream(min_chunk_size=size + 1):
            return bytes(chunk)
        return b""

    def _of_size(self, found: T, size: int, key: str, most_bytes: int) -> T:
        """Return what was found, if its size is allowed."""
        if size > most_bytes:
            raise ObjectTooLargeError(
                f"{self.uri_of(key)}: it has {render_count(size, 'byte')}, and {most_bytes:,} is the limit"
            )
        return found

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
        return with_retries(
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
        found = with_retries(lambda: obstore.head(self.store, self.prefix + key), self._place("read", key))
        return ObjectMeta(key=key, size=found["size"], etag=found["e_tag"], modified=found["last_modified"])

    async def head_async(self, key: str) -> ObjectMeta:
        """Return the object's size, tag and time."""
        if self._odd_client(key) is not None:
            return await self.in_thread(partial(self.head, key))
        found = await with_retries_async(
            lambda: obstore.head_async(self.store, self.prefix + key), self._place("read", key)
        )
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

    async def list_async(
        self, prefix: str = "", *, recursive: bool = True, after: str = ""
    ) -> AsyncGenerator[ObjectMeta, None]:
        """Yield the objects whose key starts with `prefix`. With `after`, only those with a greater key are listed."""
        place = self._place("list", prefix)
        found = listing.list_objects_async(
            self.store,
            self.prefix + prefix,
            place,
            recursive=recursive,
            after=self.prefix + after if after else "",
            connect=self.connect_for_uploads,
        )
        async for each in found:
            yield self._meta(each)

    async def has_any_async(self, prefix: str = "") -> bool:
        """Tell whether there is an object whose key starts with `prefix`, however many there are.

        This takes one request, whose answer has a page of keys at most, unless that page has only directories' markers.
        """
        async with aclosing(self.list_async(prefix)) as found:
            async for _ in found:
                return True
        return False

    def lists_briefly(self, prefix: str, *, recursive: bool) -> bool:
        """Tell whether the files of a directory are found quickly. Of other stores nobody can tell."""
        del prefix, recursive
        return False

    def unreadable_files(self, prefix: str = "", *, recursive: bool = True) -> Mapping[str, str]:
        """Return, for a directory, the files below `prefix` that cannot be objects, each with the reason.

        Their names cannot be keys (`x#1`, or bytes that are not UTF-8), or they are pipes, sockets, devices, or links
        to nothing. An input with such files must be refused; otherwise they would be ignored silently.
        """
        del prefix, recursive
        return {}

    def why_unreadable(self, key: str) -> str | None:
        """Return, for a directory, why the file at `key` cannot be an object; None if it can, or does not exist."""
        del key
        return None

    def _odd_client(self, key: str) -> "MultipartClient | None":
        """Return the client that reads this key, if obstore cannot."""
        if self.connect_for_uploads is None or not is_unusual(self.prefix + key):
            return None
        return self.connect_for_uploads()

    def _place(self, verb: str, key: str) -> Place:
        return Place(
            verb=verb,
            uri=self.uri_of(key),
            endpoint=self.endpoint,
            key_files=self.key_files,
            inject_fault=self.inject_fault,
            gate=self.gate,
            threads=self.threads,
            on_request=self.on_request,
        )

    def _meta(self, found: "ListedObject") -> ObjectMeta:
        return ObjectMeta(
            key=found["path"][len(self.prefix) :],
            size=found["size"],
            etag=found["e_tag"],
            modified=found["last_modified"],
        )


def get_options(etag: str | None) -> "GetOptions":
    """Return the options for a read of this version; None means any."""
    return {"if_match": etag} if etag else {}
