"""The storage Secret: which keys it has, what each of them is to a task, and how it is read.

Rule: pure. The Secret lies in the job's namespace and is never copied: pods refer to its keys, the operator reads it
by name.
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
"""By field of StorageSettings, the key of the Secret that must hold it."""

OPTIONAL_KEYS = {"session_token": "sessionToken"}
CA_CERT_KEY = "caCert"
WORK_URI_KEY = "workUri"


class SecretError(ValueError):
    """The Secret is not a storage Secret: the message says what is missing or wrong."""


def decode_secret(data: Mapping[str, str]) -> dict[str, str]:
    """Decode a Secret's `data` (base64, UTF-8).

    Raises:
        SecretError: a value is no UTF-8 text.
    """
    try:
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SecretError(f"one of its values is no UTF-8 text ({error})") from error


def parse_storage(values: Mapping[str, str], ca_cert: str | None = None) -> StorageSettings:
    """Return the settings that the Secret's values give; `ca_cert` is the path its certificates were written to.

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
        SecretError: it is no `s3://bucket/…`.
    """
    uri = values.get(WORK_URI_KEY, "").strip()
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if not uri.startswith("s3://") or not bucket:
        raise SecretError(f"its {WORK_URI_KEY} {uri!r} is no s3://bucket/prefix/")
    return uri if uri.endswith("/") else f"{uri}/"
