"""Which way requests to the API server take, and how long they wait to be repeated."""

from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from kubernetes.aio import client

from podreduce_operator.cluster.kubernetes.api import ApiServer, find_proxy, read_retry_after

SERVER = "https://cluster.example:6443"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def configure(proxy: str | None = None) -> client.Configuration:
    configuration = client.Configuration()
    configuration.host, configuration.proxy = SERVER, proxy
    return configuration


def test_without_a_proxy_the_way_is_straight() -> None:
    assert find_proxy(configure()) is None


def test_the_proxy_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert find_proxy(configure()) == "http://proxy.example:3128"


def test_a_proxy_for_another_scheme_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert find_proxy(configure()) is None


def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "cluster.example")
    assert find_proxy(configure()) is None


def test_the_kubeconfig_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "cluster.example")
    assert find_proxy(configure("http://own.example:8080")) == "http://own.example:8080"


@pytest.mark.parametrize(
    ("host", "no_proxy", "is_direct"),
    [
        ("10.96.0.1", "localhost,10.96.0.0/12", True),
        ("10.96.0.1", "localhost, 10.96.0.1", True),
        ("10.112.0.1", "10.96.0.0/12", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "10.0.0.0/8", False),
        ("cluster.example", "10.0.0.0/8", False),
    ],
)
def test_networks_in_no_proxy_are_heeded(
    monkeypatch: pytest.MonkeyPatch, host: str, no_proxy: str, *, is_direct: bool
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    configuration = configure()
    configuration.host = f"https://{host}:443"
    assert (find_proxy(configuration) is None) is is_direct


async def test_another_client_takes_the_same_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://wrong.example:3128")
    configuration = configure("http://own.example:8080")
    async with aiohttp.ClientSession() as session:
        opened = await ApiServer(configuration, session).open_session()
    async with opened:
        assert str(opened._default_proxy) == "http://own.example:8080"  # noqa: SLF001 - aiohttp does not show it
        assert not opened.trust_env


@pytest.mark.parametrize(
    ("told", "seconds"), [("2", 2.0), ("inf", 60.0), ("3600", 60.0), ("nan", 1.0), ("-1", 1.0), ("Sun, 29 Nov", 1.0)]
)
async def test_a_delay_that_a_server_asks_for_has_a_limit(told: str, seconds: float) -> None:
    assert read_retry_after(cast("aiohttp.ClientResponse", SimpleNamespace(headers={"Retry-After": told}))) == seconds
