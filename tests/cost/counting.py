# ruff: noqa: ARG002 - the client names its arguments, and this side needs few of them
"""The two places where an operator's requests leave it, each of which counts them.

Rule: everything on this side of the API server's client and of the store's requests is the operator's own code.
"""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from podreduce.storage import ObjectStore
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import ApiError, Json
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.model.jobs import JobView

__all__ = ["CountedStorage", "CountingApi", "CountingCluster", "CountingGate"]

JOBS_PATH = "/apis/podreduce.dev/v1beta1/mapreducejobs"
LISTINGS = frozenset({JOBS_PATH, "/api/v1/pods"})
"""What is listed for all jobs together, whether they have finished or not: at the start, and jobs once a minute."""

TEXTS = {
    "endpoint": "http://store:9000",
    "region": "us-east-1",
    "accessKey": "key",
    "secretKey": "hush",
    "workUri": "s3://work/",
}
SECRET = {name: b64encode(text.encode()).decode() for name, text in TEXTS.items()}


@dataclass(slots=True)
class CountingGate:
    """Held during each request to a store."""

    requests: int = 0

    async def __aenter__(self) -> None:
        """Count the request."""
        self.requests += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""


@dataclass(frozen=True, kw_only=True)
class CountedStorage(JobStorage):
    """Counts each request to the stores that it opens, also to those in memory and in directories."""

    count: CountingGate

    def open(self, uri: str) -> ObjectStore:
        """Open the store at `uri`."""
        return replace(JobStorage.open(self, uri), gate=self.count, threads=self.count)


@dataclass(slots=True)
class CountingApi:
    """As much of an API server as finished jobs need. `requests` are counted by verb and kind, but for listings."""

    jobs: dict[str, Json] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    listings: int = 0

    def call_when_throttled(self, on_throttled: Any) -> None:
        """This one is never busy."""

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Json:
        """Return a job, the Secret, or a listing."""
        if path in LISTINGS:
            self.listings += 1
            jobs = list(self.jobs.values()) if path == JOBS_PATH else []
            return {"metadata": {"resourceVersion": "1"}, "items": jobs}
        self.requests[f"GET {path.rsplit('/', 2)[-2]}"] += 1
        if "/secrets/" in path:
            return {"data": SECRET}
        if path not in self.jobs:
            raise ApiError(404, "NotFound", path)
        return self.jobs[path]

    async def replace(self, path: str, body: Json) -> Json:
        """Write the status of a job."""
        self.requests["PUT status"] += 1
        job = self.jobs[path.removesuffix("/status")]
        version = str(int(job["metadata"]["resourceVersion"]) + 1)
        metadata = {**job["metadata"], "resourceVersion": version}
        self.jobs[path.removesuffix("/status")] = {**job, "metadata": metadata, "status": body["status"]}
        return self.jobs[path.removesuffix("/status")]

    async def create(self, path: str, body: Json, query: Mapping[str, str] | None = None) -> Json:
        """Take an Event."""
        self.requests[f"POST {path.rpartition('/')[2]}"] += 1
        return body

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """Stay open and show nothing: no pod and no job changes."""
        await asyncio.Event().wait()
        yield {}


class CountingCluster(KubernetesCluster):
    """A cluster whose jobs keep their data at `place`, not in S3."""

    place = ""
    gate: CountingGate

    async def read_storage(self, job: JobView) -> JobStorage:
        """Read the job's Secret, as in any cluster; only the place is another."""
        settings = (await super().read_storage(job)).settings
        return CountedStorage(
            work_uri=f"{self.place}work/", installation=self.installation, settings=settings, count=self.gate
        )
