"""The cluster interface that the loop uses. `kubernetes` and `local` implement it; one conformance suite tests both.

Rule: everything is idempotent. A refusal that the job's author must see is an `ActionError`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.contract.plan import JobIdentity
from podreduce.storage import NO_GATE, Gate, ObjectStore, OnRequest, ignore_request, open_store
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.pods import AttemptProgress, PodRequest, PodView
from podreduce_operator.model.schedules import Noun, ScheduleView

__all__ = ["Cluster", "JobStorage", "PipelineCluster", "PodWarning", "ScheduleCluster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStorage:
    """Where a job's intermediate data goes, and with which credentials.

    Attributes:
        work_uri: the URI of the intermediate data, ending in `/`.
        installation: the installation that owns the data.
        settings: how to reach the store.
        before_write: called before each write to a store opened here. It raises if this operator must not act.
        gate: held during each request to a store opened here.
        only_s3: whether other stores are refused, whatever a plan or another object in the bucket names.
        threads: held during each blocking request in a thread, so that one store never takes all threads.
        on_request: told how each try of a request to a store opened here ended.
    """

    work_uri: str
    installation: str
    settings: StorageSettings
    before_write: Callable[[], None] = lambda: None
    gate: Gate = NO_GATE
    threads: Gate = NO_GATE
    on_request: OnRequest = ignore_request
    only_s3: bool = False

    def open(self, uri: str) -> ObjectStore:
        """Open the store at `uri`, which ends in `/`.

        Raises:
            InputError: `uri` is no such URI.
            StorageDeniedError: it is not in S3, and must be.
        """
        if self.only_s3 and not uri.startswith("s3://"):
            raise StorageDeniedError(f"{uri}: in a cluster only s3:// is opened: find out who wrote this URI")
        return open_store(
            uri,
            self.settings,
            before_write=self.before_write,
            gate=self.gate,
            threads=self.threads,
            on_request=self.on_request,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PodWarning:
    """A warning about a pod, as the cluster reports it."""

    reason: str
    message: str


class Cluster(Protocol):
    """Pods, jobs, and the Secrets and ConfigMaps that jobs refer to.

    Attributes:
        runs_images: whether a pod runs in the job's image; else it runs what is installed here.
        starts_pods: whether a task needs a pod, which takes a second or two to start; else a process, at once.
    """

    runs_images: bool
    starts_pods: bool

    async def find_job(self, key: JobKey) -> JobView | None:
        """Return the job as last seen, or None if it is gone or was never understood (`is_unread`)."""

    def is_unread(self, key: JobKey, uid: str) -> bool:
        """Tell whether a job that was just not found is there, but its spec was never understood.

        Another release may have run it, and its pods may still write.
        """

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        """Return all pods of the job, of any run, including terminating ones.

        A pod that somebody else deleted a moment ago is still listed, as failed and terminating. So it is recorded.

        Raises:
            ActionError: the pods may not be listed.
        """

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        """Read the job's pod with this name from the cluster itself; None if it is gone.

        A pod list may be some seconds old, and older after a pause of this process.

        Raises:
            ActionError: the cluster cannot be asked now.
        """

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        """Return the last reports of these pods' attempts, by attempt id. Attempts without a report are left out."""

    async def last_warning(self, job: JobView, pod: PodView) -> PodWarning | None:
        """Return the newest warning about a pod that does not start and gives no reason, if there is one."""

    async def create_pod(self, request: PodRequest) -> None:
        """Create the pod. It is done if the job and run already have a pod with this name that is not being deleted.

        Raises:
            ActionError: the cluster refuses the pod for ever (permanent) or for now.
        """

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        """Delete the pod with this name and UID. It is done if the pod is gone. `force`: do not wait for its node."""

    async def delete_job(self, job: JobView) -> None:
        """Delete the MapReduceJob, if it is still as it was read. A job from a file is left alone.

        Raises:
            ActionError: it cannot be deleted now.
        """

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        """Return the pod's last log lines; empty if they are gone."""

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        """Return the program text of `sourceFrom`.

        Raises:
            ActionError: the ConfigMap or the key does not exist.
        """

    async def read_storage(self, job: JobView) -> JobStorage:
        """Return the job's storage, from the Secret that it names.

        Raises:
            ActionError: the Secret or one of its keys is missing.
        """

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        """Replace the job's status. Return False if the job has changed, so that the caller observes it again."""

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """Record an event for the job's author. It may be dropped. `kind` is `Normal` or `Warning`."""


