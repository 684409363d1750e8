"""Listing by string prefix and in key order, over stores that list by path segment and, for directories, in any order.

The directory store hides names such as `x#1` (its own unfinished uploads look so), fails a whole listing on one name
that is no UTF-8, and waits for ever for what a named pipe will give. Here all these are left out; `unreadable_files`
finds them for whoever must not miss one.
"""

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import obstore
from obstore.store import LocalStore

from podreduce.contract.errors import InputError, ObjectNotFoundError
from podreduce.storage.faults import STORE_ERRORS, Place, persist, persist_async, translate
from podreduce.storage.odd_keys import has_odd_keys, is_odd, list_any_keys

if TYPE_CHECKING:
    from obstore import ObjectMeta as ListedObject
    from obstore.store import MemoryStore, S3Store

    from podreduce.storage.multipart import MultipartClient

    Store: TypeAlias = S3Store | LocalStore | MemoryStore
    Connect: TypeAlias = Callable[[], MultipartClient]

__all__ = ["list_objects", "list_objects_async", "remove_empty_directories", "unreadable_files", "why_unreadable"]

UNREADABLE_NAME = re.compile(r"[\x00-\x1f\x7f]|#\d+$")
"""Control characters, and how the directory store names its unfinished uploads."""

T = TypeVar("T")
BATCH_ENTRIES = 1000
BAD_NAME = "rename them (no control characters, UTF-8, no ending like #1)"
LINK_TO_NOTHING = "it is a link that leads to no file: mend or remove it"
SPECIAL_FILES = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def list_objects(
    store: "Store", prefix: str, place: Place, *, recursive: bool, connect: "Connect | None" = None
) -> Iterator["ListedObject"]:
    """Yield the objects whose whole key starts with `prefix`, in key order; see `ObjectStore.list`.

    `connect` returns the client for keys that obstore does not know, where the store can have such.
    """
    if isinstance(store, LocalStore):
        yield from persist(lambda: list_directory(store, prefix, recursive=recursive), place)
        return
    last = ""
    try:
        if connect is None or not starts_oddly(prefix, connect):
            for page in list_pages(store, prefix, place, recursive=recursive):
                yield from (entry for entry in page if connect is None or not is_marker(store, entry, place))
                last = last_of(page, last)
            return
    except InputError:  # the next page has a key that is no path
        if connect is None:
            raise
    yield from list_any_keys(connect(), prefix, recursive=recursive, after=last)


def list_pages(store: "Store", prefix: str, place: Place, *, recursive: bool) -> Iterator[list["ListedObject"]]:
    """Yield what obstore lists, page by page. Raises InputError before a page that has a key which is no path."""
    directory = prefix.rpartition("/")[0] or None
    if not recursive:
        level = persist(lambda: obstore.list_with_delimiter(store, directory), place)
        yield matching(level["objects"], prefix)
        return
    try:
        for page in obstore.list(store, directory):
            yield matching(page, prefix)
    except STORE_ERRORS as error:
        raise translate(error, place) from error


async def list_objects_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, connect: "Connect | None" = None
) -> AsyncIterator["ListedObject"]:
    """Do as `list_objects` does."""
    async for page in list_any_pages_async(store, prefix, place, recursive=recursive, connect=connect):
        for entry in page:
            if entry["size"] or connect is None or not await ask(partial(is_marker, store, entry, place), place):
                yield entry


async def list_any_pages_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, connect: "Connect | None"
) -> AsyncIterator[list["ListedObject"]]:
    """Yield the objects page by page, whatever the store and their keys."""
    if isinstance(store, LocalStore):
        yield await asyncio.to_thread(lambda: list(list_objects(store, prefix, place, recursive=recursive)))
        return
    last = ""
    try:
        if connect is None or not await ask(lambda: starts_oddly(prefix, connect), place):
            async for page in list_pages_async(store, prefix, place, recursive=recursive):
                yield page
                last = last_of(page, last)
            return
    except InputError:
        if connect is None:
            raise
    client = await asyncio.to_thread(connect)
    odd = list_any_keys(client, prefix, recursive=recursive, after=last)
    while batch := await ask(lambda: list(islice(odd, BATCH_ENTRIES)), place):
        yield batch


