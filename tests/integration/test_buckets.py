import pytest

from podreduce_operator.process.make_buckets import main
from tests.cluster.minio import MinioServer

pytestmark = pytest.mark.integration


def test_buckets_are_made_once_and_work_data_expires(minio: MinioServer) -> None:
    environ = {
        "PODREDUCE_S3_ENDPOINT": minio.endpoint,
        "PODREDUCE_S3_REGION": minio.region,
        "PODREDUCE_S3_ACCESS_KEY": minio.access_key,
        "PODREDUCE_S3_SECRET_KEY": minio.secret_key,
        "PODREDUCE_WORK_URI": "s3://chart-work/work/",
        "PODREDUCE_WORK_EXPIRY_DAYS": "30",
    }
    for _ in range(2):
        assert main(["chart-corpus"], environ) == 0
    client = minio.client()
    assert client.bucket_exists("chart-corpus")
    lifecycle = client.get_bucket_lifecycle("chart-work")
    assert lifecycle
    (rule,) = lifecycle.rules
    assert rule.rule_filter
    assert rule.expiration
    assert (rule.rule_filter.prefix, rule.expiration.days) == ("work/", 30)
