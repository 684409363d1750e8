"""Keys that are replaced while tasks work with them, on a real MinIO: the old key is removed there."""

import itertools
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from minio import MinioAdmin
from minio.credentials import AssumeRoleProvider, StaticProvider

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.layout import commit_key
from podreduce.storage import StagedUpload, open_store, publish_staged
from podreduce.storage.writer import PART_BYTES
from tests.cluster.minio import MinioServer
from tests.support.builders.tasks import map_task
from tests.support.key_volumes import KeyVolume
from tests.support.task_processes import TaskProcesses
from tests.support.task_runs import TaskRun

pytestmark = pytest.mark.integration

NUMBERS = itertools.count()
WAITS = """
import pathlib, time

class Job:
    def map_func(self, key, value):
        pathlib.Path({started!r}).touch()
        while not pathlib.Path({go!r}).exists():
            time.sleep(0.05)
        yield value, 1
"""


class Rotation:
    """A bucket, users of the store who may do everything in it, and the volume with the key of one of them."""

    def __init__(self, minio: MinioServer, directory: Path) -> None:
        self.bucket = minio.make_bucket(f"rotated-{next(NUMBERS)}")
        self.root = StorageSettings(
            endpoint=minio.endpoint, region=minio.region, access_key=minio.access_key, secret_key=minio.secret_key
        )
        self.volume = KeyVolume(directory)
        provider = StaticProvider(minio.access_key, minio.secret_key)
        self.admin = MinioAdmin(endpoint=minio.endpoint.removeprefix("http://"), credentials=provider, secure=False)

    def add_user(self) -> tuple[str, str]:
        name, secret = f"user-{next(NUMBERS)}", secrets.token_hex(16)
        self.admin.user_add(name, secret)
        self.admin.attach_policy(["readwrite"], user=name)
        return name, secret

    def lend(self, name: str, secret: str) -> tuple[str, str, str]:
        """Return temporary keys of the user, with a session token. They end when the user is removed."""
        endpoint = str(self.root.endpoint)
        found = AssumeRoleProvider(sts_endpoint=endpoint, access_key=name, secret_key=secret).retrieve()
        assert found.session_token
        return found.access_key, found.secret_key, found.session_token

    def settings(self, access_key: str, secret_key: str, session_token: str = "") -> StorageSettings:
        """Return the settings of a pod: this key in its environment, as at its start, and the volume."""
        return msgspec.structs.replace(
            self.root,
            access_key=access_key,
            secret_key=secret_key,
            session_token=session_token or None,
            key_directory=str(self.volume.directory),
        )


@pytest.fixture
def rotation(tmp_path: Path, minio: MinioServer) -> Rotation:
    return Rotation(minio, tmp_path / "keys")


@pytest.mark.parametrize("is_temporary", [False, True], ids=["keys", "session tokens"])
@pytest.mark.parametrize("has_files", [True, False], ids=["files", "environment"])
def test_a_task_goes_on_with_the_key_that_replaced_its_first(
    tmp_path: Path, rotation: Rotation, is_temporary: bool, has_files: bool
) -> None:
    """With the environment alone, which a process has from its start, the task is refused."""
    tasks, started, go = TaskProcesses(tmp_path), tmp_path / "started", tmp_path / "go"
    source = WAITS.format(started=str(started), go=str(go))
    objects = {"a": b"the fox\n"}
    run = TaskRun(root=f"s3://{rotation.bucket}/", settings=rotation.root, source=source, objects=objects)
    users = rotation.add_user(), rotation.add_user()
    first, second = [rotation.lend(*user) if is_temporary else user for user in users]
    rotation.volume.put(*first)
    run.settings = rotation.settings(*first)
    environ = tasks.environ(run, map_task(0))
    if not has_files:
        del environ["PODREDUCE_S3_KEY_DIRECTORY"]
    with tasks.open(environ) as process:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        rotation.volume.put(*second)
        rotation.admin.user_remove(users[0][0])
        go.touch()
        ended = tasks.finish(process)
    assert ended.code == (ExitCode.OK if has_files else ExitCode.STORAGE_DENIED), ended
    assert run.store.exists(commit_key(map_task(0), 0)) is has_files


def test_an_upload_in_parts_goes_on_with_the_new_key(rotation: Rotation) -> None:
    first, second = rotation.add_user(), rotation.add_user()
    rotation.volume.put(*first)
    store = open_store(f"s3://{rotation.bucket}/", rotation.settings(*first))
    upload = StagedUpload(store, "staged", "part")

    def blocks() -> Iterator[bytes]:
        yield bytes(2 * PART_BYTES)
        rotation.volume.put(*second)
        rotation.admin.user_remove(first[0])
        yield bytes(PART_BYTES)

    upload.stream(blocks())
    publish_staged(store, upload.key, "part")
    assert store.head("part").size == 3 * PART_BYTES


def test_a_removed_key_is_refused_until_it_is_replaced(rotation: Rotation) -> None:
    first, second = rotation.add_user(), rotation.add_user()
    rotation.volume.put(*first)
    store = open_store(f"s3://{rotation.bucket}/", rotation.settings(*first))
    store.put("a", b"1")
    rotation.admin.user_remove(first[0])
    with pytest.raises(StorageDeniedError):
        store.put("a", b"2")
    rotation.volume.put(*second)
    store.put("a", b"3")
    assert store.get("a") == b"3"
