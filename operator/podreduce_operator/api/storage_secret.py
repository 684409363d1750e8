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
    "KEY_FILES",
    "KNOWN_KEYS",
    "OPTIONAL_KEYS",
    "REQUIRED_KEYS",
    "WORK_URI_KEY",
    "SecretError",
    "decode_secret",
    "decode_values",
    "parse_storage",
    "parse_work_uri",
]

REQUIRED_KEYS = {"endpoint": "endpoint", "region": "region", "access_key": "accessKey", "secret_key": "secretKey"}
"""The required key of the Secret for each field of StorageSettings."""

OPTIONAL_KEYS = {"session_token": "sessionToken"}
KEY_FILES = (REQUIRED_KEYS["access_key"], REQUIRED_KEYS["secret_key"], OPTIONAL_KEYS["session_token"])
"""What changes when a key is rotated. A task reads these from a volume, each from a file of that name."""

CA_CERT_KEY = "caCert"
WORK_URI_KEY = "workUri"
KNOWN_KEYS = (*REQUIRED_KEYS.values(), *OPTIONAL_KEYS.values(), CA_CERT_KEY, WORK_URI_KEY)


class SecretError(ValueError):
    """The Secret is not a storage Secret. The message says what is missing or wrong."""


def decode_secret(data: Mapping[str, str]) -> dict[str, str]:
    """Decode a Secret's `data` (base64). Keys that podreduce does not know are left out, whatever they hold.

    Raises:
        SecretError: a value is not UTF-8 text.
    """
    try:
        return decode_values({key: base64.b64decode(data[key]) for key in KNOWN_KEYS if key in data})
    except binascii.Error as error:
        raise SecretError(f"one of its values is not UTF-8 text in base64 ({error})") from error


def decode_values(values: Mapping[str, bytes]) -> dict[str, str]:
    """Return the values of the keys that podreduce knows, as text.

    Raises:
        SecretError: a value is not UTF-8 text.
    """
    texts = {}
    for key in KNOWN_KEYS:
        if key in values:
            try:
                texts[key] = values[key].decode()
            except UnicodeDecodeError as error:
                raise SecretError(f"its {key} is not UTF-8 text ({error})") from error
    return texts


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
