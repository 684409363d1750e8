"""URIs of objects and prefixes: `s3://bucket/key`, `file:///directory/name`, `memory://name/key`.

Keys are taken literally: nothing is percent-decoded, so any listed key can be put into a URI and read back. Rule: pure.
"""

from podreduce.contract.errors import InputError

__all__ = ["SCHEMES", "split_object_uri", "split_uri"]

SCHEMES = ("s3", "file", "memory")


def split_uri(uri: str) -> tuple[str, str, str]:
    """Return scheme, bucket (or memory store name; empty for `file`) and key of `uri`.

    Raises:
        InputError: `uri` has no scheme that podreduce can read, or no bucket.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in SCHEMES:
        raise InputError(f"{uri}: not an object URI; expected s3://bucket/key or file:///path")
    bucket, _, key = rest.partition("/")
    if scheme == "file" and bucket:
        raise InputError(f"{uri}: a file URI has three slashes, as in file:///directory/name")
    if scheme != "file" and not bucket:
        raise InputError(f"{uri}: the URI names no bucket; expected {scheme}://bucket/key")
    return scheme, bucket, key


def split_object_uri(uri: str) -> tuple[str, str]:
    """Split `uri` into the URI of the whole store (`s3://bucket/`, `file:///`) and the key in it.

    `open_store` takes the first; `get` of that store takes the second.
    """
    scheme, bucket, key = split_uri(uri)
    return f"{scheme}://{bucket}/", key
