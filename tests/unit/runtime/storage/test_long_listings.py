"""Anybody may put ten million objects below a prefix: nothing holds them all, or reads more pages than it needs."""

from collections.abc import AsyncIterator, Iterator

import pytest

from podreduce.storage import ObjectStore, in_batches
from tests.support.fake_s3 import FakeS3, fake_s3

PAGE = 20
MANY = 2500


@pytest.fixture
def served() -> Iterator[FakeS3]:
    with fake_s3() as server:
        server.page_keys = PAGE
        yield server


@pytest.fixture
def store(served: FakeS3) -> ObjectStore:
    """A store with as many objects as take two deletions and a half, and a neighbour."""
    served.objects = {f"run/{number:05}": b"x" for number in range(MANY)} | {"run-2/a": b"x"}
    return served.open()


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_objects_are_deleted_as_they_are_listed(served: FakeS3, store: ObjectStore, way: str) -> None:
    deleted = store.delete_prefix("run/") if way == "sync" else await store.delete_prefix_async("run/")
    assert deleted == len(served.deleted) == MANY
    assert served.objects.keys() == {"run-2/a"}
    assert served.most_ahead <= 1000 + 2 * PAGE


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_listing_asks_for_pages_as_they_are_taken(
    served: FakeS3, store: ObjectStore, way: str, *, recursive: bool
) -> None:
    if way == "sync":
        next(iter(store.list("run/", recursive=recursive)))
    else:
        await anext(aiter(store.list_async("run/", recursive=recursive)))
    assert served.listed <= 1000 + PAGE


@pytest.mark.parametrize(("prefix", "expected"), [("run/", True), ("run", True), ("run/9", False), ("other/", False)])
async def test_whether_there_is_anything_takes_a_page(
    served: FakeS3, store: ObjectStore, prefix: str, *, expected: bool
) -> None:
    served.page_keys = 1000
    assert await store.has_any_async(prefix) is expected
    assert served.requests <= (3 if prefix == "run/9" else 2)


@pytest.mark.parametrize("after", ["", "run/00000", "run/01234", "run/0123", "run/02499", "run/~"])
async def test_a_listing_may_begin_after_a_key(store: ObjectStore, after: str) -> None:
    listed = [found.key async for found in store.list_async("run/", after=after)]
    assert listed == [key for key in (f"run/{number:05}" for number in range(MANY)) if key > after]


@pytest.mark.parametrize("after", ["", "run//a", "run/a/b"])
async def test_a_listing_of_any_keys_may_begin_after_a_key(served: FakeS3, after: str) -> None:
    served.objects = dict.fromkeys(["run//a", "run//b", "run/a/b", "run/c"], b"x")
    listed = [found.key async for found in served.open().list_async("run/", after=after)]
    assert listed == [key for key in sorted(served.objects) if key > after]


@pytest.mark.parametrize(("number", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2])])
async def test_batches_have_all_items_in_their_order(number: int, sizes: list[int]) -> None:
    async def count() -> AsyncIterator[int]:
        for item in range(number):
            yield item

    batches = [batch async for batch in in_batches(count(), 2)]
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(number))
