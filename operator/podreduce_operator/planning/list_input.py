"""Lists the input objects, each once, in the order of the URIs and then of the keys.

Rule: reads names and sizes, never contents. If something the user named does not exist or cannot be read, the job fails
here. A job must not silently read less than it was asked to.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import structlog

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.inputs import is_splittable
from podreduce.storage import ObjectMeta, ObjectStore
from podreduce_operator.api.input_uris import InputUri, UriKind, as_prefix, parse_input_uri
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.packed_input import InputListing, InputObject

__all__ = ["list_input"]

TOLD_OBJECTS = 100_000
"""A long listing writes a log line after every this many objects."""

log = structlog.get_logger(__name__)


async def list_input(
    uris: Sequence[str], open_at: Callable[[str], ObjectStore], *, output_uri: str | None = None, place: str = "input"
) -> Sequence[InputObject]:
    """List the objects that `uris` name; the input is at `place` in the spec. None may be below `output_uri`.

    Raises:
        ActionError: `InputNotFound`: a URI names nothing. `InputUnreadable`: a file has a name that is not possible as
            a key, or is not a regular file. `InputInOutput`: an object is in the output, where it could be replaced.
        StorageDeniedError, StorageUnavailableError: the store cannot be listed.
    """
    found, seen = InputListing(), set()
    for uri in uris:
        async for each in list_uri(parse_input_uri(uri), open_at, place):
            if output_uri is not None:
                refuse_overlap(each.uri, as_prefix(output_uri), place)
            if len(uris) > 1:  # a single URI names no object twice
                if each.uri in seen:
                    continue
                seen.add(each.uri)
            found.append(each)
            if not len(found) % TOLD_OBJECTS:
                log.info("listing the input", objects=len(found), uri=uri)
    return found


async def list_uri(uri: InputUri, open_at: Callable[[str], ObjectStore], place: str) -> AsyncIterator[InputObject]:
    """Yield the objects that one URI names.

    Raises:
        ActionError: there are none, or some cannot be read.
    """
    store = open_at(uri.store_uri)
    for meaning in iter_meanings(uri, is_local=store.directory is not None):
        found = False
        async for each in list_meaning(meaning, store):
            found = True
            yield each
        if found:
            return
    raise ActionError(
        "InputNotFound", f"{uri.uri}: {await explain_nothing(uri, store)}: check spec.{place}.uris", permanent=True
    )


def iter_meanings(uri: InputUri, *, is_local: bool) -> Iterator[InputUri]:
    """Yield the possible meanings of the URI, the most likely first.

    A name may contain a `[`, and a local directory may be given without its `/`.
    """
    yield uri
    literal = uri.literally
    if uri.kind is UriKind.GLOB:
        yield literal
    if literal.kind is UriKind.OBJECT and is_local:
        yield literal.below


async def list_meaning(uri: InputUri, store: ObjectStore) -> AsyncIterator[InputObject]:
    """Yield the objects that the URI names, if it is of this kind."""
    if uri.kind is UriKind.OBJECT:
        refuse_special(uri, store)
        with suppress(ObjectNotFoundError):
            yield as_input(store, await store.head_async(uri.key))
        return
    await refuse_unreadable(uri, store)
    async for meta in list_keys(uri, store):
        yield as_input(store, meta)


async def explain_nothing(uri: InputUri, store: ObjectStore) -> str:
    """Return why the URI names nothing."""
    if uri.kind is not UriKind.OBJECT:
        return "no object there (files and directories whose names start with _ or . are skipped)"
    async for _ in list_keys(uri.below, store):
        return f"no such object; did you mean {uri.below.uri}?"
    return "no such object"


async def list_keys(uri: InputUri, store: ObjectStore) -> AsyncIterator[ObjectMeta]:
    """Yield the objects whose keys the URI names, in key order."""
    async for meta in store.list_async(uri.literal_prefix, recursive=uri.is_recursive):
        if uri.names(meta.key):
            yield meta


def refuse_special(uri: InputUri, store: ObjectStore) -> None:
    """Fail if the URI names a pipe, a device or the like. Tasks could not read it, or only once."""
    why = store.why_unreadable(uri.key)
    if why is not None:
        raise ActionError("InputUnreadable", f"{uri.uri}: cannot be read: {why}", permanent=True)


async def refuse_unreadable(uri: InputUri, store: ObjectStore) -> None:
    """Fail if the URI names files in a directory that cannot be read. They would be left out silently."""
    directory = as_prefix(uri.literal_prefix.rpartition("/")[0])
    is_brief = store.lists_briefly(directory, recursive=uri.is_recursive)
    find = partial(store.unreadable_files, directory, recursive=uri.is_recursive)
    files = await store.in_thread(find, is_brief=is_brief)
    named = [name for name in files if uri.names(name.lstrip("/"))]
    if named:
        raise ActionError(
            "InputUnreadable",
            f"{uri.uri}: {len(named)} file(s) cannot be read, such as {named[0]}: {files[named[0]]}",
            permanent=True,
        )


def refuse_overlap(uri: str, output_uri: str, place: str) -> None:
    """Fail if an input object is in the output."""
    if uri.startswith(output_uri):
        raise ActionError(
            "InputInOutput",
            f"{uri}: this input is in the output {output_uri}, where it could be replaced: choose another "
            f"spec.output.uri or narrow spec.{place}.uris",
            permanent=True,
        )


def as_input(store: ObjectStore, meta: ObjectMeta) -> InputObject:
    """Return a listed object for the planner."""
    uri = store.uri_of(meta.key)
    return InputObject(uri=uri, size_bytes=meta.size, etag=meta.etag, is_splittable=is_splittable(uri))
