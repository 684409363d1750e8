"""Objects in S3 whose keys obstore cannot handle: `logs//b.txt`, `/a.txt`, `a/../b`, a key with a line break.

S3 accepts any text as a key. obstore accepts paths: it refuses a listing with one such key, and removes a `/` at the
beginning, so that it would read another object. This module lists and reads such keys with botocore. Rule: read only;
podreduce itself writes no such key.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore import ObjectMeta as ListedObject

    from podreduce.storage.multipart import MultipartClient

__all__ = ["has_unusual_keys", "is_unusual", "list_any_keys"]

ODD = re.compile(r"^/|//|(?:^|/)\.\.?(?:/|$)|[\x00-\x1f\x7f]")


def is_unusual(key: str) -> bool:
    """Tell whether obstore would refuse this key, or confuse it with another."""
    return ODD.search(key) is not None


def has_unusual_keys(client: "MultipartClient") -> bool:
    """Tell whether the bucket has keys that begin with `/`; obstore would list them without it."""
    return bool(client.list_page("/", max_keys=1)["entries"])


def list_any_keys(
    client: "MultipartClient", prefix: str, *, recursive: bool, after: str = ""
) -> Iterator["ListedObject"]:
    """Yield the objects whose key starts with `prefix` and is after `after`, in key order, without markers."""
    delimiter = "" if recursive else "/"
    token: str | None = None
    while True:
        page = client.list_page(prefix, delimiter=delimiter, after=after, token=token)
        yield from (entry for entry in page["entries"] if not entry["path"].endswith("/"))
        token = page["token"]
        if token is None:
            return
