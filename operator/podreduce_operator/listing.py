"""Lists the objects of the input, in the order of the URIs and then of the keys, each once.

Rule: reads names and sizes, never contents. What the user named and what is not there, or could not be read in full,
fails here: a job that silently reads less than it was told to would be worse than none.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

from podreduce.contract.environment import StorageSettings
from podreduce.errors import ObjectNotFoundError
from podreduce.inputs import is_splittable
from podreduce.storage import ObjectMeta, ObjectStore, open_store
from podreduce_operator.errors import ActionError
from podreduce_operator.planner import InputObject
from podreduce_operator.uris import InputUri, UriKind, as_prefix, parse_input_uri

__all__ = ["list_input"]


async def list_input(
    uris: Iterable[str], settings: StorageSettings | None, *, output_uri: str
) -> tuple[InputObject, ...]:
    """List the objects that `uris` name.

    Raises:
        ActionError: `InputNotFound`: a URI names nothing; `InputUnreadable`: a file has a name that no key can have;
            `InputInOutput`: an object lies in the output, where it could be replaced.
        StorageDeniedError, StorageUnavailableError: the store cannot be asked.
    """
    found: dict[str, InputObject] = {}
    for uri in uris:
        for each in await list_uri(parse_input_uri(uri), settings):
            found.setdefault(each.uri, each)
    refuse_overlap(found, as_prefix(output_uri))
    return tuple(found.values())


async def list_uri(uri: InputUri, settings: StorageSettings | None) -> list[InputObject]:
    """Return the objects that one URI names.

    Raises:
        ActionError: there are none, or some have names that cannot be read.
    """
    store = open_store(uri.store_uri, settings)
    for meaning in iter_meanings(uri, is_local=store.directory is not None):
        found = await list_meaning(meaning, store)
        if found:
            return found
    raise ActionError(
        "InputNotFound", f"{uri.uri}: {await explain_nothing(uri, store)}: check spec.input.uris", permanent=True
    )


def iter_meanings(uri: InputUri, *, is_local: bool) -> Iterator[InputUri]:
    """Yield what the URI can mean, the likeliest first: names may have a `[`, directories lack their `/`."""
    yield uri
    literal = uri.literally
    if uri.kind is UriKind.GLOB:
        yield literal
    if literal.kind is UriKind.OBJECT and is_local:
        yield literal.below


async def list_meaning(uri: InputUri, store: ObjectStore) -> list[InputObject]:
    """Return the objects that the URI names, taken as its kind says; none if there are none."""
    if uri.kind is UriKind.OBJECT:
        try:
            return [as_input(store, await store.head_async(uri.key))]
        except ObjectNotFoundError:
            return []
    await refuse_unreadable(uri, store)
    return [as_input(store, meta) async for meta in list_keys(uri, store)]


async def explain_nothing(uri: InputUri, store: ObjectStore) -> str:
    """Return why the URI names nothing."""
    if uri.kind is not UriKind.OBJECT:
        return "no object there (names that start with _ or . do not count)"
    async for _ in list_keys(uri.below, store):
        return f"no such object; did you mean {uri.below.uri}?"
    return "no such object"


async def list_keys(uri: InputUri, store: ObjectStore) -> AsyncIterator[ObjectMeta]:
    """Yield what lies at the keys that the URI names, in key order."""
    async for meta in store.list_async(uri.literal_prefix, recursive=uri.is_recursive):
        if uri.names(meta.key):
            yield meta


async def refuse_unreadable(uri: InputUri, store: ObjectStore) -> None:
    """Fail if the URI names files of a directory that no key can name: they would be left out in silence."""
    directory = as_prefix(uri.literal_prefix.rpartition("/")[0])
    names = await asyncio.to_thread(store.unreadable_names, directory, recursive=uri.is_recursive)
    named = [name for name in names if uri.names(name.lstrip("/"))]
    if named:
        raise ActionError(
            "InputUnreadable",
            f"{uri.uri}: {len(named)} file(s) have names that cannot be read, such as {named[0]}: rename them "
            "(no control characters, UTF-8, no ending like #1)",
            permanent=True,
        )


def refuse_overlap(uris: Iterable[str], output_uri: str) -> None:
    """Fail if an object of the input lies in the output."""
    inside = next((uri for uri in uris if uri.startswith(output_uri)), None)
    if inside is not None:
        raise ActionError(
            "InputInOutput",
            f"{inside}: this input lies in the output {output_uri}, where it could be replaced: choose another "
            "spec.output.uri or narrow spec.input.uris",
            permanent=True,
        )


def as_input(store: ObjectStore, meta: ObjectMeta) -> InputObject:
    """Return a listed object as the planner wants it."""
    uri = store.uri_of(meta.key)
    return InputObject(uri=uri, size_bytes=meta.size, etag=meta.etag, is_splittable=is_splittable(uri))