async def list_pages_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool
) -> AsyncIterator[list["ListedObject"]]:
    """Do as `list_pages` does."""
    directory = prefix.rpartition("/")[0] or None
    if not recursive:
        level = await persist_async(lambda: obstore.list_with_delimiter_async(store, directory), place)
        yield matching(level["objects"], prefix)
        return
    try:
        pages = aiter(obstore.list(store, directory))
        while True:
            async with place.gate:
                page = await anext(pages, None)
            if page is None:
                return
            yield matching(page, prefix)
    except STORE_ERRORS as error:
        raise translate(error, place) from error


def last_of(page: Sequence["ListedObject"], before: str) -> str:
    """Return up to which key all is listed: not the last entry's, which may be a marker without its `/`."""
    return max((entry["path"] for entry in page), default=before)


async def ask(request: Callable[[], T], place: Place) -> T:
    """Make a request in a thread, as one of those that the place's gate counts."""
    async with place.gate:
        return await asyncio.to_thread(request)


def is_marker(store: "Store", entry: "ListedObject", place: Place) -> bool:
    """Tell whether an entry is no object but a directory's marker (`books/`), of which obstore takes the `/` away.

    Markers are empty; so an empty entry is looked for under its name.
    """
    if entry["size"] or is_odd(entry["path"]):
        return False
    try:
        persist(lambda: obstore.head(store, entry["path"]), place)
    except ObjectNotFoundError:
        return True
    return False


def starts_oddly(prefix: str, connect: "Connect") -> bool:
    """Tell whether obstore would not list these keys, or list others: some in the bucket's root may begin with `/`."""
    return is_odd(prefix) or ("/" not in prefix and has_odd_keys(connect()))


def matching(entries: "Sequence[ListedObject]", prefix: str) -> list["ListedObject"]:
    """Return the entries below `prefix`, without the marker some tools put at the prefix itself."""
    return [entry for entry in entries if entry["path"].startswith(prefix)]


def list_directory(store: LocalStore, prefix: str, *, recursive: bool) -> list["ListedObject"]:
    """Return the files of a directory store below `prefix`, sorted."""
    top = "/" + prefix.rpartition("/")[0]
    names = (name for name in file_names(top, recursive=recursive) if why_unreadable(name) is None)
    keys = sorted(name.lstrip("/") for name in names)
    return [entry for key in keys if key.startswith(prefix) and (entry := head_file(store, key))]


def head_file(store: LocalStore, key: str) -> "ListedObject | None":
    """Return the file's entry; None if it has gone since it was seen."""
    try:
        return obstore.head(store, key)
    except FileNotFoundError:
        return None


def file_names(top: str, *, recursive: bool) -> Iterator[str]:
    """Yield the paths of the files below `top`, links followed except into a directory that is being walked."""
    for directory, subdirectories, names in os.walk(top, followlinks=True, onerror=raise_unless_missing):
        real = os.path.realpath(directory)
        subdirectories[:] = [
            name
            for name in subdirectories
            if recursive and not f"{real}/".startswith(f"{os.path.realpath(f'{directory}/{name}')}/")
        ]
        for name in names:
            yield f"{directory}/{name}"


def raise_unless_missing(error: OSError) -> None:
    """Let a listing fail for a directory it may not read, but not for one that is not there."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def why_unreadable(path: str) -> str | None:
    """Return why this file cannot be read as an object, and what to do; None if it can, or has gone meanwhile."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return BAD_NAME
    if UNREADABLE_NAME.search(path):
        return BAD_NAME
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path of any characters, many times over
    except OSError:
        return LINK_TO_NOTHING if os.path.islink(path) else None  # noqa: PTH114 - likewise
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    kind = SPECIAL_FILES.get(stat.S_IFMT(mode), "a special file")
    return f"it is {kind}, no regular file that can be read twice: copy what it gives into a file, and name that"


def unreadable_files(top: Path, *, recursive: bool = True) -> dict[str, str]:
    """Return the files below `top` that cannot be read, each with why; names have escapes for what cannot be shown."""
    reasons = ((name, why_unreadable(name)) for name in file_names(str(top), recursive=recursive))
    return dict(sorted((ascii(name)[1:-1], why) for name, why in reasons if why is not None))


def remove_empty_directories(top: Path) -> None:
    """Remove `top` and what is below, as far as it holds no files."""
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # not empty, or gone already
            Path(directory).rmdir()
