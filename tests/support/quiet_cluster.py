# ruff: noqa: ARG002 - the interface names its arguments, and this side needs few of them
"""A cluster of plain values for unit tests: what a test puts in, the loop finds; what the loop does is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.environment import StorageSettings
from podreduce_operator.cluster.interface import JobStorage, PodWarning
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pods import AttemptProgress, PodRequest, PodView


@dataclass(slots=True)
class QuietCluster:
    """Pods never run here."""

    runs_images: bool = True
    starts_pods: bool = True

    work_uri: str = "memory://work/"
    jobs: dict[JobKey, JobView] = field(default_factory=dict)
    unread: set[tuple[JobKey, str]] = field(default_factory=set)
    pods: tuple[PodView, ...] = ()
    pods_now: tuple[PodView, ...] | None = None
    sources: dict[tuple[str, str], str] = field(default_factory=dict)
    sources_read: int = 0
    source_error: ActionError | None = None
    storage_error: ActionError | None = None
    deletion_error: ActionError | None = None
    pods_error: ActionError | None = None
    created: list[PodRequest] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    deletions: list[tuple[str, str, bool]] = field(default_factory=list)
    deleted_jobs: list[JobKey] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    statuses: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    log_tail: str = ""
    warnings: dict[str, PodWarning] = field(default_factory=dict)
    progress: dict[str, AttemptProgress] = field(default_factory=dict)

    async def find_job(self, key: JobKey) -> JobView | None:
        return self.jobs.get(key)

    def is_unread(self, key: JobKey, uid: str) -> bool:
        return (key, uid) in self.unread

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        if self.pods_error is not None:
            raise self.pods_error
        return self.pods

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        self.asked.append(name)
        pods = self.pods if self.pods_now is None else self.pods_now
        return next((pod for pod in pods if pod.name == name), None)

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        return {pod.attempt_id: self.progress[pod.attempt_id] for pod in pods if pod.attempt_id in self.progress}

    async def last_warning(self, job: JobView, pod: PodView) -> PodWarning | None:
        return self.warnings.get(pod.uid)

    async def create_pod(self, request: PodRequest) -> None:
        self.created.append(request)

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        if self.deletion_error is not None:
            raise self.deletion_error
        self.deleted.append(name)
        self.deletions.append((name, uid, force))

    async def delete_job(self, job: JobView) -> None:
        self.deleted_jobs.append(job.key)
        self.jobs.pop(job.key, None)

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        return self.log_tail

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        self.sources_read += 1
        if self.source_error is not None:
            raise self.source_error
        return self.sources[config_map, key]

    async def read_storage(self, job: JobView) -> JobStorage:
        if self.storage_error is not None:
            raise self.storage_error
        return JobStorage(work_uri=self.work_uri, installation="local", settings=StorageSettings())

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        self.statuses.append(status)
        return True

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        self.events.append((kind, reason))
