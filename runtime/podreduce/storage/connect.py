"""Makes an `ObjectStore` from a URI and the settings: endpoint, credentials, certificates, timeouts, retries.

Without settings the usual AWS_* variables count (keys, region, endpoint, web identity, instance role), as obstore
reads them; `~/.aws` is not read.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from obstore.store import LocalStore, MemoryStore, S3Store

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import InputError, StorageDeniedError
from podreduce.contract.uris import split_uri
from podreduce.storage.access import Access, access_of
from podreduce.storage.clients import Clients
from podreduce.storage.directory_store import DirectoryStore
from podreduce.storage.key_files import EXPIRE_SECONDS, Keys
from podreduce.storage.place import NO_GATE, BeforeWrite, Gate
from podreduce.storage.redirects import stay_at
from podreduce.storage.retries import RETRY_SECONDS
from podreduce.storage.store import ObjectStore
from podreduce.storage.store_errors import STORE_ERRORS
from podreduce.storage.telemetry import OnRequest, ignore_request
from podreduce.storage.unusual_keys import is_unusual

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential, S3CredentialProvider

    from podreduce.storage.multipart import MultipartClient

__all__ = ["open_store"]

MEMORY_STORES: dict[str, MemoryStore] = {}
"""By name: everybody in the process who opens `memory://name/` shares one memory store."""

S3_CLIENTS: Clients[S3Store] = Clients()
UPLOAD_CLIENTS: "Clients[MultipartClient]" = Clients()

COPY_TIMEOUT_SECONDS = 900
REQUEST_TIMEOUT_SECONDS = 30
"""A request moves at most one chunk or part (8 MiB), so this requires some 300 kB/s."""

RETRY_CONFIG: "RetryConfig" = {
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=4), "base": 2},
    "max_retries": 1000,
    "retry_timeout": timedelta(seconds=RETRY_SECONDS),
}
NO_RETRIES: "RetryConfig" = {**RETRY_CONFIG, "max_retries": 0}


def open_store(
    uri: str,
    settings: StorageSettings | None = None,
    *,
    before_write: BeforeWrite = lambda: None,
    gate: Gate = NO_GATE,
    threads: Gate = NO_GATE,
    on_request: OnRequest = ignore_request,
) -> ObjectStore:
    """Open the store below `uri`: `s3://bucket/prefix/`, `file:///directory/` or `memory://name/`.

    This makes no request; a directory need not exist (the first write creates it). Opening the same store again is
    cheap. `before_write` is called before each try of each write, in the thread of the write, and may forbid it;
    obstore's own retries count as one try. `gate` is held while an async caller's request to S3 runs.
    An async caller that makes blocking requests in a thread holds `threads`. `on_request` is told how each try of a
    request ended, except for objects that are streamed: their time is their author's.

    Raises:
        InputError: `uri` is not such a URI.
        StorageDeniedError: the CA's certificate cannot be read, or is invalid.
    """
    scheme, _, prefix = split_uri(uri)
    if prefix and not prefix.endswith("/"):
        raise InputError(f"{uri}: a store's URI ends in /; use split_object_uri for an object")
    if scheme == "s3":
        store = open_s3(uri, settings or StorageSettings(), before_write, on_request)
        return replace(store, gate=gate, threads=threads)
    return replace(open_local(uri), before_write=before_write, threads=threads, on_request=on_request)


def open_local(uri: str) -> ObjectStore:
    """Open a directory or a memory store."""
    scheme, name, prefix = split_uri(uri)
    store = MEMORY_STORES.setdefault(name, MemoryStore()) if scheme == "memory" else LocalStore("/")
    return (DirectoryStore if scheme == "file" else ObjectStore)(
        uri=uri, prefix=prefix, store=store, connect_for_copies=lambda: store, connect_for_checksummed=lambda: store
    )


def open_s3(uri: str, settings: StorageSettings, before_write: BeforeWrite, on_request: OnRequest) -> ObjectStore:
    """Open a prefix of a bucket.

    Raises:
        InputError: no object can lie below this prefix.
    """
    _, bucket, prefix = split_uri(uri)
    if is_unusual(prefix):
        raise InputError(f"{uri}: a prefix with an empty part, . or .. in it cannot hold objects: choose another")
    access = access_of(settings)
    return ObjectStore(
        uri=uri,
        prefix=prefix,
        store=connect_s3(bucket, access, REQUEST_TIMEOUT_SECONDS),
        connect_for_copies=lambda: connect_s3(bucket, access, COPY_TIMEOUT_SECONDS),
        connect_for_checksummed=lambda: connect_s3(bucket, access, REQUEST_TIMEOUT_SECONDS, signs_payload=False),
        connect_unretried=lambda: connect_s3(bucket, access, REQUEST_TIMEOUT_SECONDS, retries=False),
        connect_for_uploads=lambda: connect_uploads(bucket, access).guarded(before_write, on_request),
        endpoint=access.endpoint or "AWS",
        key_files=access.key_files,
        before_write=before_write,
        on_request=on_request,
    )


def connect_s3(
    bucket: str, access: Access, timeout_seconds: int, *, signs_payload: bool = True, retries: bool = True
) -> S3Store:
    """Return obstore's client, built once (it takes 17 ms and has its own connections)."""
    return S3_CLIENTS.get(
        (bucket, access, timeout_seconds, signs_payload, retries),
        lambda: build_s3(bucket, access, timeout_seconds, signs_payload=signs_payload, retries=retries),
    )


