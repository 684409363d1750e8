from itertools import product

import pytest

from podreduce_operator.api.storage_endpoints import is_allowed_endpoint, parse_endpoint

RULES = tuple(
    map(parse_endpoint, ("https://s3.example.com", "http://minio:9000", "https://*.store.io", "http://[fd00::1]"))
)
ALLOWED = (
    "https://s3.example.com",
    "https://S3.Example.com:443/",
    "http://minio:9000",
    "https://eu.store.io",
    "https://a.b.store.io:443",
    "http://[fd00::1]:80",
)


@pytest.mark.parametrize("endpoint", ALLOWED)
def test_an_endpoint_of_the_list_is_allowed_however_it_is_written(endpoint: str) -> None:
    assert is_allowed_endpoint(endpoint, RULES)


SCHEMES = ("http://", "https://", "HTTPS://", "file://", "//", "", "https:/", "https:\\\\")
USERS = ("", "s3.example.com@", "user:pass@", "minio:9000@")
HOSTS = (
    "10.0.0.1",
    "kubernetes.default.svc",
    "169.254.169.254",
    "store.io",
    "evilstore.io",
    "s3.example.com.evil.io",
    "minio",
    "[::1]",
    "",
)
TAILS = (
    "",
    ":6443",
    "/",
    "/api",
    "?s3.example.com",
    "#s3.example.com",
    "\\@s3.example.com",
    "\n.store.io",
    "%2e.store.io",
    "/.store.io",
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_writing_of_another_place_is_taken_for_an_allowed_one(scheme: str) -> None:
    found = ["".join((scheme, *parts)) for parts in product(USERS, HOSTS, TAILS)]
    assert [endpoint for endpoint in found if is_allowed_endpoint(endpoint, RULES)] == []


@pytest.mark.parametrize(
    "tail", ["/bucket", "//", "?x", "#x", " ", "\n", "@evil.io", "\\evil.io", ":80", ":", ":443:1", "."]
)
@pytest.mark.parametrize("endpoint", ["https://s3.example.com", "https://eu.store.io", "https://*.store.io"])
def test_an_allowed_place_with_something_behind_it_is_not(endpoint: str, tail: str) -> None:
    assert not is_allowed_endpoint(endpoint + tail, RULES)
