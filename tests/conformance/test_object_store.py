"""One suite over every kind of store: what podreduce rests on must hold in memory, in a directory and in MinIO."""

import asyncio
import itertools
from pathlib import Path

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import (
    InputError,
    InternalError,
    ObjectChangedError,
    ObjectNotFoundError,
    ObjectTooLargeError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
)
from podreduce.contract.uris import split_object_uri
from podreduce.storage import Blocks, ObjectStore, open_store, probe_conditional_create
from podreduce.storage.connect import S3_CLIENTS
from podreduce.storage.store import MAX_COPY_BYTES

NUMBERS = itertools.count()
MIB = 1024 * 1024
KINDS = ["memory", "directory", pytest.param("minio", marks=pytest.mark.integration)]


def minio_settings(request: pytest.FixtureRequest) -> StorageSettings:
    minio = request.getfixturevalue("minio")
    return StorageSettings(
        endpoint=minio.endpoint, region=minio.region, access_key=minio.access_key, secret_key=minio.secret_key
    )


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return open_store(f"memory://conformance-{next(NUMBERS)}/some/prefix/")
    if request.param == "directory":
        return open_store(f"file://{tmp_path}/some prefix/")
    settings = minio_settings(request)
    bucket = request.getfixturevalue("minio").make_bucket(f"conformance-{next(NUMBERS)}")
    return open_store(f"s3://{bucket}/some/prefix/", settings)


def keys(store: ObjectStore, prefix: str = "", *, recursive: bool = True) -> list[str]:
    return [meta.key for meta in store.list(prefix, recursive=recursive)]


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 1000])
def test_what_was_put_is_got(store: ObjectStore, data: bytes) -> None:
    store.put("a/b", data)
    assert store.get("a/b") == data
    assert store.head("a/b").size == len(data)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 3 * MIB])
async def test_an_object_is_read_only_if_it_is_small_enough(store: ObjectStore, size: int) -> None:
    store.put("a/b", bytes(size))
    if size <= 1000:
        assert await store.get_small_async("a/b", 1000) == bytes(size)
    else:
        with pytest.raises(ObjectTooLargeError, match=f"a/b: it has {size:,} bytes, and 1,000 is the limit"):
            await store.get_small_async("a/b", 1000)
    with pytest.raises(ObjectNotFoundError):
        await store.get_small_async("a/c", 1000)


def test_a_put_replaces(store: ObjectStore) -> None:
    store.put("a", b"old")
    before = store.head("a").etag
    store.put("a", b"newer")
    assert store.get("a") == b"newer"
    assert store.head("a").etag != before


@pytest.mark.parametrize("key", ["with space", "ümlaut/ß", "percent%20", "a=b&c+d", "q?x", "#", "semi;colon", "日本"])
def test_keys_are_taken_as_they_stand(store: ObjectStore, key: str) -> None:
    store.put(key, b"1")
    assert store.get(key) == b"1"
    assert keys(store) == [key]
    root, whole = split_object_uri(store.uri_of(key))
    assert whole == f"{store.prefix}{key}"
    assert root in ("file:///", store.uri[: len(store.uri) - len(store.prefix)])


def test_only_the_first_create_wins(store: ObjectStore) -> None:
    assert [store.create("claim", b"first"), store.create("claim", b"second")] == [True, False]
    assert store.get("claim") == b"first"


def test_a_create_wins_again_after_a_delete(store: ObjectStore) -> None:
    store.create("claim", b"first")
    store.delete("claim")
    assert store.create("claim", b"second")


async def test_only_the_version_that_was_read_is_replaced(store: ObjectStore) -> None:
    store.put("claim", b"dead")
    etag = store.head("claim").etag or ""
    done = await asyncio.gather(*(store.replace_async("claim", b"%d" % index, etag=etag) for index in range(8)))
    assert done.count(True) == 1
    assert store.get("claim") == b"%d" % done.index(True)
    store.delete("claim")
    assert not await store.replace_async("claim", b"late", etag=etag)
    assert not store.exists("claim")


async def test_async_twins_agree_with_their_namesakes(store: ObjectStore) -> None:
    await store.put_async("a/b", b"12345")
    assert await store.create_async("a/c", b"c")
    assert not await store.create_async("a/c", b"d")
    assert await store.get_async("a/b") == store.get("a/b")
    assert await store.head_async("a/b") == store.head("a/b")
    assert [meta async for meta in store.list_async("a/")] == list(store.list("a/"))
    assert [meta async for meta in store.list_async("a", recursive=False)] == []
    await store.copy_async("a/b", "a/d")
    assert [await store.exists_async(key) for key in ("a/d", "a/e")] == [True, False]
    await store.delete_async("a/d", "a/missing")
    assert await store.delete_prefix_async("a/") == 2
    assert keys(store) == []


