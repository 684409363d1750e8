"""A store's answer never leads a request to another server: it would be one that the installation may not allow."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import PodreduceError, StorageDeniedError
from podreduce.storage import ObjectStore, open_store
from podreduce.storage import connect as connect_module
from podreduce.storage.multipart import MultipartClient
from podreduce.storage.redirects import stay_at
from podreduce.storage.store_codes import ELSEWHERE, REDIRECT
from podreduce.storage.store_errors import NOWHERE
from tests.cluster.certificates import Authority
from tests.support.fake_s3 import ERROR, FakeS3, fake_s3

STATUSES = (301, 302, 303, 307, 308)
BODIES = {
    "empty": "",
    "page": "<html><body>moved</body></html>",
    "object": "bytes",
    "code": ERROR.format(code="PermanentRedirect"),
}


async def list_async(store: ObjectStore) -> list[object]:
    return [found async for found in store.list_async("k/")]


OBJECT_CALLS: Mapping[str, Callable[[ObjectStore], object]] = {
    "get": lambda store: store.get("k"),
    "get_async": lambda store: asyncio.run(store.get_async("k")),
    "get_range": lambda store: store.get_range("k", 0, 1),
    "head": lambda store: store.head("k"),
    "exists": lambda store: store.exists("k"),
    "put": lambda store: store.put("k", b"x"),
    "create": lambda store: store.create("k", b"x"),
    "replace": lambda store: asyncio.run(store.replace_async("k", b"x", etag="e")),
    "copy": lambda store: store.copy("a", "k"),
    "delete": lambda store: store.delete("k"),
    "delete a batch": lambda store: store.delete("k", "l", "m"),
    "delete a batch, async": lambda store: asyncio.run(store.delete_async("k", "l")),
    "list": lambda store: list(store.list("k/")),
    "list one level": lambda store: list(store.list("k/", recursive=False)),
    "list, async": lambda store: asyncio.run(list_async(store)),
}
UPLOAD_CALLS: Mapping[str, Callable[[MultipartClient], object]] = {
    "begin an upload": lambda client: client.create("k", {}),
    "upload a part": lambda client: client.upload_part("k", "1", 1, b"x"),
    "complete an upload": lambda client: client.complete("k", "1", ["e"]),
    "abort an upload": lambda client: client.abort("k", "1"),
    "check an upload": lambda client: client.check("k", "1"),
    "list any keys": lambda client: client.list_page("k"),
    "read any key": lambda client: client.read("k", etag=None),
    "head of any key": lambda client: client.head("k"),
}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[FakeS3]:
    """What a redirect leads to: a server that has the object."""
    with fake_s3() as server:
        yield server


@pytest.fixture(scope="module")
def store(elsewhere: FakeS3) -> Iterator[FakeS3]:
    """A store under another host's name, which redirects everything."""
    with fake_s3() as server:
        server.location = elsewhere.endpoint
        yield server


@pytest.fixture(autouse=True)
def no_second_try_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr("podreduce.storage.retries.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("podreduce.storage.connect.RETRY_CONFIG", connect_module.NO_RETRIES)


def open_by_name(server: FakeS3, scheme: str = "http", ca_cert: str | None = None) -> ObjectStore:
    return open_store("s3://bucket/", settings_of(f"{scheme}://localhost:{server.port}", ca_cert))


def settings_of(endpoint: str, ca_cert: str | None = None) -> StorageSettings:
    return StorageSettings(endpoint=endpoint, region="r", access_key="key", secret_key="hush", ca_cert=ca_cert)  # noqa: S106


def complaint(call: Callable[[], object]) -> PodreduceError | None:
    try:
        call()
    except PodreduceError as error:
        return error
    return None


CALLS: Mapping[str, Callable[[ObjectStore], object]] = {
    **OBJECT_CALLS,
    **{name: lambda store, call=call: call(store.connect_for_uploads()) for name, call in UPLOAD_CALLS.items()},
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_no_request_follows_a_redirect_to_another_host(
    store: FakeS3, elsewhere: FakeS3, call: Callable[[ObjectStore], object]
) -> None:
    wrong = []
    elsewhere.told = 200, ""
    for status, (name, body) in product(STATUSES, BODIES.items()):
        elsewhere.requests, store.told = 0, (status, body)
        error = complaint(lambda: call(open_by_name(store)))
        if elsewhere.requests or not isinstance(error, StorageDeniedError):
            wrong.append((status, name, elsewhere.requests, error))
        elif not str(error).endswith((REDIRECT, ELSEWHERE)):
            wrong.append((status, name, 0, error))
    assert wrong == []


def test_a_redirect_over_tls_is_refused_as_one(tmp_path: Path) -> None:
    authority = Authority(directory=tmp_path)
    issued = authority.issue("server", subject="/CN=store", addresses=("DNS:localhost", "IP:127.0.0.1"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    with fake_s3(context) as elsewhere, fake_s3(context) as server:
        elsewhere.told = 200, ""
        server.told, server.location = (307, ""), f"https://127.0.0.1:{elsewhere.port}"
        ca_cert = str(authority.certificate().certificate)
        store = open_by_name(server, scheme="https", ca_cert=ca_cert)
        for call in (OBJECT_CALLS["get"], OBJECT_CALLS["list"]):
            with pytest.raises(StorageDeniedError, match="which is not followed"):
                call(store)
        server.told = None
        assert store.connect_for_uploads().list_page("k")["entries"] == []
        assert list(store.list("k/")) == []
        assert elsewhere.requests == 0


@pytest.mark.parametrize(
    ("endpoint", "environment", "options"),
    [
        ("http://minio.storage.svc:9000", {}, {"proxy_url": NOWHERE, "proxy_excludes": "minio.storage.svc"}),
        ("https://[fd00::1]", {}, {"proxy_url": NOWHERE, "proxy_excludes": "fd00::1"}),
        ("https://s3.example", {"https_proxy": "http://proxy:3128"}, {"proxy_url": "http://proxy:3128"}),
        ("https://s3.example", {"ALL_PROXY": "http://proxy:3128"}, {"proxy_url": "http://proxy:3128"}),
        ("https://s3.example", {"all_proxy": "socks5://proxy:1080"}, {}),
        ("http://s3", {"https_proxy": "http://proxy:3128"}, {"proxy_url": NOWHERE, "proxy_excludes": "s3"}),
        (
            "https://s3.example",
            {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".svc,s3.example"},
            {"proxy_url": NOWHERE, "proxy_excludes": "s3.example"},
        ),
        (
            "http://10.96.0.7:9000",
            {"http_proxy": "http://proxy:3128", "no_proxy": "10.96.0.0/12"},
            {"proxy_url": NOWHERE, "proxy_excludes": "10.96.0.7"},
        ),
    ],
)
def test_a_proxy_of_the_environment_has_the_requests_that_it_had(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, environment: dict[str, str], options: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert stay_at(endpoint) == options


def test_requests_through_a_proxy_of_the_environment_arrive(monkeypatch: pytest.MonkeyPatch, elsewhere: FakeS3) -> None:
    """The proxy answers itself here: no host has the endpoint's name."""
    elsewhere.told = None
    elsewhere.objects = {"k": b"from the proxy"}
    monkeypatch.setenv("http_proxy", elsewhere.endpoint)
    assert open_store("s3://bucket/", settings_of("http://s3.invalid:9000")).get("k") == b"from the proxy"
