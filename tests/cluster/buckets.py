"""Opens the buckets of a MinIO, wherever it runs: the one way in which tests make buckets and stores."""

from dataclasses import dataclass

import obstore.store
from minio import Minio


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Where a MinIO answers, and its root credentials."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def client(self) -> Minio:
        """Return a client with the root credentials, for set-up (buckets, users, lifecycle)."""
        host = self.endpoint.removeprefix("http://")
        return Minio(host, access_key=self.access_key, secret_key=self.secret_key, secure=False, region=self.region)

    def make_bucket(self, name: str) -> str:
        """Create a bucket, or find it there, and return its name."""
        if not self.client().bucket_exists(name):
            self.client().make_bucket(name)
        return name

    def store(self, bucket: str, prefix: str | None = None) -> obstore.store.S3Store:
        """Return an obstore store over a bucket, which is created where it is missing."""
        return obstore.store.S3Store(
            self.make_bucket(bucket),
            prefix=prefix,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