class ScheduleCluster(Protocol):
    """MapReduceSchedules and the jobs and pipelines that they make."""

    async def find_schedule(self, key: JobKey) -> ScheduleView | None:
        """Return the schedule as last seen, or None if it is gone or was never understood."""

    async def list_jobs_of(self, schedule: ScheduleView, *, current: bool) -> tuple[JobView | PipelineView, ...]:
        """Return the jobs and pipelines that the schedule made and that still exist.

        Args:
            schedule: the schedule.
            current: ask the cluster itself. Otherwise the list may be some seconds old.

        Raises:
            ActionError: the cluster cannot be asked now.
        """

    async def create_job(self, schedule: ScheduleView, manifest: Mapping[str, Any]) -> None:
        """Create a job or a pipeline of the schedule. It is done if the schedule already has one with this name.

        Raises:
            ActionError: the cluster refuses it until it is changed (permanent) or for now.
        """

    async def delete_job_of(self, schedule: ScheduleView, noun: Noun, name: str, uid: str) -> None:
        """Delete the job or the pipeline with this name and UID. It is done if it is gone.

        Raises:
            ActionError: it cannot be deleted now.
        """

    async def read_storage_of_steps(self, schedule: ScheduleView) -> JobStorage:
        """Return the storage of the pipelines that the schedule makes, also when the schedule is gone.

        Raises:
            ActionError: the Secret or one of its keys is missing.
        """

    async def write_schedule_status(self, schedule: ScheduleView, status: Mapping[str, Any]) -> bool:
        """Replace the schedule's status. Return False if the schedule has changed, so that the caller looks again."""

    async def record_schedule_event(self, schedule: ScheduleView, kind: str, reason: str, message: str) -> None:
        """Record an event for the schedule's author. It may be dropped. `kind` is `Normal` or `Warning`."""


class PipelineCluster(Protocol):
    """MapReducePipelines and the jobs of their steps.

    Attributes:
        runs_images: whether tasks run in the job's image; else they run what is installed here.
    """

    runs_images: bool

    async def find_pipeline(self, key: JobKey) -> PipelineView | None:
        """Return the pipeline as last seen, or None if it is gone or was never understood."""

    async def list_steps_of(self, pipeline: PipelineView) -> tuple[JobView, ...]:
        """Return the jobs that the pipeline made and that still exist. The list may be some seconds old.

        Raises:
            ActionError: the cluster cannot be asked now.
        """

    async def is_over(self, pipeline: PipelineView, other: JobIdentity) -> bool:
        """Tell whether a run of another pipeline in the same namespace has ended, and none of its jobs may still write.

        The jobs are asked of the cluster itself.

        Raises:
            ActionError: the cluster cannot be asked now.
        """

    async def check_job(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a job of the pipeline as it would be created, with its defaults. Nothing is created.

        Raises:
            ActionError: the cluster refuses the job until it is changed (permanent) or for now.
        """

    async def create_step(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> None:
        """Create a job of the pipeline. It is done if the pipeline already has a job with this name.

        Raises:
            ActionError: the cluster refuses the job until it is changed (permanent) or for now.
        """

    async def change_step(self, pipeline: PipelineView, name: str, uid: str, fields: Mapping[str, Any]) -> None:
        """Set `parallelism` or `suspend` in the spec of the job with this name and UID. It is done if the job is gone.

        Raises:
            ActionError: it cannot be changed now.
        """

    async def delete_step(self, pipeline: PipelineView, name: str, uid: str) -> None:
        """Delete the job with this name and UID. It is done if the job is gone.

        Raises:
            ActionError: it cannot be deleted now.
        """

    async def read_source_of(self, pipeline: PipelineView, config_map: str, key: str) -> str:
        """Return the program text of a `sourceFrom`.

        Raises:
            ActionError: the ConfigMap or the key does not exist.
        """

    async def read_storage_of(self, pipeline: PipelineView) -> JobStorage:
        """Return the pipeline's storage, from the Secret that it names.

        Raises:
            ActionError: the Secret or one of its keys is missing.
        """

    async def write_pipeline_status(self, pipeline: PipelineView, status: Mapping[str, Any]) -> bool:
        """Replace the pipeline's status. Return False if the pipeline has changed, so that the caller looks again."""

    async def record_pipeline_event(self, pipeline: PipelineView, kind: str, reason: str, message: str) -> None:
        """Record an event for the pipeline's author. It may be dropped. `kind` is `Normal` or `Warning`."""
