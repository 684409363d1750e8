"""Objects of any key that S3 can have are listed and read as what they are; no other one is read for them."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import InputError, ObjectChangedError, ObjectNotFoundError
from podreduce.storage import ObjectStore, open_store
from podreduce.storage.unusual_keys import is_unusual
from podreduce_operator.loop.observe import as_fault
from podreduce_operator.planning.list_input import list_input
from tests.support.fake_s3 import FakeS3, fake_s3

TABLE = [
    "logs/a.txt",
    "logs//b.txt",
    "logs///c",
    "/top.txt",
    "top.txt",
    "a/../b",
    "a/./b",
    "..",
    "b\n",
    "b\x7f/x",
    "é/ü",
]
MARKER_ENDS_A_PAGE = [*(f"a b{number:02}" for number in range(49)), "a/", "a//b"]
"""obstore hands over 50 entries at a time."""

PARTS = st.sampled_from(["a", "b", "é", "", ".", "..", "_x", "a\n", "a b", "+", "%2F", "#1", "<&>", "a.txt"])
KEYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(bool)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeS3]:
    with fake_s3() as store:
        yield store


def fill(served: FakeS3, keys: list[str]) -> ObjectStore:
    """Give each object its key's text; one that ends in `/` is a directory's marker, and empty."""
    served.objects = {key: b"" if key.endswith("/") else key.encode() for key in keys}
    return served.open()


def is_below(key: str, prefix: str, *, recursive: bool) -> bool:
    rest = key[len(prefix) :]
    return key.startswith(prefix) and not key.endswith("/") and (recursive or "/" not in rest)


async def list_async(store: ObjectStore, prefix: str, *, recursive: bool) -> list[str]:
    return [found.key async for found in store.list_async(prefix, recursive=recursive)]


def check_listing(store: ObjectStore, keys: list[str], prefix: str, *, recursive: bool) -> None:
    expected = sorted((key for key in set(keys) if is_below(key, prefix, recursive=recursive)), key=str.encode)
    assert [found.key for found in store.list(prefix, recursive=recursive)] == expected
    assert asyncio.run(list_async(store, prefix, recursive=recursive)) == expected


def check_reading(store: ObjectStore, key: str) -> None:
    data = key.encode()
    meta = store.head(key)
    assert (meta.key, meta.size) == (key, len(data))
    assert store.get(key, etag=meta.etag) == data
    assert asyncio.run(store.get_async(key, etag=meta.etag)) == data
    assert store.get_range(key, 0, 3, etag=meta.etag) == data[:3]
    assert b"".join(store.stream(key, 0, len(data), etag=meta.etag, chunk_bytes=3)) == data
    assert asyncio.run(store.head_async(key)) == meta
    with pytest.raises(ObjectChangedError):
        store.get(key, etag='"another"')
    with pytest.raises(ObjectChangedError):
        store.get_range(key, len(data), len(data) + 1, etag=meta.etag)


@pytest.mark.parametrize("key", TABLE)
def test_an_object_of_any_key_is_listed_and_read_as_what_it_is(served: FakeS3, key: str) -> None:
    store = fill(served, [key, "z"])
    check_listing(store, [key, "z"], "", recursive=True)
    check_reading(store, key)
    other = key + "//other"
    with pytest.raises(ObjectNotFoundError):
        store.get(other)
    assert not store.exists(other)


@example(keys=MARKER_ENDS_A_PAGE, prefix="a", recursive=True)
@settings(max_examples=60)
@given(
    keys=st.lists(KEYS, min_size=1, max_size=8, unique=True),
    prefix=st.one_of(st.just(""), KEYS),
    recursive=st.booleans(),
)
def test_any_keys_are_listed_in_order_under_any_prefix(
    served: FakeS3, keys: list[str], prefix: str, recursive: bool
) -> None:
    store = fill(served, keys)
    check_listing(store, keys, prefix, recursive=recursive)
    check_listing(store, keys, keys[0][: len(keys[0]) // 2], recursive=recursive)


@settings(max_examples=30)
@given(key=KEYS.filter(lambda key: not key.endswith("/")))
def test_no_other_object_is_read_for_the_one_that_is_named(served: FakeS3, key: str) -> None:
    twins = {key, key.lstrip("/"), key.replace("//", "/"), f"/{key}"} - {""}
    store = fill(served, [each for each in twins if not each.endswith("/")])
    check_reading(store, key)


def test_what_is_unusual_is_what_obstore_cannot_say() -> None:
    assert [key for key in TABLE if not is_unusual(key)] == ["logs/a.txt", "top.txt", "é/ü"]
    assert not is_unusual("a..b/.c/d./#1")


async def test_a_job_reads_all_objects_below_a_prefix_whatever_their_keys(served: FakeS3) -> None:
    fill(served, ["logs/a.txt", "logs//b.txt", "logs/day/", "logs/c\n.txt", "logs/_tmp//x", "other//d"])
    access = StorageSettings(endpoint=served.endpoint, region="us-east-1", access_key="key", secret_key="hush")  # noqa: S106
    found = {}
    for name in ("logs/", "logs/*", "logs/**", "logs//", "logs//b.txt"):
        listed = await list_input(
            [f"s3://bucket/{name}"], partial(open_store, settings=access), output_uri="s3://elsewhere/out/"
        )
        found[name] = [each.uri.removeprefix("s3://bucket/") for each in listed]
    everything = ["logs//b.txt", "logs/a.txt", "logs/c\n.txt"]
    assert found == {
        "logs/": everything,
        "logs/*": everything[1:],
        "logs/**": everything,
        "logs//": everything[:1],
        "logs//b.txt": everything[:1],
    }


@pytest.mark.parametrize("prefix", ["out//", "/out/", "a/../b/", "./"])
def test_nothing_is_written_below_a_prefix_that_obstore_would_change(served: FakeS3, prefix: str) -> None:
    with pytest.raises(InputError, match="choose another") as refusal:
        served.open(prefix)
    assert as_fault(refusal.value).permanent
