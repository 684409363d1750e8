"""Implements the cluster interface of pipelines for Kubernetes.

Rule: of a pipeline only the status is written; of the jobs of its steps `parallelism` and `suspend`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from podreduce.contract.plan import JobIdentity
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.config_maps import read_program_text
from podreduce_operator.cluster.kubernetes.owned_resources import OwnedResources
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND
from podreduce_operator.cluster.kubernetes.watched_resources import WatchedResources
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.pipelines.job_of_step import PIPELINE_LABEL
from podreduce_operator.pods.pod_names import bounded_name
from podreduce_operator.policy.run_state import read_current_run, read_run_state

__all__ = ["KubernetesPipelines", "open_pipelines"]


class KubernetesPipelines:
    """Implements `cluster.interface.PipelineCluster`.

    Args:
        cluster: its ConfigMaps and Secrets, and its jobs.
        watched: the pipelines of the same namespaces.
    """

    runs_images = True

    def __init__(self, cluster: KubernetesCluster, watched: WatchedResources[PipelineView]) -> None:
        self._cluster = cluster
        self.watched = watched
        self._steps = OwnedResources(
            cluster.api,
            JOB_KIND,
            cluster.jobs.store,
            owner_noun="pipeline",
            remedy="correct the step, or the fields that all steps share",
        )

    async def find_pipeline(self, key: JobKey) -> PipelineView | None:
        """See `PipelineCluster.find_pipeline`."""
        return await self.watched.find(key)

    async def list_steps_of(self, pipeline: PipelineView) -> tuple[JobView, ...]:
        """See `PipelineCluster.list_steps_of`. The label only narrows the list: the controller's UID decides."""
        if not self._steps.is_synced:
            await self._steps.relist(pipeline, f"{PIPELINE_LABEL}={bounded_name(pipeline.key.name)}")
        return tuple(self._steps.of(pipeline))

    async def is_over(self, pipeline: PipelineView, other: JobIdentity) -> bool:
        """See `PipelineCluster.is_over`."""
        namespace = pipeline.key.namespace
        found = await self.watched.find(JobKey(namespace=namespace, name=other.name))
        is_there = found is not None and found.uid == other.uid
        if found is not None and is_there and read_run_state(found.status, other.run_id).terminal is None:
            return False
        await self._steps.relist(pipeline, f"{PIPELINE_LABEL}={bounded_name(other.name)}")
        made = self._steps.made_by(other.uid)
        return all(read_current_run(job.status, job.spec.run_id).terminal is not None for job in made)

    async def check_job(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `PipelineCluster.check_job`: a dry run on the API server."""
        return await self._steps.check(pipeline, manifest)

    async def create_step(self, pipeline: PipelineView, manifest: Mapping[str, Any]) -> None:
        """See `PipelineCluster.create_step`."""
        await self._steps.create(pipeline, manifest)

    async def change_step(self, pipeline: PipelineView, name: str, uid: str, fields: Mapping[str, Any]) -> None:
        """See `PipelineCluster.change_step`."""
        await self._steps.change(pipeline, name, uid, fields)

    async def delete_step(self, pipeline: PipelineView, name: str, uid: str) -> None:
        """See `PipelineCluster.delete_step`."""
        await self._steps.delete(pipeline, name, uid)

    async def read_source_of(self, pipeline: PipelineView, config_map: str, key: str) -> str:
        """See `PipelineCluster.read_source_of`."""
        return await read_program_text(self._cluster.api, pipeline.key.namespace, config_map, key)

    async def read_storage_of(self, pipeline: PipelineView) -> JobStorage:
        """See `PipelineCluster.read_storage_of`. If its Secret is gone with it, the last known storage is returned."""
        return await self._cluster.read_secret(
            pipeline.key.namespace, pipeline.spec.storage.secret_ref.name, lives=self.watched.lives(pipeline)
        )

    async def write_pipeline_status(self, pipeline: PipelineView, status: Mapping[str, Any]) -> bool:
        """See `PipelineCluster.write_pipeline_status`."""
        return await self.watched.write_status(pipeline, status)

    async def record_pipeline_event(self, pipeline: PipelineView, kind: str, reason: str, message: str) -> None:
        """See `PipelineCluster.record_pipeline_event`."""
        await self.watched.record_event(pipeline, kind, reason, message)


def open_pipelines(cluster: KubernetesCluster, namespaces: Collection[str]) -> KubernetesPipelines:
    """Return the pipelines of the served namespaces."""
    watched = WatchedResources(PIPELINE_KIND, cluster.api, namespaces, installation=cluster.installation)
    return KubernetesPipelines(cluster, watched)
