"""Implements the cluster interface of pipelines for Kubernetes.

Rule: of a pipeline only the status is written; of the jobs of its steps `parallelism` and `suspend`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from podreduce_operator.api.crd import PIPELINES
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import ApiError, Json
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.config_maps import read_program_text
from podreduce_operator.cluster.kubernetes.event_recorder import EventRecorder
from podreduce_operator.cluster.kubernetes.owned_resources import OwnedResources
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources, ResourceStore
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.resources import JobKey
from podreduce_operator.pipelines.job_of_step import PIPELINE_LABEL
from podreduce_operator.pods.pod_names import bounded_name

__all__ = ["KubernetesPipelines", "open_pipelines"]


class KubernetesPipelines:
    """Implements `cluster.interface.PipelineCluster`.

    Args:
        cluster: its ConfigMaps and Secrets, and its jobs.
        pipelines: the pipelines of the same namespaces, also for the schedules that make some.
    """

    runs_images = True

    def __init__(self, cluster: KubernetesCluster, pipelines: ResourceStore[PipelineView]) -> None:
        self._cluster = cluster
        self.store = pipelines
        self._steps = OwnedResources(
            cluster.api,
            JOB_KIND,
            cluster.jobs,
            owner_noun="pipeline",
            remedy="correct the step, or the fields that all steps share",
        )
        self._events = EventRecorder(cluster.api, names=PIPELINES)

    async def run(self, on_gone: Callable[[PipelineView], None]) -> None:
        """Look regularly for deletions without an event, until cancelled. `on_gone`: called with each deleted one."""
        self.store.cache.call_when_gone(on_gone)
        await self.store.run()

    async def list_uids(self) -> ListedResources:
        """Ask the API server for the UIDs of all pipelines in the served namespaces."""
        return await self.store.list_uids()

    def observe(self, manifest: Json) -> PipelineView:
        """Handle a pipeline from a watch, and return its newest view.

        Raises:
            SpecError: its spec is not understood, and no older one is known.
        """
        return self.store.cache.put(manifest)

    def observe_deletion(self, manifest: Json) -> None:
        """Handle a pipeline's deletion from a watch. Its jobs are deleted with it."""
        self.store.cache.remove(key_of(manifest), str(manifest["metadata"]["uid"]))

    def known(self) -> Collection[JobKey]:
        """Return the keys of all known pipelines, also of those that are not understood."""
        return self.store.cache.keys()

    def views(self) -> Sequence[PipelineView]:
        """Return all known pipelines as last seen."""
        return self.store.cache.views()

    async def find_pipeline(self, key: JobKey) -> PipelineView | None:
        """See `PipelineCluster.find_pipeline`."""
        try:
            return await self.store.find(key)
        except ApiError as error:
            raise unavailable(f"the MapReducePipeline {key} cannot be read now", error) from error

    async def list_steps_of(self, pipeline: PipelineView) -> tuple[JobView, ...]:
        """See `PipelineCluster.list_steps_of`. The label only narrows the list: the controller's UID decides."""
        if not self._steps.is_synced:
            await self._steps.relist(pipeline, f"{PIPELINE_LABEL}={bounded_name(pipeline.key.name)}")
        return tuple(self._steps.of(pipeline))

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
            pipeline.key.namespace, pipeline.spec.storage.secret_ref.name, lives=self._lives(pipeline)
        )

    def _lives(self, pipeline: PipelineView) -> bool:
        """Tell whether the pipeline is known and is not being deleted."""
        entry = self.store.cache.get(pipeline.key)
        return entry is not None and entry.view.uid == pipeline.uid and not entry.view.deleting

    async def write_pipeline_status(self, pipeline: PipelineView, status: Mapping[str, Any]) -> bool:
        """See `PipelineCluster.write_pipeline_status`. A status that may not be written is told by an event."""
        try:
            return await self.store.write_status(pipeline, status)
        except ApiError as error:
            refused = unavailable(f"the status of {pipeline.key} cannot be written now", error)
            if error.status == HTTPStatus.FORBIDDEN:
                await self._events.record(pipeline, "Warning", refused.reason, str(refused))
            raise refused from error

    async def record_pipeline_event(self, pipeline: PipelineView, kind: str, reason: str, message: str) -> None:
        """See `PipelineCluster.record_pipeline_event`."""
        await self._events.record(pipeline, kind, reason, message)


def open_pipelines(cluster: KubernetesCluster, namespaces: Collection[str]) -> KubernetesPipelines:
    """Return the pipelines of the served namespaces."""
    pipelines = ResourceStore(PIPELINE_KIND, cluster.api, list(namespaces), installation=cluster.installation)
    return KubernetesPipelines(cluster, pipelines)
