import asyncio
import errno
import os
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from obstore import exceptions
from obstore.store import S3Store

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import (
    BucketNotFoundError,
    InputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
)
from podreduce.contract.uris import split_object_uri
from podreduce.storage import open_store
from podreduce.storage.connect import access_of, client_options
from podreduce.storage.place import Place
from podreduce.storage.retries import LONGEST_DELAY_SECONDS, delays_seconds, with_retries
from podreduce.storage.store_errors import translate

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = Place(verb="read", uri="s3://b/k", endpoint="http://minio:9000")


def answer(status: str, code: str = "") -> str:
    """What obstore says of an answer of the store; `test_store_codes` has it say so itself."""
    body = f"<Error><Code>{code}</Code></Error>" if code else ""
    return f"Error performing GET http://minio:9000/b/k in 1ms - Server returned non-2xx status code: {status}: {body}"


@pytest.mark.parametrize("request_of", ["", "Error performing list request: "], ids=["get", "list"])
def test_a_store_that_is_not_reached_is_named_once_by_its_endpoint(request_of: str) -> None:
    """A condition has room for a few hundred bytes, and a request's address is longer than its endpoint."""
    asked = f"Generic S3 error: {request_of}Error performing GET http://minio:9000/b/a%20-%20key?list-type=2"
    tried = "in 40.19s, after 36 retries, max_retries: 1000, retry_timeout: 40s "
    said = f"{asked} {tried} - HTTP error: error sending request\n\nDebug source: dns error"
    told = "s3://b/k: cannot read it at http://minio:9000 (HTTP error: error sending request): its host name is unknown"
    assert str(translate(exceptions.GenericError(said), PLACE)) == told


@pytest.mark.parametrize(
    ("uri", "root", "key"),
    [
        ("s3://bucket/a/b.txt", "s3://bucket/", "a/b.txt"),
        ("s3://bucket/", "s3://bucket/", ""),
        ("s3://bucket", "s3://bucket/", ""),
        ("file:///data/a b%20c", "file:///", "data/a b%20c"),
        ("memory://name/a", "memory://name/", "a"),
    ],
)
def test_an_object_uri_is_a_store_and_a_key(uri: str, root: str, key: str) -> None:
    assert split_object_uri(uri) == (root, key)


@pytest.mark.parametrize("uri", ["/data/a", "gs://bucket/a", "s3:///a", "file://data/a", "s3:bucket", ""])
def test_what_is_no_object_uri_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="URI"):
        split_object_uri(uri)


def test_a_store_is_opened_at_a_prefix() -> None:
    with pytest.raises(InputError, match="ends in /"):
        open_store("memory://name/a")
    assert open_store("memory://name/a/").uri_of("b") == "memory://name/a/b"


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ({}, {}, None),
        ({"endpoint": "http://a"}, {"AWS_ENDPOINT_URL": "http://b"}, "http://a"),
        ({}, {"AWS_ENDPOINT_URL": "http://b"}, "http://b"),
        ({}, {"AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT_URL_S3": "http://c"}, "http://c"),
        ({}, {"AWS_ENDPOINT_URL": ""}, None),
    ],
)
def test_the_environment_counts_where_the_settings_say_nothing(
    settings: dict[str, str], environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert access_of(StorageSettings(**settings)).endpoint == expected


@pytest.mark.parametrize(("endpoint", "allowed"), [("http://a", True), ("https://a", False), (None, False)])
def test_plain_http_is_allowed_only_where_the_endpoint_says_so(endpoint: str | None, allowed: bool) -> None:
    options = client_options(access_of(StorageSettings(endpoint=endpoint)), 30)
    assert ("allow_http" in options) is allowed


@pytest.mark.parametrize(
    ("endpoint", "checksummed", "unsigned"),
    [
        pytest.param("http://a", False, False, id="nothing-else-guards-it"),
        pytest.param("http://a", True, True, id="its-own-checksums-do"),
        pytest.param("https://a", False, True, id="tls-does"),
        pytest.param(None, False, True, id="aws-is-tls"),
    ],
)
def test_a_payload_is_signed_where_nothing_else_guards_it(
    endpoint: str | None, checksummed: bool, unsigned: bool
) -> None:
    store = open_store("s3://bucket/", StorageSettings(endpoint=endpoint, access_key="key", secret_key="hush"))  # noqa: S106
    client = store.connect_for_checksummed() if checksummed else store.store
    assert isinstance(client, S3Store)
    assert ("unsigned_payload" in client.config) is unsigned


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "no PEM"])
def test_a_ca_certificate_that_cannot_be_used_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageDeniedError, match="correct"):
        open_store("s3://bucket/", StorageSettings(endpoint="https://a", ca_cert=str(path)))


