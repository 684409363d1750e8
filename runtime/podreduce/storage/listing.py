"""Lists by string prefix and in key order, although stores list by path segment and directories in any order.

The directory store hides names such as `x#1` (its own unfinished uploads have such names). One name that is not UTF-8
makes its whole listing fail, and a named pipe makes it wait forever. This module leaves all of them out;
`unreadable_files` finds them, for callers that must not miss one.
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
"""Control characters, and the form of the directory store's unfinished uploads."""

T = TypeVar("T")
BATCH_ENTRIES = 1000
BAD_NAME = "rename them (no control characters, UTF-8, no ending like #1)"
LINK_TO_NOTHING = "it is a broken link: correct or delete it"
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

    `connect` returns the client for keys that obstore cannot handle, if the store can have such keys.
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
    except InputError:  # the next page has a key that is not a path
        if connect is None:
            raise
    yield from list_any_keys(connect(), prefix, recursive=recursive, after=last)


def list_pages(store: "Store", prefix: str, place: Place, *, recursive: bool) -> Iterator[list["ListedObject"]]:
    """Yield what obstore lists, page by page. Raises InputError before a page with a key that is not a path."""
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
    """Do the same as `list_objects`."""
    async for page in list_any_pages_async(store, prefix, place, recursive=recursive, connect=connect):
        for entry in page:
            if entry["size"] or connect is None or not await ask(partial(is_marker, store, entry, place), place):
                yield entry


async def list_any_pages_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, connect: "Connect | None"
) -> AsyncIterator[list["ListedObject"]]:
    """Yield the objects page by page, for any store and any keys."""
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
    """Do the same as `list_pages`."""
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
    """Return the key up to which all is listed: not the last entry's, which may be a marker without its `/`."""
    return max((entry["path"] for entry in page), default=before)


async def ask(request: Callable[[], T], place: Place) -> T:
    """Make a request in a thread; it counts for the place's gate."""
    async with place.gate:
        return await asyncio.to_thread(request)


def is_marker(store: "Store", entry: "ListedObject", place: Place) -> bool:
    """Tell whether an entry is not an object but a directory's marker (`books/`), whose `/` obstore removes.

    Markers are empty, so only an empty entry is checked: by a look whether an object of its name exists.
    """
    if entry["size"] or is_odd(entry["path"]):
        return False
    try:
        persist(lambda: obstore.head(store, entry["path"]), place)
    except ObjectNotFoundError:
        return True
    return False


def starts_oddly(prefix: str, connect: "Connect") -> bool:
    """Tell whether obstore would not list these keys, or list others: keys in the bucket's root may begin with `/`."""
    return is_odd(prefix) or ("/" not in prefix and has_odd_keys(connect()))


def matching(entries: "Sequence[ListedObject]", prefix: str) -> list["ListedObject"]:
    """Return the entries below `prefix`, without the marker that some tools create for the prefix itself."""
    return [entry for entry in entries if entry["path"].startswith(prefix)]


def list_directory(store: LocalStore, prefix: str, *, recursive: bool) -> list["ListedObject"]:
    """Return the files of a directory store below `prefix`, sorted."""
    top = "/" + prefix.rpartition("/")[0]
    names = (name for name in file_names(top, recursive=recursive) if why_unreadable(name) is None)
    keys = sorted(name.lstrip("/") for name in names)
    return [entry for key in keys if key.startswith(prefix) and (entry := head_file(store, key))]


def head_file(store: LocalStore, key: str) -> "ListedObject | None":
    """Return the file's entry; None if it has been deleted since it was listed."""
    try:
        return obstore.head(store, key)
    except FileNotFoundError:
        return None


def file_names(top: str, *, recursive: bool) -> Iterator[str]:
    """Yield the paths of the files below `top`; links are followed, except into a directory that is being walked."""
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
    """Raise the error for a directory that cannot be read, but not for a missing one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def why_unreadable(path: str) -> str | None:
    """Return why this file cannot be read as an object, and what to do; None if it can, or was deleted meanwhile."""
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
    return f"it is {kind}, not a regular file that can be read twice: copy its content into a file, and use that"


def unreadable_files(top: Path, *, recursive: bool = True) -> dict[str, str]:
    """Return the files below `top` that cannot be read, each with the reason; names have escapes if necessary."""
    reasons = ((name, why_unreadable(name)) for name in file_names(str(top), recursive=recursive))
    return dict(sorted((ascii(name)[1:-1], why) for name, why in reasons if why is not None))


def remove_empty_directories(top: Path) -> None:
    """Delete `top` and the directories below it that have no files."""
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # not empty, or already deleted
            Path(directory).rmdir()
