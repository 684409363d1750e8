"""What is needed to reach a store: the settings, completed from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.storage.key_files import KeyFiles, Keys, watch_keys

__all__ = ["Access", "access_of"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Access:
    """Everything in which two clients can differ; the CA's certificate itself, because its file may change.

    `key_files` has keys that may change, `keys` those that stay; without both, the AWS_* variables count.
    """

    endpoint: str | None
    region: str | None
    keys: Keys | None
    ca_certificate: bytes | None
    ca_file: str | None
    key_files: KeyFiles | None = None

    @property
    def is_plain_http(self) -> bool:
        """Whether requests go without TLS."""
        return self.endpoint is not None and urlsplit(self.endpoint).scheme == "http"


def access_of(settings: StorageSettings) -> Access:
    """Return the settings, with values from the environment where they are None.

    Raises:
        StorageDeniedError: the CA's certificate cannot be read.
    """
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    keys = None
    if settings.access_key and settings.secret_key:
        keys = (settings.access_key, settings.secret_key, settings.session_token)
    return Access(
        endpoint=settings.endpoint or next(filter(None, map(os.environ.get, variables)), None),
        region=settings.region,
        keys=keys,
        ca_certificate=read_certificate(settings.ca_cert) if settings.ca_cert else None,
        ca_file=settings.ca_cert,
        key_files=watch_keys(settings.key_directory) if settings.key_directory else None,
    )


def read_certificate(path: str) -> bytes:
    """Return the CA's certificate.

    Raises:
        StorageDeniedError: the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StorageDeniedError(
            f"{path}: the storage's CA certificate cannot be read ({error.strerror}); correct caCert"
        ) from error