async def test_the_probe_finds_conditional_creates_and_leaves_nothing(store: ObjectStore) -> None:
    await probe_conditional_create(store)
    assert keys(store) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 10, b"0123456789"), (0, 1, b"0"), (9, 10, b"9"), (3, 7, b"3456"), (8, 99, b"89"), (4, 4, b""), (10, 10, b"")],
)
def test_ranges(store: ObjectStore, start: int, end: int, expected: bytes) -> None:
    store.put("digits", b"0123456789")
    assert store.get_range("digits", start, end) == expected


def test_a_range_past_the_end_shows_that_the_object_changed(store: ObjectStore) -> None:
    store.put("digits", b"0123456789")
    with pytest.raises(ObjectChangedError):
        store.get_range("digits", 10, 11)


def test_a_pinned_version_is_read_and_another_is_not(store: ObjectStore) -> None:
    store.put("a", b"old")
    etag = store.head("a").etag
    assert next(iter(store.list())).etag == etag
    assert store.get("a", etag=etag) == b"old"
    assert store.get_range("a", 1, 2, etag=etag) == b"l"
    store.put("a", b"newer")
    with pytest.raises(ObjectChangedError, match=f"{store.uri}a"):
        store.get("a", etag=etag)
    with pytest.raises(ObjectChangedError):
        list(store.stream("a", 0, 3, etag=etag))


def test_a_stream_is_the_object_in_order(store: ObjectStore) -> None:
    data = b"".join(number.to_bytes(4, "big") for number in range(5000))
    store.put("a", data)
    chunks = list(store.stream("a", 1, len(data), chunk_bytes=777, read_ahead=3))
    assert b"".join(chunks) == data[1:]
    assert set(map(len, chunks[:-1])) == {777}
    assert list(store.stream("a", 5, 5)) == []


def test_a_stream_may_be_left_early(store: ObjectStore) -> None:
    store.put("a", bytes(10_000))
    chunks = store.stream("a", 0, 10_000, chunk_bytes=100)
    assert len(next(iter(chunks))) == 100
    chunks.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", ["get", "head", "get_range", "copy"])
def test_what_is_not_there_is_named(store: ObjectStore, what: str) -> None:
    calls = {
        "get": lambda: store.get("no/such"),
        "head": lambda: store.head("no/such"),
        "get_range": lambda: store.get_range("no/such", 0, 5),
        "copy": lambda: store.copy("no/such", "target"),
    }
    with pytest.raises(ObjectNotFoundError, match="no/such"):
        calls[what]()


def test_listing_is_by_string_prefix_and_in_key_order(store: ObjectStore) -> None:
    names = ["a/1", "a/b/2", "a-1", "b", "a/B", "aé", "a/b2", "Z"]
    for name in names:
        store.put(name, name.encode())
    assert keys(store) == sorted(names)
    assert keys(store, "a/") == ["a/1", "a/B", "a/b/2", "a/b2"]
    assert keys(store, "a/b") == ["a/b/2", "a/b2"]
    assert keys(store, "a") == sorted(name for name in names if name.startswith("a"))
    assert keys(store, "a", recursive=False) == ["a-1", "aé"]
    assert keys(store, "a/", recursive=False) == ["a/1", "a/B", "a/b2"]
    assert keys(store, "nothing/") == keys(store, "nothing/", recursive=False) == []
    assert [meta.size for meta in store.list("a/")] == [3, 3, 5, 4]


async def test_a_listing_may_begin_after_a_key_and_ends_as_soon_as_something_is_found(store: ObjectStore) -> None:
    names = ["a/1", "a/10", "a/2/x", "a/2/y", "a/20", "b/1"]
    for key in names:
        store.put(key, b"1")
    for after in ("", "a/1", "a/2/x", "a/20", "a/15", "b"):
        assert [meta.key async for meta in store.list_async("a/", after=after)] == [
            key for key in names if key.startswith("a/") and key > after
        ]
    assert [await store.has_any_async(prefix) for prefix in ("a/", "a/2", "", "a/3", "c/")] == [
        *[True] * 3,
        False,
        False,
    ]


async def test_a_listing_goes_over_many_pages(store: ObjectStore) -> None:
    names = [f"many/{number:05}" for number in range(1100)]
    await asyncio.gather(*(store.put_async(name, b"") for name in names))
    assert keys(store, "many/") == names
    assert store.delete_prefix("many/") == 1100
    assert keys(store) == []


def test_a_delete_does_not_mind_what_is_missing(store: ObjectStore) -> None:
    store.put("a", b"")
    store.delete("a", "missing", "also/missing")
    store.delete("a")
    store.delete()
    assert not store.exists("a")


def test_delete_prefix_leaves_its_neighbours(store: ObjectStore) -> None:
    for name in ("a/1", "a/b/2", "ab/3", "c"):
        store.put(name, b"")
    assert store.delete_prefix("a/") == 2
    assert keys(store) == ["ab/3", "c"]
    with pytest.raises(InternalError, match="must end in /"):
        store.delete_prefix("a")


