"""The record of a pending upload lies in the bucket: whatever lies there instead, it is bounded, named and removed."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from podreduce.contract.errors import ObjectNotFoundError, UploadLostError
from podreduce.storage import ObjectStore, check_staged, discard_staged, open_store, publish_staged
from podreduce.storage.staging import MOST_RECORD_BYTES
from tests.support.fake_s3 import fake_s3

KEY = "_podreduce-x-1/r-0-a.pending"
SPOILED = {
    "empty": b"",
    "no JSON": b"PK\x03\x04 a zip",
    "no text": b"\xff",
    "another record": b'{"some": "thing"}',
    "large": b'{"key": "a", "uploadId": "b", "etags": []}' + b" " * MOST_RECORD_BYTES,
}
USES: dict[str, Callable[[ObjectStore], None]] = {
    "check": lambda store: check_staged(store, KEY),
    "publish": lambda store: publish_staged(store, KEY, "part-r-00000.txt"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_an_upload_whose_record_was_replaced_is_lost(use: str, spoiled: str, kind: str) -> None:
    with fake_s3() as server:
        server.objects = {KEY: SPOILED[spoiled]}
        store = server.open() if kind == "s3" else open_store(f"memory://{uuid4().hex}/")
        if kind == "memory":
            store.put(KEY, SPOILED[spoiled])
        with pytest.raises(UploadLostError, match=store.uri_of(KEY)):
            USES[use](store)


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_record_that_was_replaced_is_removed(spoiled: str) -> None:
    store = open_store(f"memory://{uuid4().hex}/")
    store.put(KEY, SPOILED[spoiled])
    discard_staged(store, KEY)
    with pytest.raises(ObjectNotFoundError):
        store.head(KEY)
