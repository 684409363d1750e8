"""Keys in files: what is read while they change, and what becomes of requests that the store refuses."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.storage import ObjectStore, open_store
from podreduce.storage.access import access_of
from podreduce.storage.key_files import KeyFiles, read_keys
from tests.support.fake_s3 import FakeS3, fake_s3
from tests.support.key_volumes import KeyVolume

ODD_KEY = "odd//a"


@pytest.fixture
def volume(tmp_path: Path) -> KeyVolume:
    volume = KeyVolume(tmp_path / "keys")
    volume.put("old")
    return volume


@pytest.fixture
def served() -> Iterator[FakeS3]:
    with fake_s3() as served:
        served.objects = {"a": b"data", ODD_KEY: b"data"}
        yield served


def settings_of(served: FakeS3, volume: KeyVolume) -> StorageSettings:
    return StorageSettings(
        endpoint=served.endpoint,
        region="us-east-1",
        access_key="of the start",
        secret_key="hush",  # noqa: S106
        key_directory=str(volume.directory),
    )


@pytest.fixture
def store(served: FakeS3, volume: KeyVolume) -> ObjectStore:
    return open_store("s3://bucket/", settings_of(served, volume))


def test_keys_are_read_as_they_are_now(volume: KeyVolume) -> None:
    volume.put("key", "secret", "token")
    assert read_keys(volume.directory) == ("key", "secret", "token")
    volume.put("other", "secret")
    assert read_keys(volume.directory) == ("other", "secret", None)


def test_a_plain_directory_will_do(tmp_path: Path) -> None:
    (tmp_path / "accessKey").write_text(" key\n")
    assert read_keys(tmp_path) is None
    (tmp_path / "secretKey").write_text("secret")
    assert read_keys(tmp_path) == ("key", "secret", None)


@pytest.mark.parametrize("files", [{}, {"accessKey": "key"}, {"accessKey": "", "secretKey": "secret"}])
def test_the_last_keys_count_while_one_is_missing(volume: KeyVolume, files: dict[str, str]) -> None:
    keys = KeyFiles(volume.directory, ("old", "hush", None))
    volume.write(**files)
    assert keys.read() == ("old", "hush", None)
    volume.put("new")
    assert keys.read() == ("new", "hush", None)


def test_when_keys_changed_is_known(volume: KeyVolume) -> None:
    now = 100.0
    keys = KeyFiles(volume.directory, ("old", "hush", None), clock=lambda: now)
    assert not keys.changed_since(0.0)
    volume.put("new")
    assert [keys.changed_since(at) for at in (99.0, 100.0)] == [True, False]


def test_keys_are_never_mixed(volume: KeyVolume) -> None:
    """Each version's files are equal. The reader goes on while they are replaced."""
    stop, seen = threading.Event(), set()

    def replace() -> None:
        for number in range(300):
            volume.put(str(number), str(number), str(number))
        stop.set()

    thread = threading.Thread(target=replace)
    thread.start()
    while not stop.is_set():
        seen.add(read_keys(volume.directory))
    thread.join()
    mixed = {keys for keys in seen if keys is not None and len(set(keys)) > 1 and keys != ("old", "hush", None)}
    assert not mixed


@pytest.mark.parametrize("files", [{}, {"accessKey": "key"}])
def test_without_files_the_settings_own_keys_count(served: FakeS3, volume: KeyVolume, files: dict[str, str]) -> None:
    volume.write(**files)
    access = access_of(settings_of(served, volume))
    assert (access.key_files, access.keys) == (None, ("of the start", "hush", None))


def test_without_any_keys_those_of_the_environment_count(volume: KeyVolume) -> None:
    volume.write()
    access = access_of(StorageSettings(key_directory=str(volume.directory)))
    assert (access.key_files, access.keys) == (None, None)


@pytest.mark.parametrize("key", ["a", ODD_KEY], ids=["obstore", "botocore"])
def test_each_request_has_the_newest_keys(served: FakeS3, volume: KeyVolume, store: ObjectStore, key: str) -> None:
    for number in range(3):
        name = f"key-{number}"
        volume.put(name)
        served.takes = name
        assert store.get(key) == b"data"


@pytest.mark.parametrize("code", ["ExpiredToken", "TokenRefreshRequired", "InvalidToken"])
@pytest.mark.parametrize("key", ["a", ODD_KEY], ids=["obstore", "botocore"])
def test_a_request_with_an_expired_token_waits_for_new_keys(
    served: FakeS3, volume: KeyVolume, store: ObjectStore, key: str, code: str
) -> None:
    refusals = []

    def renew() -> None:
        refusals.append(1)
        if len(refusals) == 2:
            volume.put("new", "hush", "fresh")

    served.takes, served.refusal, served.refused = "new", code, renew
    assert store.get(key) == b"data"
    assert len(refusals) >= 2


async def test_an_async_request_waits_for_new_keys_too(served: FakeS3, volume: KeyVolume, store: ObjectStore) -> None:
    served.takes, served.refused = "new", lambda: volume.put("new") if served.requests == 1 else None
    assert await store.get_async("a") == b"data"


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_any_refusal_is_tried_again_if_the_keys_were_replaced_meanwhile(
    served: FakeS3, volume: KeyVolume, store: ObjectStore, code: str
) -> None:
    assert store.get("a") == b"data"
    served.takes, served.refusal = "new", code
    served.refused = lambda: volume.put("new") if served.requests == 2 else None
    assert store.get("a") == b"data"


def test_a_refusal_of_keys_that_stay_is_told_at_once(served: FakeS3, store: ObjectStore) -> None:
    served.takes, served.refusal = "new", "AccessDenied"
    with pytest.raises(StorageDeniedError, match="AccessDenied"):
        store.get("a")
    assert served.requests == 1


def test_an_expired_token_without_files_is_told_at_once(served: FakeS3) -> None:
    served.takes = "new"
    with pytest.raises(StorageDeniedError, match="renew it in the storage secret"):
        served.open().get("a")
    assert served.requests == 1
