"""How a URI and the settings become an `ObjectStore`: endpoint, credentials, certificates, timeouts, retries.

With no settings at all the usual AWS_* variables count (keys, region, endpoint, web identity, instance role), as
obstore reads them; `~/.aws` is not read.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import LocalStore, MemoryStore, S3Store

from podreduce.contract.environment import StorageSettings
from podreduce.errors import InputError
from podreduce.storage.faults import RETRY_SECONDS
from podreduce.storage.store import ObjectStore
from podreduce.storage.uris import split_uri

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential, S3CredentialProvider

__all__ = ["open_store"]

MEMORY_STORES: dict[str, MemoryStore] = {}
"""A memory store is its name's: everybody in the process who opens `memory://name/` shares it."""

COPY_TIMEOUT_SECONDS = 900
REQUEST_TIMEOUT_SECONDS = 30
"""A request moves at most one chunk or part (8 MiB), so this asks for some 300 kB/s."""

RETRY_CONFIG: "RetryConfig" = {
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=4), "base": 2},
    "max_retries": 1000,
    "retry_timeout": timedelta(seconds=RETRY_SECONDS),
}


def open_store(uri: str, settings: StorageSettings | None = None) -> ObjectStore:
    """Open the store below `uri`: `s3://bucket/prefix/`, `file:///directory/` or `memory://name/`.

    No request is made; a directory need not exist (the first write creates it).

    Raises:
        InputError: `uri` is no such URI.
    """
    scheme, bucket, prefix = split_uri(uri)
    if prefix and not prefix.endswith("/"):
        raise InputError(f"{uri}: a store's URI ends in /; use split_object_uri for an object")
    if scheme == "memory":
        store = MEMORY_STORES.setdefault(bucket, MemoryStore())
        return ObjectStore(uri=uri, prefix=prefix, store=store, copy_store=store)
    if scheme == "file":
        local = LocalStore("/")
        return ObjectStore(uri=uri, prefix=prefix, store=local, copy_store=local, directory=Path("/"))
    settings = settings or StorageSettings()
    return ObjectStore(
        uri=uri,
        prefix=prefix,
        store=connect_s3(bucket, settings, timeout_seconds=REQUEST_TIMEOUT_SECONDS),
        copy_store=connect_s3(bucket, settings, timeout_seconds=COPY_TIMEOUT_SECONDS),
        endpoint=endpoint_of(settings) or "AWS",
    )


def endpoint_of(settings: StorageSettings) -> str | None:
    """Return the endpoint in force: the settings', else the environment's; None is AWS itself."""
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return settings.endpoint or next(filter(None, map(os.environ.get, variables)), None)


def connect_s3(bucket: str, settings: StorageSettings, *, timeout_seconds: int) -> S3Store:
    """Build obstore's client: path-style requests, which MinIO needs and AWS takes."""
    endpoint = endpoint_of(settings)
    config: S3Config = {"bucket": bucket}
    if endpoint:
        config["endpoint"] = endpoint
    if settings.region:
        config["region"] = settings.region
    return S3Store(
        config=config,
        client_options=client_options(endpoint, settings.ca_cert, timeout_seconds=timeout_seconds),
        retry_config=RETRY_CONFIG,
        credential_provider=credential_provider(settings),
    )


def client_options(endpoint: str | None, ca_cert: str | None, *, timeout_seconds: int) -> "ClientConfig":
    """Return the HTTP client's options; the CA of `ca_cert` is trusted besides the system's."""
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(seconds=timeout_seconds),
    }
    if endpoint and urlsplit(endpoint).scheme == "http":
        options["allow_http"] = True
    if ca_cert:
        options["root_certificate"] = Path(ca_cert).read_bytes()
    return options


def credential_provider(settings: StorageSettings) -> "S3CredentialProvider | None":
    """Return the settings' credentials, if they have any.

    A provider and not plain configuration: obstore would mix an AWS_SESSION_TOKEN of the environment in.
    """
    if not (settings.access_key and settings.secret_key):
        return None
    credential: S3Credential = {
        "access_key_id": settings.access_key,
        "secret_access_key": settings.secret_key,
        "token": settings.session_token,
        "expires_at": None,
    }
    return lambda: credential
