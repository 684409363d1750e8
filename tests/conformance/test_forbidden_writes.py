"""Stores that ask before each write: once it is forbidden nothing changes any more, and reads go on."""

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.storage import ObjectStore, StagedUpload, check_staged, discard_staged, open_store, publish_staged
from podreduce.storage.writer import PART_BYTES
from tests.support.pending_uploads import list_uploads

NUMBERS = itertools.count()
KINDS = ["memory", "directory", pytest.param("minio", marks=pytest.mark.integration)]
LARGE = [b"a" * PART_BYTES, b"b" * PART_BYTES, b"c"]


class ForbiddenError(Exception):
    """What a forbidden write raises."""


class Permission:
    """Allows so many writes."""

    def __init__(self, writes: int) -> None:
        self.writes = writes

    def ask(self) -> None:
        if self.writes == 0:
            raise ForbiddenError
        self.writes -= 1


def open_pair(request: pytest.FixtureRequest, kind: str, permission: Permission) -> tuple[ObjectStore, ObjectStore]:
    """The same place twice: the first asks, the second does not."""
    uri, settings = f"memory://forbidden-{next(NUMBERS)}/", None
    if kind == "directory":
        uri = f"file://{request.getfixturevalue('tmp_path')}/"
    elif kind == "minio":
        minio = request.getfixturevalue("minio")
        uri = f"s3://{minio.make_bucket(f'forbidden-{next(NUMBERS)}')}/"
        settings = StorageSettings(
            endpoint=minio.endpoint, region=minio.region, access_key=minio.access_key, secret_key=minio.secret_key
        )
    return open_store(uri, settings, before_write=permission.ask), open_store(uri, settings)


def root_of(error: BaseException) -> BaseException:
    """What the error came of in the end."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def write_large(store: ObjectStore) -> None:
    with store.open_writer("large") as writer:
        for block in LARGE:
            writer.write(block)


WRITES: dict[str, Callable[[ObjectStore], Any]] = {
    "put": lambda store: store.put("new", b"1"),
    "create": lambda store: store.create("new", b"1"),
    "copy": lambda store: store.copy("known", "new"),
    "delete": lambda store: store.delete("known"),
    "delete_prefix": lambda store: store.delete_prefix(""),
    "small_writer": lambda store: store.open_writer("new").close(),
}
ASYNC_WRITES: dict[str, Callable[[ObjectStore], Awaitable[Any]]] = {
    "put": lambda store: store.put_async("new", b"1"),
    "create": lambda store: store.create_async("new", b"1"),
    "copy": lambda store: store.copy_async("known", "new"),
    "delete": lambda store: store.delete_async("known"),
    "delete_prefix": lambda store: store.delete_prefix_async(""),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_forbidden_write_changes_nothing(
    request: pytest.FixtureRequest, kind: str, write: Callable[[ObjectStore], Any]
) -> None:
    store, open_to_all = open_pair(request, kind, Permission(0))
    open_to_all.put("known", b"0")
    with pytest.raises(ForbiddenError):
        write(store)
    assert [meta.key for meta in store.list()] == ["known"]
    assert store.get("known") == b"0"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", ASYNC_WRITES.values(), ids=ASYNC_WRITES.keys())
async def test_a_forbidden_async_write_changes_nothing(
    request: pytest.FixtureRequest, kind: str, write: Callable[[ObjectStore], Awaitable[Any]]
) -> None:
    store, open_to_all = open_pair(request, kind, Permission(0))
    open_to_all.put("known", b"0")
    with pytest.raises(ForbiddenError):
        await write(store)
    assert [meta.key async for meta in store.list_async()] == ["known"]
    assert await store.get_async("known") == b"0"


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_that_becomes_forbidden_leaves_no_object(request: pytest.FixtureRequest, kind: str) -> None:
    store, _ = open_pair(request, kind, Permission(2))
    with pytest.raises(Exception) as refused:  # noqa: PT011 - as it is, or as the storage error that it caused
        write_large(store)
    assert isinstance(root_of(refused.value), ForbiddenError)
    assert list(store.list()) == []


def test_many_deletes_are_asked_for_batch_by_batch(tmp_path: Path) -> None:
    permission = Permission(3)
    store = open_store(f"file://{tmp_path}/", before_write=permission.ask)
    for number in range(5):
        open_store(f"file://{tmp_path}/").put(f"{number}", b"")
    with pytest.raises(ForbiddenError):
        store.delete_prefix("")
    assert [meta.key for meta in store.list()] == ["3", "4"]


@pytest.mark.integration
@pytest.mark.parametrize("write", [publish_staged, discard_staged], ids=["publish", "discard"])
def test_a_pending_upload_stays_as_it_is(request: pytest.FixtureRequest, write: Callable[..., None]) -> None:
    store, open_to_all = open_pair(request, "minio", Permission(0))
    staged = StagedUpload(open_to_all, "_podreduce-uid-1/r-0-uid-0", "part-r-00000.txt")
    staged.stream(iter(LARGE))
    arguments = (staged.key, "part-r-00000.txt") if write is publish_staged else (staged.key,)
    with pytest.raises(ForbiddenError):
        write(store, *arguments)
    check_staged(store, staged.key)
    assert len(list_uploads(store, "part-r-00000.txt")) == 1
    assert [meta.key for meta in store.list()] == [staged.key]
