"""Lists by string prefix and in key order, although stores list by path segment and directories in any order."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import obstore
from obstore.store import LocalStore

from podreduce.contract.errors import InputError, ObjectNotFoundError
from podreduce.storage.directories import has_few_files, list_directory
from podreduce.storage.place import Place, in_thread
from podreduce.storage.retries import with_retries, with_retries_async
from podreduce.storage.store_errors import STORE_ERRORS, translate
from podreduce.storage.unusual_keys import has_unusual_keys, is_unusual, list_any_keys

if TYPE_CHECKING:
    from obstore import ObjectMeta as ListedObject
    from obstore.store import MemoryStore, S3Store

    from podreduce.storage.multipart import MultipartClient

    Store: TypeAlias = S3Store | LocalStore | MemoryStore
    Connect: TypeAlias = Callable[[], MultipartClient]

__all__ = ["in_batches", "list_objects", "list_objects_async"]

T = TypeVar("T")
BATCH_ENTRIES = 1000


async def in_batches(items: AsyncIterable[T], size: int = BATCH_ENTRIES) -> AsyncIterator[list[T]]:
    """Yield the items in lists of `size`, the last may be shorter: a listing may be too long to be held in memory."""
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def list_objects(
    store: "Store", prefix: str, place: Place, *, recursive: bool, after: str = "", connect: "Connect | None" = None
) -> Iterator["ListedObject"]:
    """Yield the objects whose whole key starts with `prefix`, after `after`, in key order; see `ObjectStore.list`.

    `connect` returns the client for keys that obstore cannot handle, if the store can have such keys. It also lists one
    level: obstore holds the whole level in memory, with everything below it in between.
    """
    if isinstance(store, LocalStore):
        found = with_retries(lambda: list_directory(store, prefix, recursive=recursive), place)
        yield from (entry for entry in found if entry["path"] > after)
        return
    last = after
    try:
        if connect is None or (recursive and not starts_oddly(prefix, after, connect)):
            for page in list_pages(store, prefix, place, recursive=recursive, after=after):
                yield from (entry for entry in page if connect is None or not is_marker(store, entry, place))
                last = last_of(page, last)
            return
    except InputError:  # the next page has a key that is not a path
        if connect is None:
            raise
    yield from list_any_keys(connect(), prefix, recursive=recursive, after=last)


def list_pages(
    store: "Store", prefix: str, place: Place, *, recursive: bool, after: str
) -> Iterator[list["ListedObject"]]:
    """Yield what obstore lists, page by page. Raises InputError before a page with a key that is not a path."""
    directory = prefix.rpartition("/")[0] or None
    if not recursive:
        level = with_retries(lambda: obstore.list_with_delimiter(store, directory), place)
        yield [entry for entry in matching(level["objects"], prefix) if entry["path"] > after]
        return
    watch, pages = place.stopwatch(), iter(obstore.list(store, directory, offset=after or None))
    try:
        while True:
            with watch:
                page = next(pages, None)
            if page is None:
                break
            yield matching(page, prefix)
    except STORE_ERRORS as error:
        fault = translate(error, place)
        watch.end(fault)
        raise fault from error
    except GeneratorExit:
        watch.end()
        raise
    watch.end()


async def list_objects_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, after: str = "", connect: "Connect | None" = None
) -> AsyncIterator["ListedObject"]:
    """Do the same as `list_objects`."""
    async for page in list_any_pages_async(store, prefix, place, recursive=recursive, after=after, connect=connect):
        for entry in page:
            if entry["size"] or connect is None or not await in_thread(partial(is_marker, store, entry, place), place):
                yield entry


async def list_any_pages_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, after: str, connect: "Connect | None"
) -> AsyncIterator[list["ListedObject"]]:
    """Yield the objects page by page, for any store and any keys."""
    if isinstance(store, LocalStore):
        is_brief = has_few_files("/" + prefix.rpartition("/")[0], recursive=recursive)
        find = partial(list_objects, store, prefix, place, recursive=recursive, after=after)
        yield list(find()) if is_brief else await in_thread(lambda: list(find()), place)
        return
    last = after
    try:
        if connect is None or (recursive and not await in_thread(lambda: starts_oddly(prefix, after, connect), place)):
            async for page in list_pages_async(store, prefix, place, recursive=recursive, after=after):
                yield page
                last = last_of(page, last)
            return
    except InputError:
        if connect is None:
            raise
    client = await in_thread(connect, place)
    odd = list_any_keys(client, prefix, recursive=recursive, after=last)
    while batch := await in_thread(lambda: list(islice(odd, BATCH_ENTRIES)), place):
        yield batch


async def list_pages_async(
    store: "Store", prefix: str, place: Place, *, recursive: bool, after: str
) -> AsyncIterator[list["ListedObject"]]:
    """Do the same as `list_pages`."""
    directory = prefix.rpartition("/")[0] or None
    if not recursive:
        level = await with_retries_async(lambda: obstore.list_with_delimiter_async(store, directory), place)
        yield [entry for entry in matching(level["objects"], prefix) if entry["path"] > after]
        return
    watch, pages = place.stopwatch(), aiter(obstore.list(store, directory, offset=after or None))
    try:
        while True:
            async with place.gate:
                with watch:
                    page = await anext(pages, None)
            if page is None:
                break
            yield matching(page, prefix)
    except STORE_ERRORS as error:
        fault = translate(error, place)
        watch.end(fault)
        raise fault from error
    except GeneratorExit:
        watch.end()
        raise
    watch.end()


def last_of(page: Sequence["ListedObject"], before: str) -> str:
    """Return the key up to which all is listed: not the last entry's, which may be a marker without its `/`."""
    return max((entry["path"] for entry in page), default=before)


def is_marker(store: "Store", entry: "ListedObject", place: Place) -> bool:
    """Tell whether an entry is not an object but a directory's marker (`books/`), whose `/` obstore removes.

    Markers are empty, so only an empty entry is checked: by a look whether an object of its name exists.
    """
    if entry["size"] or is_unusual(entry["path"]):
        return False
    try:
        with_retries(lambda: obstore.head(store, entry["path"]), place)
    except ObjectNotFoundError:
        return True
    return False


def starts_oddly(prefix: str, after: str, connect: "Connect") -> bool:
    """Tell whether obstore would not list these keys, or list others: keys in the bucket's root may begin with `/`."""
    return is_unusual(prefix) or is_unusual(after) or ("/" not in prefix and has_unusual_keys(connect()))


def matching(entries: "Sequence[ListedObject]", prefix: str) -> list["ListedObject"]:
    """Return the entries below `prefix`, without the marker that some tools create for the prefix itself."""
    return [entry for entry in entries if entry["path"].startswith(prefix)]
