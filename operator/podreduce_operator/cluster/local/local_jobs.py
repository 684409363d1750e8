"""The cluster of a local pipeline: each step's job has processes of its own, and all jobs are in memory.

Rule: keeps the same promises as the Kubernetes cluster. Names are locks, deletes need the UID, and a deleted job is
gone when its processes have ended. No process outlives `close` or the engine.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from podreduce.contract.environment import StorageSettings
from podreduce.contract.plan import JobIdentity
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.api.validation import InvalidJobError, validate_job
from podreduce_operator.cluster.interface import JobStorage, PodWarning
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.job_view import view_job
from podreduce_operator.cluster.local.machine import share_memory_bytes
from podreduce_operator.cluster.local.notices import EventRecorded, JobChanged, Notice, StatusWritten
from podreduce_operator.cluster.local.processes import INSTALLATION, ProcessCluster, find_text, keep
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.pods import AttemptProgress, PodRequest, PodView
from podreduce_operator.pods.template_check import find_template_problem

__all__ = ["JOBS_NAME", "LocalJobs", "Machine"]

JOBS_NAME = "jobs"
"""Below the work directory of a pipeline: a directory for each job."""

TellOfStep = Callable[[str, Notice], None]
"""Told the name of a step's job and what happens to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the tasks of all steps get of this machine.

    Attributes:
        parallelism: how many tasks of all steps run at a time.
        memory_bytes: what each process may use; None: an equal share of the free memory.
        environ: variables of every process, besides those of this one.
        work_uri: where the jobs' intermediate data goes; None: into the work directory.
    """

    parallelism: int
    memory_bytes: int | None = None
    fork_server: ForkServer | None = None
    work_uri: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


class LocalJobs:
    """Implements `cluster.interface.Cluster` for the jobs of one pipeline, and `PipelineCluster` for the pipeline.

    Args:
        pipeline: from a file.
        config_maps: those in the file, by name and key.
        work_directory: for what the jobs need while they run.
        data_uri: for what the pipeline stores: its records, and the outputs without a URI.
        machine: what all tasks together may use.
        tell: told what happens to a step's job.
        tell_status: told the pipeline's status.
        remove_data: removes what a deleted job has stored. It is called when the job's processes have ended.
    """

    runs_images = False
    starts_pods = False

    def __init__(
        self,
        *,
        pipeline: PipelineView,
        config_maps: Mapping[str, Mapping[str, str]],
        work_directory: Path,
        data_uri: str,
        machine: Machine,
        tell: TellOfStep,
        tell_status: Callable[[Mapping[str, Any]], None],
        remove_data: Callable[[JobView], Awaitable[None]],
    ) -> None:
        self.pipeline = pipeline
        self.config_maps = config_maps
        self.work_directory = work_directory
        self.data_uri = data_uri
        self.machine = machine
        self.memory_bytes = machine.memory_bytes or share_memory_bytes(machine.parallelism)
        self.tell = tell
        self.tell_status = tell_status
        self.remove_data = remove_data
        self.clusters: dict[str, ProcessCluster] = {}
        self.deleting: set[asyncio.Task[None]] = set()

    # The pipeline

    async def find_pipeline(self, key: JobKey) -> PipelineView | None:
        """Return the pipeline, with its last status."""
        return self.pipeline if key == self.pipeline.key else None

    async def list_steps_of(self, pipeline: PipelineView) -> tuple[JobView, ...]:
        """Return the jobs of all steps that still exist."""
        del pipeline
        return tuple(cluster.job for cluster in self.clusters.values())

    async def is_over(self, pipeline: PipelineView, other: JobIdentity) -> bool:
        """Return True: no other pipeline runs here."""
        del pipeline, other
        return True

    async def check_job(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the job with its defaults, if the CRD allows it."""
        del pipeline
        try:
            checked = validate_job(manifest)
        except InvalidJobError as error:
            raise ActionError("Invalid", "; ".join(map(str, error.problems)), permanent=True) from error
        problem = find_template_problem(decode_spec(checked["spec"]))
        if problem is not None:
            raise ActionError("PodRejected", problem, permanent=True)
        return checked

    async def create_step(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> None:
        """Make the job. It is done if there is one with this name."""
        name = manifest["metadata"]["name"]
        if name in self.clusters:
            return
        job = view_job(await self.check_job(pipeline, manifest))
        self.clusters[name] = ProcessCluster(
            job=job,
            config_maps=self.config_maps,
            work_directory=self.work_directory / JOBS_NAME / name,
            parallelism=self.machine.parallelism,
            memory_bytes=self.memory_bytes,
            tell=partial(self.tell, name),
            fork_server=self.machine.fork_server,
            work_uri=self.machine.work_uri,
            environ=self.machine.environ,
        )
        self.tell(name, JobChanged())

    async def change_step(self, pipeline: PipelineView, name: str, uid: str, fields: Mapping[str, Any]) -> None:
        """Change the job's spec in memory."""
        del pipeline
        cluster = self.clusters.get(name)
        if cluster is None or cluster.job.uid != uid:
            return
        job = cluster.job
        cluster.job = replace(
            job,
            spec=msgspec.structs.replace(job.spec, **fields),
            raw_spec={**job.raw_spec, **fields},
            generation=job.generation + 1,
        )
        self.tell(name, JobChanged())

    async def delete_step(self, pipeline: PipelineView, name: str, uid: str) -> None:
        """Begin to stop the job's processes. It is gone when they have ended."""
        del pipeline
        cluster = self.clusters.get(name)
        if cluster is not None and cluster.job.uid == uid and not cluster.job.deleting:
            cluster.job = replace(cluster.job, deleting=True)
            keep(self.deleting, asyncio.create_task(self.finish_deletion(name, cluster)))

    async def finish_deletion(self, name: str, cluster: ProcessCluster) -> None:
        """Stop the job's processes, remove what it has stored except its output, and forget it."""
        await cluster.close()
        await self.remove_data(cluster.job)
        self.clusters.pop(name, None)
        self.tell(name, StatusWritten(status=cluster.job.status))

    async def read_source_of(self, pipeline: PipelineView, config_map: str, key: str) -> str:
        """Return the program's text from a ConfigMap in the pipeline's file."""
        return find_text(self.config_maps, pipeline.key, config_map, key)

    async def read_storage_of(self, pipeline: PipelineView) -> JobStorage:
        """Return where the pipeline's own data goes. The AWS_* variables configure S3."""
        del pipeline
        return JobStorage(work_uri=self.data_uri, installation=INSTALLATION, settings=StorageSettings())

    async def write_pipeline_status(self, pipeline: PipelineView, status: Mapping[str, Any]) -> bool:
        """Keep the status in memory. Nobody else writes it."""
        del pipeline
        self.pipeline = replace(self.pipeline, status=status)
        self.tell_status(status)
        return True

    async def record_pipeline_event(self, pipeline: PipelineView, kind: str, reason: str, message: str) -> None:
        """Pass the event on."""
        del pipeline
        self.tell("", EventRecorded(kind=kind, reason=reason, message=message))

    # The jobs

    def of(self, job: JobView) -> ProcessCluster | None:
        """Return the processes of a job, if it still exists."""
        cluster = self.clusters.get(job.key.name)
        return cluster if cluster is not None and cluster.job.uid == job.uid else None

    async def find_job(self, key: JobKey) -> JobView | None:
        """Return the job, with its last status."""
        cluster = self.clusters.get(key.name)
        return None if cluster is None else await cluster.find_job(key)

    def is_unread(self, key: JobKey, uid: str) -> bool:
        """Return False, because a job that is not understood does not start."""
        del key, uid
        return False

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        """Return all pods of the job that still exist."""
        cluster = self.of(job)
        return () if cluster is None else await cluster.list_pods(job)

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        """Return the job's pod with this name, if there is one."""
        cluster = self.of(job)
        return None if cluster is None else await cluster.find_pod(job, name)

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        """Return the progress from the processes' last progress lines."""
        found: dict[str, AttemptProgress] = {}
        for cluster in self.clusters.values():
            found |= cluster.progress_of([pod for pod in pods if pod.name in cluster.pods])
        return found

    async def last_warning(self, job: JobView, pod: PodView) -> PodWarning | None:
        """Return None, because a process starts or is refused at once."""
        del job, pod
        return None

    async def create_pod(self, request: PodRequest) -> None:
        """Start the attempt's process."""
        cluster = self.of(request.job)
        if cluster is not None:
            await cluster.create_pod(request)

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        """Stop the pod's process if the UID matches."""
        cluster = self.of(job)
        if cluster is not None:
            await cluster.delete_pod(job, name, uid, force=force)

    async def delete_job(self, job: JobView) -> None:
        """Do nothing: the pipeline deletes the jobs of its steps."""

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        """Return the last lines that the pod's process wrote."""
        cluster = self.of(job)
        return "" if cluster is None else await cluster.read_log_tail(job, name, lines)

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        """Return a program's text from a ConfigMap in the pipeline's file."""
        return find_text(self.config_maps, job.key, config_map, key)

    async def read_storage(self, job: JobView) -> JobStorage:
        """Return where a job's intermediate data goes."""
        cluster = self.of(job)
        if cluster is None:
            return await self.read_storage_of(self.pipeline)
        return await cluster.read_storage(job)

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        """Keep a job's status in memory."""
        cluster = self.of(job)
        return False if cluster is None else await cluster.write_status(job, status)

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """Pass an event on."""
        self.tell(job.key.name, EventRecorded(kind=kind, reason=reason, message=message))

    async def close(self) -> None:
        """Stop every running process, and wait until all have ended."""
        for cluster in self.clusters.values():
            await cluster.close()
        for task in self.deleting:
            task.cancel()
        await asyncio.gather(*self.deleting, return_exceptions=True)
