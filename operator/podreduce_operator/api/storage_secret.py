"""The storage Secret: its keys, which setting of a task each key gives, and how it is decoded.

Rule: pure. The Secret is in the job's namespace and is never copied. Pods refer to its keys; the operator reads it by
name.
"""

import base64
import binascii
from collections.abc import Mapping

from podreduce.contract.environment import StorageSettings

__all__ = [
    "CA_CERT_KEY",
    "OPTIONAL_KEYS",
    "REQUIRED_KEYS",
    "WORK_URI_KEY",
    "SecretError",
    "decode_secret",
    "parse_storage",
    "parse_work_uri",
]

REQUIRED_KEYS = {"endpoint": "endpoint", "region": "region", "access_key": "accessKey", "secret_key": "secretKey"}
"""The required key of the Secret for each field of StorageSettings."""

OPTIONAL_KEYS = {"session_token": "sessionToken"}
CA_CERT_KEY = "caCert"
WORK_URI_KEY = "workUri"


class SecretError(ValueError):
    """The Secret is not a storage Secret. The message says what is missing or wrong."""


def decode_secret(data: Mapping[str, str]) -> dict[str, str]:
    """Decode a Secret's `data` (base64, UTF-8).

    Raises:
        SecretError: a value is not UTF-8 text.
    """
    try:
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SecretError(f"one of its values is not UTF-8 text ({error})") from error


def parse_storage(values: Mapping[str, str], ca_cert: str | None = None) -> StorageSettings:
    """Return the storage settings from the Secret's values; `ca_cert` is the file that holds its certificates.

    Raises:
        SecretError: keys are missing or empty.
    """
    missing = [key for key in (*REQUIRED_KEYS.values(), WORK_URI_KEY) if not values.get(key, "").strip()]
    if missing:
        raise SecretError(f"it lacks {', '.join(missing)}")
    keys = {**REQUIRED_KEYS, **OPTIONAL_KEYS}
    fields = {field: values.get(key, "").strip() or None for field, key in keys.items()}
    return StorageSettings(**fields, ca_cert=ca_cert)


def parse_work_uri(values: Mapping[str, str]) -> str:
    """Return `workUri`, ending in `/`.

    Raises:
        SecretError: it is not like `s3://bucket/…`.
    """
    uri = values.get(WORK_URI_KEY, "").strip()
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if not uri.startswith("s3://") or not bucket:
        raise SecretError(f"its {WORK_URI_KEY} {uri!r} must be like s3://bucket/prefix/")
    return uri if uri.endswith("/") else f"{uri}/"
