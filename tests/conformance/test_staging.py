"""Staged objects over every kind of store: invisible until they are published, by whoever comes; gone if discarded."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError, UploadLostError
from podreduce.storage import (
    ObjectStore,
    ObjectWriter,
    StagedUpload,
    check_staged,
    discard_staged,
    is_pending,
    open_store,
    publish_staged,
)
from podreduce.storage.writer import PART_BYTES
from tests.support.pending_uploads import connected, drop_uploads, list_uploads

NUMBERS = itertools.count()
LARGE = [b"a" * PART_BYTES, b"b" * PART_BYTES, b"c"]
SIZES = [PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 3 * PART_BYTES - 1]
KEY, TARGET = "_podreduce-uid-1/r-0-uid-0", "part-r-00000.txt"
KILLED_IN_THE_MIDDLE = f"""
import os, signal, sys
import msgspec
from podreduce.contract.environment import StorageSettings
from podreduce.storage import StagedUpload, open_store

def blocks():
    yield bytes({2 * PART_BYTES})
    os.kill(os.getpid(), signal.SIGKILL)

store = open_store(sys.argv[1], msgspec.json.decode(sys.argv[2], type=StorageSettings))
StagedUpload(store, {KEY!r}, {TARGET!r}).stream(blocks())
"""


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> StorageSettings:
    minio = request.getfixturevalue("minio")
    return StorageSettings(
        endpoint=minio.endpoint, region=minio.region, access_key=minio.access_key, secret_key=minio.secret_key
    )


@pytest.fixture
def bucket_store(request: pytest.FixtureRequest, settings: StorageSettings) -> ObjectStore:
    bucket = request.getfixturevalue("minio").make_bucket(f"staging-{next(NUMBERS)}")
    return open_store(f"s3://{bucket}/some prefix/ü/", settings)


@pytest.fixture(params=["memory", "directory", pytest.param("minio", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return open_store(f"memory://staging-{next(NUMBERS)}/some/prefix/")
    if request.param == "directory":
        return open_store(f"file://{tmp_path}/some prefix/")
    found = request.getfixturevalue("bucket_store")
    assert isinstance(found, ObjectStore)
    return found


def stage(store: ObjectStore, blocks: list[bytes], key: str = KEY) -> str:
    """Stage `blocks` and return the staged key."""
    upload = StagedUpload(store, key, TARGET)
    with ObjectWriter(upload) as writer:
        for block in blocks:
            writer.write(block)
    return upload.key


def publish(store: ObjectStore, key: str) -> None:
    if is_pending(key):
        publish_staged(store, key, TARGET)
    else:
        store.copy(key, TARGET)


@pytest.mark.parametrize("blocks", [[], [b""], [b"x"], LARGE], ids=["nothing", "empty", "small", "large"])
def test_what_is_staged_appears_when_it_is_published(store: ObjectStore, blocks: list[bytes]) -> None:
    key = stage(store, blocks)
    assert not store.exists(TARGET)
    publish(store, key)
    assert store.get(TARGET) == b"".join(blocks)


def test_publishing_replaces_and_may_be_repeated(store: ObjectStore) -> None:
    store.put(TARGET, b"old")
    key = stage(store, LARGE)
    assert store.get(TARGET) == b"old"
    publish(store, key)
    publish(store, key)
    assert store.get(TARGET) == b"".join(LARGE)


@pytest.mark.parametrize("blocks", [[b"x"], LARGE], ids=["small", "large"])
def test_what_is_discarded_is_gone_and_discarding_may_be_repeated(store: ObjectStore, blocks: list[bytes]) -> None:
    key = stage(store, blocks)
    discard_staged(store, key)
    discard_staged(store, key)
    assert [meta.key for meta in store.list()] == []


@pytest.mark.integration
@pytest.mark.parametrize("size", SIZES)
def test_a_large_object_waits_as_an_upload_whose_bytes_do_not_move(bucket_store: ObjectStore, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"#" * (size % 256)
    key = stage(bucket_store, [data[:100_000], data[100_000:]])
    assert is_pending(key)
    assert len(list_uploads(bucket_store, TARGET)) == 1
    assert bucket_store.head(key).size < 10_000
    check_staged(bucket_store, key)
    publish(bucket_store, key)
    assert bucket_store.get(TARGET) == data
    assert list_uploads(bucket_store, TARGET) == []


@pytest.mark.integration
def test_discarding_an_upload_leaves_no_parts(bucket_store: ObjectStore) -> None:
    discard_staged(bucket_store, stage(bucket_store, LARGE))
    assert list_uploads(bucket_store, TARGET) == []


@pytest.mark.integration
def test_discarding_what_was_published_leaves_the_published_object(bucket_store: ObjectStore) -> None:
    key = stage(bucket_store, LARGE)
    publish(bucket_store, key)
    discard_staged(bucket_store, key)
    assert [meta.key for meta in bucket_store.list()] == [TARGET]


@pytest.mark.integration
@pytest.mark.parametrize("call", [check_staged, lambda store, key: publish_staged(store, key, TARGET)])
def test_an_upload_that_the_store_dropped_is_missed(
    bucket_store: ObjectStore, call: Callable[[ObjectStore, str], None]
) -> None:
    key = stage(bucket_store, LARGE)
    drop_uploads(bucket_store, TARGET)
    with pytest.raises(UploadLostError, match="no longer has the upload"):
        call(bucket_store, key)


@pytest.mark.integration
def test_another_attempts_object_is_not_taken_for_the_dropped_upload(bucket_store: ObjectStore) -> None:
    lost = stage(bucket_store, LARGE, "_podreduce-uid-1/r-0-lost-0")
    drop_uploads(bucket_store, TARGET)
    publish(bucket_store, stage(bucket_store, LARGE))
    with pytest.raises(UploadLostError):
        publish(bucket_store, lost)


@pytest.mark.integration
def test_a_failed_writer_leaves_neither_upload_nor_record(bucket_store: ObjectStore) -> None:
    writer = ObjectWriter(StagedUpload(bucket_store, KEY, TARGET))
    with pytest.raises(KeyError), writer:  # noqa: PT012 - the order matters
        writer.write(LARGE[0])
        writer.write(LARGE[1])
        raise KeyError
    assert list_uploads(bucket_store, TARGET) == []
    assert list(bucket_store.list()) == []


@pytest.mark.integration
def test_an_attempt_that_was_killed_leaves_a_record_to_discard_by(
    bucket_store: ObjectStore, settings: StorageSettings
) -> None:
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, bucket_store.uri, msgspec.json.encode(settings).decode()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = [meta.key for meta in bucket_store.list()]
    assert is_pending(left)
    assert len(list_uploads(bucket_store, TARGET)) == 1
    discard_staged(bucket_store, left)
    assert list_uploads(bucket_store, TARGET) == []
    assert list(bucket_store.list()) == []


@pytest.mark.integration
def test_wrong_credentials_are_named(bucket_store: ObjectStore, settings: StorageSettings) -> None:
    wrong = msgspec.structs.replace(settings, access_key="nobody")
    with pytest.raises(StorageDeniedError, match="the access key is unknown there"):
        connected(open_store(bucket_store.uri, wrong)).create("some/key", {})
