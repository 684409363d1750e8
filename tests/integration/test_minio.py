"""What the tiers above take for granted about the MinIO on loopback."""

import obstore.exceptions
import pytest

from tests.cluster.minio import MinioServer, answers

pytestmark = pytest.mark.integration


def test_the_second_conditional_create_is_refused(minio: MinioServer) -> None:
    store = minio.store("conditional")
    store.put("claim", b"first", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        store.put("claim", b"second", mode="create")
    assert bytes(store.get("claim").bytes()) == b"first"


def test_a_crash_keeps_the_data_and_the_address(minio: MinioServer) -> None:
    minio.store("kept").put("object", b"1")
    minio.stop()
    assert not answers(f"{minio.endpoint}/minio/health/ready")
    minio.start()
    assert bytes(minio.store("kept").get("object").bytes()) == b"1"
