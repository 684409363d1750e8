"""What a store tells of its requests."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import PodreduceError, StorageUnavailableError, UploadLostError
from podreduce.storage import Answer, ObjectStore, Operation, open_store
from podreduce.storage import multipart as multipart_module
from podreduce.storage.place import Place
from podreduce.storage.retries import with_retries, with_retries_async
from podreduce.storage.telemetry import OPERATIONS, Stopwatch
from tests.support.fake_s3 import fake_s3

Told = tuple[Operation, Answer]


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.seconds: list[float] = []

    def __call__(self, operation: Operation, answer: Answer, seconds: float) -> None:
        self.told.append((operation, answer))
        self.seconds.append(seconds)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def store(listener: Listener) -> ObjectStore:
    opened = open_store(f"memory://{uuid4().hex}/", on_request=listener)
    for key in ("a", "b"):
        opened.put(key, b"bytes")
    listener.told.clear()
    return opened


REQUESTS: dict[str, tuple[Callable[[ObjectStore], object], Told]] = {
    "get": (lambda store: store.get("a"), (Operation.READ, Answer.OK)),
    "get_range": (lambda store: store.get_range("a", 0, 2), (Operation.READ, Answer.OK)),
    "head": (lambda store: store.head("a"), (Operation.READ, Answer.OK)),
    "exists": (lambda store: store.exists("none"), (Operation.READ, Answer.MISSING)),
    "put": (lambda store: store.put("a", b""), (Operation.WRITE, Answer.OK)),
    "create": (lambda store: store.create("c", b""), (Operation.CREATE, Answer.OK)),
    "create again": (lambda store: store.create("a", b""), (Operation.CREATE, Answer.OK)),
    "copy": (lambda store: store.copy("a", "c"), (Operation.COPY, Answer.OK)),
    "delete": (lambda store: store.delete("a"), (Operation.DELETE, Answer.OK)),
    "list": (lambda store: list(store.list()), (Operation.LIST, Answer.OK)),
    "list one level": (lambda store: list(store.list(recursive=False)), (Operation.LIST, Answer.OK)),
    "list, abandoned": (lambda store: next(iter(store.list())), (Operation.LIST, Answer.OK)),
}


@pytest.mark.parametrize(("make", "told"), REQUESTS.values(), ids=REQUESTS.keys())
def test_each_request_is_told_once(
    store: ObjectStore, listener: Listener, make: Callable[[ObjectStore], object], told: Told
) -> None:
    make(store)
    assert listener.told == [told]


async def replace_other_version(store: ObjectStore) -> None:
    assert not await store.replace_async("a", b"", etag="other")


async def list_all(store: ObjectStore) -> None:
    assert [found.key async for found in store.list_async()] == ["a", "b"]


async def list_first(store: ObjectStore) -> None:
    listing = store.list_async()
    await anext(listing)
    await listing.aclose()  # type: ignore[attr-defined]
    for _ in range(10):  # the event loop closes the generators below one after another
        await asyncio.sleep(0)


ASYNC_REQUESTS: dict[str, tuple[Callable[[ObjectStore], object], Told]] = {
    "get": (lambda store: store.get_async("a"), (Operation.READ, Answer.OK)),
    "exists": (lambda store: store.exists_async("none"), (Operation.READ, Answer.MISSING)),
    "put": (lambda store: store.put_async("a", b""), (Operation.WRITE, Answer.OK)),
    "create": (lambda store: store.create_async("c", b""), (Operation.CREATE, Answer.OK)),
    "replace": (replace_other_version, (Operation.REPLACE, Answer.CHANGED)),
    "copy": (lambda store: store.copy_async("a", "c"), (Operation.COPY, Answer.OK)),
    "delete": (lambda store: store.delete_async("a"), (Operation.DELETE, Answer.OK)),
    "list": (list_all, (Operation.LIST, Answer.OK)),
    "list, abandoned": (list_first, (Operation.LIST, Answer.OK)),
}


@pytest.mark.parametrize(("make", "told"), ASYNC_REQUESTS.values(), ids=ASYNC_REQUESTS.keys())
async def test_each_request_of_async_code_is_told_once(
    store: ObjectStore, listener: Listener, make: Callable[[ObjectStore], object], told: Told
) -> None:
    await make(store)  # type: ignore[misc]
    assert listener.told == [told]


ANSWERS = {
    "no answer": (ConnectionError("Connection refused"), Answer.UNAVAILABLE),
    "busy": ("503 Service Unavailable", "SlowDown", Answer.BUSY),
    "a fault": ("500 Internal", "InternalError", Answer.UNAVAILABLE),
    "refused": ("403 Forbidden", "AccessDenied", Answer.DENIED),
    "another version": ("412 Precondition Failed", "PreconditionFailed", Answer.CHANGED),
    "missing": ("404 Not Found", "NoSuchKey", Answer.MISSING),
    "impossible name": ("400 Bad Request", "InvalidURI", Answer.INVALID_NAME),
}


@pytest.mark.parametrize("case", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_is_told_by_what_it_means(listener: Listener, case: tuple[object, ...]) -> None:
    *given, expected = case
    status, code = given if len(given) == 2 else ("", "")
    text = f"Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>"
    error = given[0] if isinstance(given[0], Exception) else OSError(text)
    place = Place(verb="read", uri="s3://b/k", endpoint=None, on_request=listener)

    def fail() -> None:
        raise error

    async def fail_later() -> None:
        fail()

    with pytest.raises(PodreduceError):
        with_retries(fail, place)
    with pytest.raises(PodreduceError):
        await with_retries_async(fail_later, place)
    assert listener.told == [(Operation.READ, expected)] * 2


def test_each_try_is_told(listener: Listener) -> None:
    place = Place(verb="write", uri="s3://b/k", endpoint="http://minio", on_request=listener)
    outcomes = iter([OSError("Connection refused"), None])

    def write() -> str:
        error = next(outcomes)
        if error is not None:
            raise error
        return "done"

    assert with_retries(write, place) == "done"
    assert listener.told == [(Operation.WRITE, Answer.UNAVAILABLE), (Operation.WRITE, Answer.OK)]


async def test_the_wait_for_a_turn_is_not_the_requests_time(listener: Listener) -> None:
    gate = asyncio.Semaphore(0)
    place = Place(verb="read", uri="s3://b/k", endpoint=None, gate=gate, on_request=listener)

    async def read() -> None:
        """Take no time."""

    asking = asyncio.create_task(with_retries_async(read, place))
    await asyncio.sleep(0.1)
    gate.release()
    await asking
    assert listener.seconds[0] < 0.05


def test_an_error_that_is_already_ours_is_told_and_passed_on(listener: Listener) -> None:
    def fail() -> None:
        raise UploadLostError("gone")

    place = Place(verb="upload part", uri="s3://b/k", endpoint=None, on_request=listener)
    with pytest.raises(UploadLostError):
        with_retries(fail, place)
    assert listener.told == [(Operation.UPLOAD, Answer.OTHER)]


def test_requests_to_s3_are_told_also_those_that_only_botocore_can_make(listener: Listener) -> None:
    with fake_s3() as server:
        server.objects = {"a/b.txt": b"one", "a//c.txt": b"two"}
        settings = StorageSettings(endpoint=server.endpoint, region="r", access_key="key", secret_key="hush")  # noqa: S106
        store = open_store("s3://bucket/a/", settings, on_request=listener)
        assert store.get("b.txt") == b"one"
        assert store.get("/c.txt") == b"two"
    assert listener.told == [(Operation.READ, Answer.OK)] * 2


def test_a_listing_that_fails_is_told(listener: Listener) -> None:
    with fake_s3() as server:
        server.answer(403, "AccessDenied")
        store = replace(server.open_unretried(), on_request=listener)
        with pytest.raises(PodreduceError):
            list(store.list("a/"))
        assert listener.told == [(Operation.LIST, Answer.DENIED)]


async def test_a_listing_of_async_code_that_fails_is_told(listener: Listener) -> None:
    with fake_s3() as server:
        server.answer(503, "SlowDown")
        store = replace(server.open_unretried(), on_request=listener)
        with pytest.raises(StorageUnavailableError):
            await anext(store.list_async("a/"))
        assert listener.told == [(Operation.LIST, Answer.BUSY)]


def test_every_operation_of_botocore_has_a_name() -> None:
    source = Path(multipart_module.__file__).read_text(encoding="utf-8")
    used = {name.replace("_", " ") for name in re.findall(r'_call\(\s*"(\w+)"', source)}
    assert len(used) == 8
    assert used <= OPERATIONS.keys()


def test_a_verb_without_a_name_is_another_operation(listener: Listener) -> None:
    Stopwatch("bake", listener).end()
    assert listener.told == [(Operation.OTHER, Answer.OK)]
