"""`podreduce copy`: copies objects between directories and S3, so that trying a cluster needs no other tool.

Rule: copies as `cp -r` does, in streams. The AWS_* variables configure S3, as in a local run.
"""

from collections.abc import Iterator

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError
from podreduce.contract.texts import render_count
from podreduce.contract.uris import split_object_uri
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cli.overrides import resolve_uri
from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.runs.output_claim import RESERVED_PREFIX

__all__ = ["copy_objects"]


def copy_objects(source: str, target: str) -> ExitStatus:
    """Copy an object, or everything below a directory or prefix that ends in `/`, to `target`."""
    try:
        sizes = list(copy_all(resolve_uri(source), resolve_uri(target)))
    except PodreduceError as error:
        complain(f"{source}: cannot be copied: {error}")
        return ExitStatus.FAILED
    if not sizes:
        complain(f"{source}: nothing found: name an object, or a directory or prefix that ends in /")
        return ExitStatus.FAILED
    say(f"{render_count(len(sizes), 'object')}, {render_bytes(sum(sizes))} copied to {target}")
    return ExitStatus.COMPLETE


def copy_all(source: str, target: str) -> Iterator[int]:
    """Copy the objects that `source` names, and yield the size of each.

    What a run holds in its output while it is published is no part of it, and may be gone when it is read.
    """
    if source.endswith("/"):
        below, above = open_store(source), open_store(target if target.endswith("/") else f"{target}/")
        for found in below.list():
            if not any(name.startswith(RESERVED_PREFIX) for name in found.key.split("/")):
                yield copy_one(below, found.key, above, found.key)
        return
    store, key = open_object(source)
    if not store.exists(key):
        return
    place, name = open_object(f"{target}{key.rpartition('/')[2]}" if target.endswith("/") else target)
    yield copy_one(store, key, place, name)


def open_object(uri: str) -> tuple[ObjectStore, str]:
    """Return an object's store and its key there."""
    root, key = split_object_uri(uri)
    return open_store(root), key


def copy_one(source: ObjectStore, key: str, target: ObjectStore, name: str) -> int:
    """Copy one object and return its size in bytes."""
    found = source.head(key)
    try:
        with target.open_writer(name) as writer:
            for chunk in source.stream(key, 0, found.size, etag=found.etag):
                writer.write(chunk)
    except ObjectNotFoundError:
        raise PodreduceError(f"{source.uri_of(key)} was deleted while it was copied") from None
    return found.size
