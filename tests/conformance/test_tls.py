"""A store behind TLS with a certificate of its own: served with the right CA, refused in words without it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.storage import ObjectStore, ObjectWriter, StagedUpload, open_store, publish_staged
from podreduce.storage.connect import RETRY_CONFIG
from podreduce.storage.writer import PART_BYTES
from tests.cluster.certificates import Authority
from tests.cluster.minio import MinioServer, free_port

pytestmark = pytest.mark.integration

BUCKET = "behind-tls"
TARGET = "part-r-00000.txt"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(directory=tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(minio: MinioServer, authority: Authority) -> Iterator[int]:
    minio.make_bucket(BUCKET)
    served = authority.issue("store", subject="/CN=store", addresses=("DNS:localhost",))
    found = free_port()
    ends = [str(found), "127.0.0.1", str(minio.port), str(served.certificate), str(served.key)]
    with subprocess.Popen([sys.executable, "-m", "tests.conformance.tcp_proxy", *ends]) as proxy:
        yield found
        proxy.kill()


def open_behind_tls(minio: MinioServer, port: int, ca_cert: Path | None, *, host: str = "localhost") -> ObjectStore:
    settings = StorageSettings(
        endpoint=f"https://{host}:{port}",
        region=minio.region,
        access_key=minio.access_key,
        secret_key=minio.secret_key,
        ca_cert=None if ca_cert is None else str(ca_cert),
    )
    return open_store(f"s3://{BUCKET}/", settings)


def test_with_the_ca_of_the_secret_objects_are_read_and_written(
    minio: MinioServer, port: int, authority: Authority
) -> None:
    store = open_behind_tls(minio, port, authority.certificate().certificate)
    store.put("a", b"bytes")
    assert store.get("a") == b"bytes"
    assert not store.create("a", b"others")
    assert [found.key for found in store.list("")] == ["a"]


def test_with_the_ca_of_the_secret_large_objects_are_staged_and_published(
    minio: MinioServer, port: int, authority: Authority
) -> None:
    store = open_behind_tls(minio, port, authority.certificate().certificate)
    upload = StagedUpload(store, "_podreduce-uid-1/r-0-uid-0", TARGET)
    with ObjectWriter(upload) as writer:
        writer.write(b"a" * PART_BYTES)
        writer.write(b"b")
    publish_staged(store, upload.key, TARGET)
    assert store.get(TARGET) == b"a" * PART_BYTES + b"b"


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RETRY_CONFIG, "max_retries", 0)


@pytest.mark.usefixtures("no_patience")
def test_without_the_ca_or_with_another_the_remedy_is_named(minio: MinioServer, port: int, tmp_path: Path) -> None:
    others = Authority(directory=tmp_path / "others").certificate().certificate
    for ca_cert in (None, others):
        with pytest.raises(StorageDeniedError, match="put its CA into caCert of the storage secret"):
            open_behind_tls(minio, port, ca_cert).get("a")


@pytest.mark.usefixtures("no_patience")
def test_a_certificate_for_another_host_is_told_as_such(minio: MinioServer, port: int, authority: Authority) -> None:
    ca_cert = authority.certificate().certificate
    with pytest.raises(StorageDeniedError, match="for another host name: correct endpoint"):
        open_behind_tls(minio, port, ca_cert, host="127.0.0.1").get("a")
