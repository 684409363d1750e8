"""Reads storage Secrets by name, when a job needs them.

Rule: values stay in this process and are read again after some seconds. If a Secret is gone, its last values are kept
for a while, so that the job's data can be removed. What no job asks for is dropped. Certificates go to a file, because
the S3 client needs a path.
"""

import asyncio
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from podreduce.storage import OnRequest, ignore_request
from podreduce_operator.api.storage_endpoints import Endpoint, is_allowed_endpoint
from podreduce_operator.api.storage_secret import (
    CA_CERT_KEY,
    KNOWN_KEYS,
    OPTIONAL_KEYS,
    REQUIRED_KEYS,
    WORK_URI_KEY,
    SecretError,
    decode_secret,
    decode_values,
    parse_storage,
    parse_work_uri,
)
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, core_path
from podreduce_operator.cluster.kubernetes.storage_gates import SecretGates, StorageGates
from podreduce_operator.model.errors import ActionError

__all__ = ["StorageReader", "read_storage_directory"]

FRESH_SECONDS = 10.0
"""A changed Secret takes effect after this time. Until then a job's passes need no request."""


KEPT_SECONDS = 900.0
"""How long the values of a Secret are kept after the last job asked for it. Removing a job's data waits two minutes."""


@dataclass(slots=True, kw_only=True)
class KnownSecret:
    """What belongs to one Secret while jobs ask for it.

    Attributes:
        storage: what was read last; None before the first time.
        read_at: when that was (monotonic seconds); `used_at`: when a job asked for it last.
        reading: held while it is read.
        gates: limit what its stores may hold.
    """

    gates: SecretGates
    storage: JobStorage | None = None
    read_at: float = 0.0
    used_at: float = 0.0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class StorageReader:
    """Storage by namespace and Secret.

    The number of concurrent requests to the stores of one Secret, and of one namespace, is limited, for all jobs
    together. Otherwise a thousand jobs that end their maps at once would open a thousand connections, at a tenth of a
    megabyte each. A Secret is read once for all jobs that need it.

    Args:
        installation: the owner of the data, which is in every key below `workUri`.
        directory: where certificates are written.
        before_write: called before each write to a store that is opened here.
        endpoints: those that a Secret may name; empty means any.
        on_request: told of each request to a store that is opened here.
    """

    def __init__(
        self,
        api: ApiServer,
        installation: str,
        directory: Path,
        *,
        before_write: Callable[[], None] = lambda: None,
        endpoints: Sequence[Endpoint] = (),
        on_request: OnRequest = ignore_request,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._installation = installation
        self._directory = directory
        self._before_write = before_write
        self._endpoints = endpoints
        self._on_request = on_request
        self._clock = clock
        self._gates = StorageGates()
        self._secrets: OrderedDict[tuple[str, str], KnownSecret] = OrderedDict()
        """In the order of their last use."""

    async def read(self, namespace: str, name: str) -> JobStorage:
        """Return the storage that the Secret describes, at most `FRESH_SECONDS` old.

        Raises:
            ActionError: the Secret or one of its keys is missing (permanent), or it cannot be read now.
        """
        self._drop_unused()
        known = self._secrets.get((namespace, name))
        if known is None:
            known = self._secrets[namespace, name] = KnownSecret(gates=self._gates.open(namespace))
        self._secrets.move_to_end((namespace, name))
        known.used_at = self._clock()
        async with known.reading:
            storage = known.storage
            if storage is None or self._clock() - known.read_at >= FRESH_SECONDS:
                read = await self._read_now(namespace, name)
                storage = known.storage = replace(
                    read, gate=known.gates.requests, threads=known.gates.threads, on_request=self._on_request
                )
                known.read_at = self._clock()
            return storage

    def last_known(self, namespace: str, name: str) -> JobStorage | None:
        """Return the storage from the last time the Secret was read."""
        known = self._secrets.get((namespace, name))
        return None if known is None else known.storage

    def __len__(self) -> int:
        return len(self._secrets)

    def _drop_unused(self) -> None:
        """Forget the Secrets that no job has asked for lately. A job that is at work has its gate in its storage."""
        oldest = self._clock() - KEPT_SECONDS
        while self._secrets:
            known = next(iter(self._secrets.values()))
            if known.used_at >= oldest or known.reading.locked():
                return
            self._secrets.popitem(last=False)

    async def _read_now(self, namespace: str, name: str) -> JobStorage:
        values = await self._read_values(namespace, name)
        try:
            storage = build_storage(values, self._installation, self._directory, self._before_write)
        except SecretError as error:
            raise ActionError("StorageSecretInvalid", explain_secret(namespace, name, error), permanent=True) from error
        if self._endpoints and not is_allowed_endpoint(storage.settings.endpoint or "", self._endpoints):
            raise ActionError("StorageEndpointNotAllowed", explain_endpoint(namespace, name), permanent=True)
        return storage

    async def _read_values(self, namespace: str, name: str) -> dict[str, str]:
        try:
            secret = await self._api.get(core_path("secrets", namespace, name))
            return decode_secret(secret.get("data") or {})
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                message = explain_secret(namespace, name, "there is no such Secret")
                raise ActionError("StorageSecretNotFound", message, permanent=True) from error
            raise ActionError(
                "StorageSecretUnreadable", f"the Secret {namespace}/{name} cannot be read now: {error}", permanent=False
            ) from error
        except SecretError as error:
            raise ActionError("StorageSecretInvalid", explain_secret(namespace, name, error), permanent=True) from error


def read_storage_directory(
    directory: Path, installation: str, certificates: Path, before_write: Callable[[], None] = lambda: None
) -> JobStorage:
    """Return the installation's own storage from a mounted Secret, with one file per key.

    Raises:
        SecretError: a key is missing, or is not text.
    """
    values = decode_values({key: file.read_bytes() for key in KNOWN_KEYS if (file := directory / key).is_file()})
    return build_storage(values, installation, certificates, before_write)


def build_storage(
    values: dict[str, str], installation: str, directory: Path, before_write: Callable[[], None]
) -> JobStorage:
    """Return the storage from the values of a Secret."""
    certificates = values.get(CA_CERT_KEY, "").strip()
    path = str(write_certificates(certificates, directory)) if certificates else None
    settings = parse_storage(values, ca_cert=path)
    return JobStorage(
        work_uri=parse_work_uri(values),
        installation=installation,
        settings=settings,
        before_write=before_write,
        only_s3=True,
    )


def write_certificates(pem: str, directory: Path) -> Path:
    """Write a bundle atomically, named by its digest, and return its path."""
    path = directory / f"ca-{sha256(pem.encode()).hexdigest()[:16]}.crt"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as file:
            file.write(f"{pem}\n")
        Path(file.name).replace(path)
    return path


def explain_endpoint(namespace: str, name: str) -> str:
    """Return a message about a Secret whose endpoint the installation does not allow."""
    return (
        f"the storage Secret {namespace}/{name} (spec.storage.secretRef) names an endpoint that this installation does "
        "not allow: use another one, or add it to storageEndpoints of the chart"
    )


def explain_secret(namespace: str, name: str, error: object) -> str:
    """Return a message: what is wrong with a Secret, which keys it needs, and how to create one."""
    keys = ", ".join([*REQUIRED_KEYS.values(), WORK_URI_KEY])
    optional = ", ".join([CA_CERT_KEY, *OPTIONAL_KEYS.values()])
    return (
        f"the storage Secret {namespace}/{name} (spec.storage.secretRef) cannot be used: {error}; it needs the keys "
        f"{keys} and may have {optional}; the chart creates podreduce-storage in the namespaces of its value "
        "storage.namespaces"
    )
