"""`python -m podreduce_operator.process.make_buckets BUCKET…`: makes buckets in which intermediate data expires.

Rule: idempotent. The chart's Job runs it for the optional MinIO, which may still be starting. It is a separate program,
so it may block.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.error import MinioException
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from podreduce.contract.environment import StorageSettings

__all__ = ["main", "make_buckets"]

READY_WITHIN_SECONDS = 300.0
USAGE_ERROR = 2
PAUSE_SECONDS = 2.0
RULE_ID = "podreduce-intermediate-data"


def connect(settings: StorageSettings) -> Minio:
    """Return a client that fails soon, so that the caller notices a server that has not started yet."""
    address = urlsplit(settings.endpoint or "")
    return Minio(
        address.netloc,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        session_token=settings.session_token,
        region=settings.region,
        secure=address.scheme == "https",
        http_client=urllib3.PoolManager(timeout=10, retries=False),
    )


def make_buckets(client: Minio, buckets: Sequence[str], work_uri: str, expiry_days: int) -> None:
    """Make the missing buckets, and set the expiry below `work_uri`. A whole bucket gets no expiry."""
    work_bucket, _, prefix = work_uri.removeprefix("s3://").partition("/")
    for bucket in dict.fromkeys([*buckets, work_bucket]):
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    if not prefix:
        return
    rule = Rule(ENABLED, rule_filter=Filter(prefix=prefix), rule_id=RULE_ID, expiration=Expiration(days=expiry_days))
    client.set_bucket_lifecycle(work_bucket, LifecycleConfig([rule]))


def repeat_until_ready(act: Callable[[], None], within_seconds: float = READY_WITHIN_SECONDS) -> None:
    """Call `act`, and repeat it while the server cannot be reached, for `within_seconds` at most."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            return act()
        except (urllib3.exceptions.HTTPError, MinioException) as error:
            if time.monotonic() > deadline:
                raise
            print(f"the server is not ready yet: {error}", file=sys.stderr)  # noqa: T201 - the Job's log
            time.sleep(PAUSE_SECONDS)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Make the buckets named by `arguments`."""
    settings = StorageSettings.from_environ(environ)
    if settings.endpoint is None:
        print("PODREDUCE_S3_ENDPOINT is not set", file=sys.stderr)  # noqa: T201 - the Job's log
        return USAGE_ERROR
    client = connect(settings)
    days = int(environ["PODREDUCE_WORK_EXPIRY_DAYS"])
    repeat_until_ready(lambda: make_buckets(client, arguments, environ["PODREDUCE_WORK_URI"], days))
    print(f"buckets: {', '.join(arguments)}")  # noqa: T201 - the Job's log
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