def build_s3(bucket: str, access: Access, timeout_seconds: int, *, signs_payload: bool, retries: bool) -> S3Store:
    """Build obstore's client.

    It makes path-style requests, which MinIO needs and AWS accepts. If the signature covers the payload, both sides
    compute its SHA-256. This can be left out if something else protects the bytes in transit, as TLS does.
    """
    config: S3Config = {"bucket": bucket}
    if not signs_payload or not access.is_plain_http:
        config["unsigned_payload"] = True
    if access.endpoint:
        config["endpoint"] = access.endpoint
    if access.region:
        config["region"] = access.region
    try:
        return S3Store(
            config=config,
            client_options=client_options(access, timeout_seconds),
            retry_config=RETRY_CONFIG if retries else NO_RETRIES,
            credential_provider=credential_provider(access),
        )
    except STORE_ERRORS as error:
        where = f"s3://{bucket}/ at {access.endpoint or 'AWS'}"
        raise StorageDeniedError(f"{where}: the storage settings are unusable ({error}); correct them") from error


def connect_uploads(bucket: str, access: Access) -> "MultipartClient":
    """Return the client for multipart uploads, built once (a fifth of a second with the import)."""
    from podreduce.storage.multipart import connect_multipart  # noqa: PLC0415 - botocore, which few tasks need

    return UPLOAD_CLIENTS.get((bucket, access), lambda: connect_multipart(bucket, access))


def client_options(access: Access, timeout_seconds: int) -> "ClientConfig":
    """Return the HTTP client's options; the CA is trusted in addition to the system's.

    Without keys of the settings obstore asks other servers for some, with the same options.
    """
    has_keys = access.keys is not None or access.key_files is not None
    options: ClientConfig = {
        **(stay_at(access.endpoint) if access.endpoint and has_keys else {}),
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(seconds=timeout_seconds),
    }
    if access.is_plain_http:
        options["allow_http"] = True
    if access.ca_certificate:
        options["root_certificate"] = access.ca_certificate
    return options


def credential_provider(access: Access) -> "S3CredentialProvider | None":
    """Return the settings' credentials, if they have any.

    This is a provider because with plain configuration obstore would add an AWS_SESSION_TOKEN of the environment.
    """
    files, keys = access.key_files, access.keys
    if files is not None:
        return lambda: as_credential(files.read(), datetime.now(UTC) + timedelta(seconds=EXPIRE_SECONDS))
    if keys is not None:
        return lambda: as_credential(keys, None)
    return None


def as_credential(keys: Keys, expires_at: datetime | None) -> "S3Credential":
    """Return keys in obstore's form."""
    access_key, secret_key, session_token = keys
    return {
        "access_key_id": access_key,
        "secret_access_key": secret_key,
        "token": session_token,
        "expires_at": expires_at,
    }