def test_secrets_are_in_no_repr() -> None:
    settings = StorageSettings(endpoint="http://a", access_key="key", secret_key="hush")  # noqa: S106
    store = open_store("s3://bucket/", settings)
    assert "hush" not in repr((settings, access_of(settings), store))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (FileNotFoundError("Object at location k not found"), ObjectNotFoundError, "no such object"),
        (FileNotFoundError(answer("404", "NoSuchBucket")), BucketNotFoundError, "create it or correct the URI"),
        (exceptions.PermissionDeniedError("403"), StorageDeniedError, "refuses the credentials"),
        (exceptions.UnauthenticatedError(answer("401", "InvalidAccessKeyId")), StorageDeniedError, "correct accessKey"),
        (exceptions.GenericError(answer("400 Bad Request")), StorageDeniedError, "refuses the request"),
        (exceptions.GenericError("invalid peer certificate: UnknownIssuer"), StorageDeniedError, "caCert"),
        (exceptions.GenericError(answer("429 Too Many")), StorageUnavailableError, "temporary fault"),
        (exceptions.GenericError(answer("503 Slow Down", "SlowDown")), StorageUnavailableError, "fewer requests"),
        (exceptions.GenericError('message: "Connection refused"'), StorageUnavailableError, "nothing listens there"),
        (exceptions.GenericError("No space left on device"), StorageUnavailableError, "the disk is full"),
        (exceptions.PreconditionError("etag"), ObjectChangedError, "not the requested version"),
        (ValueError("Could not parse path"), InputError, "rename the object"),
    ],
)
def test_every_fault_says_who_must_act(error: Exception, kind: type[PodreduceError], message: str) -> None:
    found = translate(error, PLACE)
    assert type(found) is kind
    assert str(found).startswith("s3://b/k: ")
    assert message in str(found)


def test_delays_double_and_differ_by_chance_up_to_half() -> None:
    nominal = [0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_SECONDS, LONGEST_DELAY_SECONDS]
    tries = [[*islice(delays_seconds(PLACE, time.monotonic()), len(nominal))] for _ in range(20)]
    for delays in tries:
        assert all(most / 2 <= delay <= most for delay, most in zip(delays, nominal, strict=True))
    assert len({*map(tuple, tries)}) == len(tries)


def test_waiting_ends_after_its_time_and_a_local_store_is_not_waited_for() -> None:
    long_ago = time.monotonic() - 60
    assert [*delays_seconds(PLACE, long_ago)] == []
    assert [*delays_seconds(replace(PLACE, endpoint=None), time.monotonic())] == []


@pytest.mark.parametrize(
    ("answers", "calls", "fails"),
    [
        ([answer("503 Service Unavailable", "SlowDown")], 2, False),
        ([answer("429 Too Many Requests")], 2, False),
        ([answer("400 Bad Request", "RequestTimeout")], 2, False),
        ([answer("503", "SlowDown"), answer("403", "AccessDenied")], 2, True),
        ([answer("400 Bad Request")], 1, True),
    ],
)
def test_a_store_that_says_slow_down_is_asked_again_and_one_that_refuses_is_not(
    answers: list[str], calls: int, fails: bool
) -> None:
    left, made = iter(answers), []

    def operation() -> str:
        made.append(1)
        if (answer := next(left, None)) is not None:
            raise exceptions.GenericError(answer)
        return "done"

    if fails:
        with pytest.raises(StorageDeniedError):
            with_retries(operation, PLACE)
    else:
        assert with_retries(operation, PLACE) == "done"
    assert len(made) == calls


class Turnstile:
    """Lets everybody in, and counts."""

    def __init__(self) -> None:
        self.inside = self.passed = self.most = 0

    async def __aenter__(self) -> None:
        self.inside += 1
        self.passed += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1


async def test_every_request_of_an_async_caller_passes_the_gate() -> None:
    gate = Turnstile()
    store = replace(open_store("memory://gate/"), gate=gate)
    keys = [f"k{number}" for number in range(5)]
    await asyncio.gather(*(store.put_async(key, b"x") for key in keys))
    await asyncio.gather(*(store.get_async(key) for key in keys))
    assert (gate.inside, gate.passed, gate.most) == (0, 10, 5)
    assert [found.key async for found in store.list_async()] == keys
    await store.exists_async("k0")
    await store.delete_async("k0")
    with pytest.raises(ObjectNotFoundError):
        await store.get_async("k0")
    assert (gate.inside, gate.passed) == (0, 15)


@pytest.mark.parametrize("prefix", ["../", "a/../", "./", "/", "a//", "//a/", "a/./", "../s/", "a\n/", "a\0/"])
def test_nothing_is_deleted_below_a_prefix_that_a_file_system_reads_otherwise(tmp_path: Path, prefix: str) -> None:
    names = ["outside", "s/inside", "s/a/deep"]
    for name in names:
        open_store(f"file://{tmp_path}/").put(name, b"")
    with pytest.raises(InputError):
        open_store(f"file://{tmp_path}/s/").delete_prefix(prefix)
    assert [each.key for each in open_store(f"file://{tmp_path}/").list()] == sorted(names)


@pytest.mark.parametrize("uri", ["{0}//s/", "{0}/s/../s/", "/{0}/s/"])
def test_nothing_is_deleted_in_a_store_whose_uri_a_file_system_reads_otherwise(tmp_path: Path, uri: str) -> None:
    open_store(f"file://{tmp_path}/s/").put("inside", b"")
    with pytest.raises(InputError):
        open_store(f"file://{uri.format(tmp_path)}").delete_prefix("")
    assert open_store(f"file://{tmp_path}/s/").exists("inside")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "this user may not do this: change the permissions"),
        (errno.EPERM, "this user may not do this: change the permissions"),
        (errno.EROFS, "the directory is on a read-only file system: choose another"),
    ],
)
def test_what_a_file_system_refuses_is_told_with_the_file_and_what_to_do(
    tmp_path: Path, number: int, remedy: str
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"")
    store = replace(open_store(f"file://{tmp_path}/"), inject_fault=refuse)
    calls: tuple[Callable[[], object], ...] = (
        lambda: store.put("below/file", b""),
        lambda: store.get("below/file"),
        lambda: store.delete("below/file"),
        lambda: store.delete_prefix("below/"),
    )
    for call in calls:
        with pytest.raises(StorageDeniedError, match=rf"{tmp_path}/below/(file)?: cannot .*{remedy}$"):
            call()