def test_a_copy_replaces_and_is_independent_of_its_source(store: ObjectStore) -> None:
    store.put("source", b"data")
    store.put("target/x", b"older and longer")
    store.copy("source", "target/x")
    store.copy("source", "target/x")
    store.put("source", b"changed")
    store.delete("source")
    assert store.get("target/x") == b"data"


def test_a_large_copy_goes_through_this_process(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_COPY_BYTES == 5 * 1024 * MIB
    monkeypatch.setattr("podreduce.storage.store.MAX_COPY_BYTES", MIB)
    data = bytes(range(256)) * 4096 * 20
    store.put("source", data)
    store.copy("source", "target")
    assert store.get("target") == data


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [5 * MIB], [5 * MIB - 1, 1], [5 * MIB + 1], [MIB] * 17, [11 * MIB, 1], [64 * 1024] * 200],
    ids=str,
)
@pytest.mark.parametrize("checksummed", [False, True])
def test_a_writer_makes_one_object_of_what_it_is_given(store: ObjectStore, sizes: list[int], checksummed: bool) -> None:
    pieces = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    with store.open_writer("big", part_bytes=5 * MIB, checksummed=checksummed) as writer:
        for piece in pieces:
            writer.write(piece)
        assert not store.exists("big")
    assert store.get("big") == b"".join(pieces)
    assert writer.bytes_written == sum(sizes)


@pytest.mark.parametrize("count", [0, 1, 17])
def test_a_writer_uploads_what_its_blocks_are_encoded_to(store: ObjectStore, count: int) -> None:
    def encode(blocks: Blocks) -> Blocks:
        yield b"head"
        for block in blocks:
            yield bytes(block)[::2]
            yield b""
        yield b"tail"

    with store.open_writer("big", part_bytes=5 * MIB, encode=encode) as writer:
        for number in range(count):
            writer.write(memoryview(bytes([number]) * MIB))
    assert store.get("big") == b"head" + b"".join(bytes([number]) * (MIB // 2) for number in range(count)) + b"tail"


def test_an_error_of_the_encoding_leaves_no_object(store: ObjectStore) -> None:
    def encode(blocks: Blocks) -> Blocks:
        yield next(blocks)
        raise OSError("no more")

    upload = store.open_writer("big", encode=encode)
    with pytest.raises(PodreduceError, match="no more"), upload:  # noqa: PT012 - which write fails is open
        for _ in range(30):
            upload.write(bytes(MIB))
    assert keys(store) == []


@pytest.mark.parametrize("written", [0, 1, 30 * MIB])
def test_an_exception_in_the_block_leaves_no_object(store: ObjectStore, written: int) -> None:
    with pytest.raises(KeyError), store.open_writer("big", part_bytes=5 * MIB) as writer:  # noqa: PT012 - the order matters
        for start in range(0, written, MIB):
            writer.write(bytes(min(MIB, written - start)))
        raise KeyError
    assert keys(store) == []


def test_a_closed_writer_takes_no_more(store: ObjectStore) -> None:
    with store.open_writer("a") as writer:
        writer.write(b"1")
    with pytest.raises(InternalError, match="after the end"):
        writer.write(b"2")
    writer.abort()
    assert store.get("a") == b"1"


# What only one kind of store has


def test_memory_stores_of_one_name_are_one() -> None:
    open_store("memory://shared/a/").put("b", b"1")
    assert open_store("memory://shared/").get("a/b") == b"1"
    assert keys(open_store("memory://other/")) == []


@pytest.fixture
def directory(tmp_path: Path) -> ObjectStore:
    return open_store(f"file://{tmp_path}/")


def test_a_directory_names_the_files_it_cannot_read(directory: ObjectStore, tmp_path: Path) -> None:
    directory.put("fine#1.txt", b"")
    for name in (b"x#1", b"bad\xff", b"new\nline", b"sub/y#22"):
        path = bytes(tmp_path) + b"/" + name
        Path(path.rpartition(b"/")[0].decode()).mkdir(exist_ok=True)
        with open(path, "wb"):  # noqa: PTH123 - a Path is no bytes
            pass
    assert keys(directory) == ["fine#1.txt"]
    unreadable = [name.removeprefix(f"{tmp_path}/") for name in directory.unreadable_files()]
    assert unreadable == ["bad\\udcff", "new\\nline", "sub/y#22", "x#1"]


def test_a_directory_refuses_a_name_it_cannot_hold(directory: ObjectStore) -> None:
    with pytest.raises(InputError, match=r"x#1.*rename"):
        directory.put("x#1", b"")


def test_a_directory_follows_links_but_not_in_circles(directory: ObjectStore, tmp_path: Path) -> None:
    directory.put("real/a", b"1")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert keys(directory) == ["link/a", "real/a"]


def test_delete_prefix_takes_the_empty_directories_along(directory: ObjectStore, tmp_path: Path) -> None:
    directory.put("a/b/c/d", b"1")
    directory.put("a/e", b"1")
    directory.delete_prefix("a/b/")
    assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a").exists()


def test_a_file_in_place_of_a_directory_lists_nothing(directory: ObjectStore) -> None:
    directory.put("a", b"1")
    assert keys(directory, "a/") == []


# MinIO


@pytest.mark.integration
def test_an_aborted_upload_leaves_no_parts(request: pytest.FixtureRequest) -> None:
    minio = request.getfixturevalue("minio")
    bucket = minio.make_bucket(f"aborted-{next(NUMBERS)}")
    store = open_store(f"s3://{bucket}/", minio_settings(request))
    with pytest.raises(KeyError), store.open_writer("big", part_bytes=5 * MIB) as writer:  # noqa: PT012 - the order matters
        for _ in range(30):
            writer.write(bytes(MIB))
        raise KeyError
    uploads = minio.client()._list_multipart_uploads(bucket, prefix="big")  # noqa: SLF001 - it has no other
    assert not uploads.uploads


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "unknown access key": ({"access_key": "nobody"}, "denied", "accessKey"),
    "wrong secret key": ({"secret_key": "not-the-secret-key"}, "denied", "secretKey"),
    "no bucket": ({}, "no-such-bucket", "the bucket does not exist"),
}
TELLS_NO_MORE = {"head", "delete"}
"""Their answers do not tell a missing bucket from a missing object; that of head has no body that says why."""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("changes", "bucket", "message", "what"),
    [
        pytest.param(*case, what, id=f"{what}-{name}")
        for name, case in REFUSED.items()
        for what in ("list", "put", "create", "get", "writer", "head", "delete")
        if name != "no bucket" or what not in TELLS_NO_MORE
    ],
)
def test_a_refusal_shows_at_once_and_says_what_to_do(
    request: pytest.FixtureRequest, changes: dict[str, str], bucket: str, message: str, what: str
) -> None:
    minio = request.getfixturevalue("minio")
    minio.make_bucket("denied")
    good = minio_settings(request)
    fields = {name: getattr(good, name) for name in StorageSettings.VARIABLES}
    store = open_store(f"s3://{bucket}/p/", StorageSettings(**{**fields, **changes}))
    calls = {
        "list": lambda: list(store.list()),
        "put": lambda: store.put("a", b"1"),
        "create": lambda: store.create("a", b"1"),
        "get": lambda: store.get("a"),
        "writer": lambda: write_large(store),
        "head": lambda: store.head("a"),
        "delete": lambda: store.delete("a"),
    }
    with pytest.raises(StorageDeniedError) as raised:
        calls[what]()
    assert f"s3://{bucket}/p/" in str(raised.value)
    assert minio.endpoint in str(raised.value)
    assert what == "head" or message in str(raised.value)


