"""Which way requests to the API server take."""

import pytest
from kubernetes.aio import client

from podreduce_operator.cluster.kubernetes.api import find_proxy

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
