"""`DirectoryStore`: objects that are files. What is quick for a file is done at once, and names may be unreadable.

Rule: a small request is made in the event loop's thread, because handing it to another takes longer than the request.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import obstore

from podreduce.contract.errors import InputError, ObjectNotFoundError
from podreduce.storage import directories
from podreduce.storage.readable_store import ObjectMeta
from podreduce.storage.retries import with_retries
from podreduce.storage.store import ObjectStore, directory_prefix
from podreduce.storage.unusual_keys import is_unusual

__all__ = ["DirectoryStore"]

AT_ONCE_BYTES = 1 << 20
"""A file of up to so many bytes is written without another thread."""

T = TypeVar("T")


class DirectoryStore(ObjectStore):
    """Files below one directory. It need not exist: the first write creates it."""

    __slots__ = ()

    @property
    def directory(self) -> Path:
        """Where the files are."""
        return self._path("")

    def _path(self, key: str) -> Path:
        return Path("/", self.prefix + key)

    async def in_thread(self, request: Callable[[], T], *, is_brief: bool = False) -> T:
        """Make a blocking request: at once if it `is_brief`, otherwise in a thread."""
        return await (at_once(request) if is_brief else super().in_thread(request))

    def lists_briefly(self, prefix: str, *, recursive: bool) -> bool:
        """Tell whether the files of a directory, whose key ends with a slash, are found quickly."""
        return directories.has_few_files(str(self._path(prefix)), recursive=recursive)

    # Reading

    async def get_small_async(self, key: str, most_bytes: int) -> bytes:
        """Return the whole object, unless it is larger than `most_bytes`."""

        def read() -> bytes:
            result = obstore.get(self.store, self.prefix + key)
            self._of_size(result, result.meta["size"], key, most_bytes)
            return bytes(result.bytes())

        data = await at_once(lambda: with_retries(read, self._place("read", key)))
        return self._of_size(data, len(data), key, most_bytes)  # it may have grown meanwhile

    async def head_async(self, key: str) -> ObjectMeta:
        """Return the object's size, tag and time."""
        return await at_once(partial(self.head, key))

    def unreadable_files(self, prefix: str = "", *, recursive: bool = True) -> Mapping[str, str]:
        """Return the files below `prefix` that cannot be objects, each with the reason."""
        find = partial(directories.unreadable_files, self._path(prefix), recursive=recursive)
        return with_retries(find, self._place("list", prefix))

    def why_unreadable(self, key: str) -> str | None:
        """Return why the file at `key` cannot be an object; None if it can, or does not exist."""
        return directories.why_unreadable(str(self._path(key)))

    # Writing

    async def put_async(self, key: str, data: bytes) -> None:
        """Write the object, replacing any existing one."""
        if len(data) <= AT_ONCE_BYTES:
            await at_once(partial(self.put, key, data))
        else:
            await super().put_async(key, data)

    async def create_async(self, key: str, data: bytes) -> bool:
        """Write the object if it does not exist; return False if it exists."""
        if len(data) <= AT_ONCE_BYTES:
            return await at_once(partial(self.create, key, data))
        return await super().create_async(key, data)

    async def replace_async(self, key: str, data: bytes, *, etag: str) -> bool:
        """Write the object if it still is that version; return False if it is not."""
        return await self.in_thread(partial(self._replace, key, data, etag))

    def _replace(self, key: str, data: bytes, etag: str) -> bool:
        """All that replace a file in the same directory take turns, because a file has no conditional write."""
        with directories.locked(self._path(key).parent):
            try:
                if self.head(key).etag != etag:
                    return False
            except ObjectNotFoundError:
                return False
            self.put(key, data)
        return True

    async def copy_async(self, source: str, target: str) -> None:
        """Copy an object within the store, replacing any at `target`: a hard link."""
        await at_once(partial(self.copy, source, target))

    # Deleting

    def delete(self, *keys: str) -> None:
        """Delete these objects; missing ones are ignored."""
        for key in keys:
            with suppress(ObjectNotFoundError):
                with_retries(partial(obstore.delete, self.store, self.prefix + key), self._writing("delete", key))

    async def delete_async(self, *keys: str) -> None:
        """Delete these objects; missing ones are ignored."""
        for key in keys:
            await at_once(partial(self.delete, key))

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects below `prefix` and the directories that are empty then; return how many objects.

        Raises:
            InputError: a file system would read the prefix otherwise, and delete what lies elsewhere.
        """
        if is_unusual(self.prefix + directory_prefix(prefix)):
            raise InputError(f"{self.uri_of(prefix)}: cannot delete it: it has an empty part, . or .. in it")
        find = partial(directories.readable_names, str(self._path(prefix)))
        names = with_retries(lambda: sorted(find()), self._place("list", prefix))
        for name in names:
            key = os.path.relpath(name, self.directory)
            with_retries(partial(directories.remove_file, name), self._writing("delete", key))
        directories.remove_empty_directories(self._path(prefix))
        return len(names)

    async def delete_prefix_async(self, prefix: str) -> int:
        """Delete all objects below `prefix`; return how many there were."""
        return await self.in_thread(partial(self.delete_prefix, prefix))


async def at_once(request: Callable[[], T]) -> T:
    """Make a request in the event loop's thread. Many in a row do not keep others waiting."""
    await asyncio.sleep(0)
    return request()