def write_large(store: ObjectStore) -> None:
    with store.open_writer("a", part_bytes=5 * MIB) as writer:
        for _ in range(20):
            writer.write(bytes(MIB))


@pytest.mark.integration
def test_a_restart_of_the_store_is_survived(request: pytest.FixtureRequest) -> None:
    minio = request.getfixturevalue("minio")
    bucket = minio.make_bucket(f"restart-{next(NUMBERS)}")
    store = open_store(f"s3://{bucket}/", minio_settings(request))
    store.put("a", bytes(2 * MIB))
    with store.open_writer("big", part_bytes=5 * MIB) as writer:
        stream = store.stream("a", 0, 2 * MIB, chunk_bytes=MIB // 4, read_ahead=1)
        for number, chunk in enumerate(itertools.chain(stream, stream)):
            writer.write(chunk * 8)
            if number == 3:
                minio.restart()
    assert store.head("big").size == 16 * MIB
    minio.restart()
    assert store.create("c", b"1")


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("http://127.0.0.1:9", "nothing listens there"),
        ("http://no-such-host.invalid:9000", "its host name is unknown"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_unavailable(
    endpoint: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podreduce.storage.connect.RETRY_CONFIG", {"max_retries": 2})
    S3_CLIENTS.clear()
    monkeypatch.setattr("podreduce.storage.retries.RETRY_SECONDS", 0.5)
    store = open_store("s3://bucket/", StorageSettings(endpoint=endpoint, access_key="a", secret_key="b"))  # noqa: S106
    with pytest.raises(
        StorageUnavailableError, match=rf"s3://bucket/a: cannot read it at {endpoint} \(.*\): {message}$"
    ):
        store.get("a")


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session token of the surroundings must not get in: the suite runs with one that is wrong."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "wrong")
