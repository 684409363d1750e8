"""Implements the cluster interface for Kubernetes. Pods come from a reflector, and jobs from kopf's watch.

Rule: a call makes few requests, and every write is safe to repeat: names are locks, a delete names the UID, and a
status write names the version that it replaces. A refusal becomes an ActionError with the API server's message.
"""

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import structlog

from podreduce_operator.cluster.interface import JobStorage, PodWarning
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, connect, core_path
from podreduce_operator.cluster.kubernetes.config_maps import read_program_text
from podreduce_operator.cluster.kubernetes.creation_rate import CreationPace
from podreduce_operator.cluster.kubernetes.pod_warnings import PodWarnings
from podreduce_operator.cluster.kubernetes.pod_watch import PodWatch
from podreduce_operator.cluster.kubernetes.progress_endpoint import build_progress_app
from podreduce_operator.cluster.kubernetes.refusals import NAME_TAKEN, classify_refusal, hidden_pods, unavailable
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND
from podreduce_operator.cluster.kubernetes.served_api import check_api, read_installation, when_served
from podreduce_operator.cluster.kubernetes.serving import serving
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.cluster.kubernetes.storage_reader import StorageReader, read_storage_directory
from podreduce_operator.cluster.kubernetes.telemetry import ClusterTelemetry
from podreduce_operator.cluster.kubernetes.watched_resources import WatchedResources
from podreduce_operator.cluster.progress_board import ProgressBoard
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pods import AttemptProgress, PodRequest, PodView
from podreduce_operator.pods.pod_manifest import TASK_CONTAINER, build_pod
from podreduce_operator.pods.pod_names import RUN_HASH_LABEL
from podreduce_operator.pods.pod_view import parse_pod
from podreduce_operator.pods.template_merge import PodTemplateError

__all__ = ["KubernetesCluster", "open_cluster"]

BAD_REQUEST = 400
LOG_BYTES = 256 * 1024
TOKEN_BYTES = 24

log = structlog.get_logger(__name__)


class KubernetesCluster:
    """Implements `cluster.interface.Cluster`; `run` must be running for `list_pods` to answer.

    Args:
        api: it has its own check before each write.
        installation: the owner of the data below `workUri`.
        directory: for files that other libraries need as paths.
        before_write: called before each write to a store.
        telemetry: told what happens.
        clock: monotonic seconds.
    """

    runs_images = True
    starts_pods = True

    def __init__(
        self,
        api: ApiServer,
        settings: ClusterSettings,
        *,
        installation: str,
        directory: Path,
        before_write: Callable[[], None] = lambda: None,
        telemetry: ClusterTelemetry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api = api
        self._telemetry = telemetry or ClusterTelemetry()
        self._clock = clock
        self._settings = settings
        self.installation = installation
        self._directory = directory
        self._before_write = before_write
        self.jobs = WatchedResources(JOB_KIND, api, settings.namespaces, installation=installation)
        self._pods = PodWatch(api, settings.namespaces)
        self._storage = StorageReader(
            api,
            installation,
            directory,
            before_write=before_write,
            endpoints=settings.storage_endpoints,
            on_request=self._telemetry.on_request,
        )
        self._pod_events = PodWarnings(api)
        self._board = ProgressBoard()
        self._pace = CreationPace(settings.pods_per_second)
        api.call_when_throttled(self._pace.slow_down)

    async def run(self, wake: Callable[[JobKey], None], on_gone: Callable[[JobView], None]) -> None:
        """Watch the cluster until cancelled; both callbacks must return at once.

        Args:
            wake: called with the job of each pod that changed.
            on_gone: called with each job that was deleted.
        """
        await asyncio.gather(self.jobs.run(on_gone), self._pods.run(wake, self._board.forget), self._serve_progress())

    async def _serve_progress(self) -> NoReturn:
        """Receive progress reports until cancelled."""
        app = build_progress_app(self._board, self._pods.find)
        async with serving(app, self._settings.progress_port):
            await asyncio.Event().wait()
        raise AssertionError

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        """See `Cluster.progress_of`."""
        return self._board.of(pods)

    def missing_rights(self) -> Sequence[str]:
        """Return what the API server refuses to the operator."""
        return [str(right) for right in self.api.missing_rights]

    def own_storage(self) -> JobStorage | None:
        """Return the installation's own storage, if it has one.

        Raises:
            SecretError: a key of its Secret is missing.
        """
        directory = self._settings.storage_directory
        if directory is None:
            return None
        storage = read_storage_directory(directory, self.installation, self._directory, self._before_write)
        return replace(storage, on_request=self._telemetry.on_request)

    def pending_pods(self) -> Mapping[str, int]:
        """Return how many pods of all jobs have not started, by what keeps them."""
        return self._pods.pending

    @property
    def is_synced(self) -> bool:
        """Whether all pods and jobs have been listed."""
        return self._pods.is_synced and self.jobs.store.is_synced

    def seconds_since_contact(self) -> float:
        """Return how long ago pods, or jobs if that is longer ago, were last heard of."""
        return max(self._pods.seconds_since_contact(), self.jobs.store.seconds_since_contact())

    async def find_job(self, key: JobKey) -> JobView | None:
        """See `Cluster.find_job`."""
        return await self.jobs.find(key)

    def is_unread(self, key: JobKey, uid: str) -> bool:
        """See `Cluster.is_unread`."""
        return self.jobs.store.cache.is_unread(key, uid)

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        """See `Cluster.list_pods`."""
        try:
            pods = await self._pods.pods_of(job.key.namespace, job.uid)
        except ApiError as error:
            raise hidden_pods(job.key, error) from error
        if not self.jobs.lives(job):
            return pods
        return *pods, *self._pods.vanished_of(job.key.namespace, job.uid)

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        """See `Cluster.find_pod`."""
        namespace = job.key.namespace
        try:
            found = parse_pod(await self.api.get(core_path("pods", namespace, name)))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise unavailable(f"the pod {namespace}/{name} cannot be read now", error) from error
        return found.view if found is not None and found.owner_uid == job.uid else None

    async def last_warning(self, job: JobView, pod: PodView) -> PodWarning | None:
        """See `Cluster.last_warning`."""
        return await self._pod_events.last_warning(job.key.namespace, pod.uid)

    async def create_pod(self, request: PodRequest) -> None:
        """See `Cluster.create_pod`."""
        storage = await self.read_storage(request.job)
        if self._settings.progress_url is not None:
            request = with_progress_target(request, self._settings.progress_url)
        try:
            created = await self._create(request, has_ca_cert=storage.settings.ca_cert is not None)
        except ActionError as error:
            self._telemetry.on_refusal(error.reason)
            raise
        self._pods.remember(request.job.key.namespace, created)

    async def _create(self, request: PodRequest, *, has_ca_cert: bool) -> Json:
        """Create the pod and return it."""
        job, namespace = request.job, request.job.key.namespace
        try:
            manifest = build_pod(request, self._settings.pod_defaults, has_ca_cert=has_ca_cert)
            await self._pace.turn()
            began = self._clock()
            created = await self.api.create(core_path("pods", namespace), manifest, {"fieldValidation": "Strict"})
            self._telemetry.on_creation(self._clock() - began)
        except PodTemplateError as error:
            raise ActionError("PodRejected", f"a pod of {job.key} cannot be built: {error}", permanent=True) from error
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise classify_refusal(error, job.key) from error
            return await self._find_own(request)
        return created

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        """See `Cluster.delete_pod`."""
        namespace = job.key.namespace
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if force:
            body["gracePeriodSeconds"] = 0
        self._pods.expect_gone(uid)
        try:
            answer = await self.api.delete(core_path("pods", namespace, name), body)
        except ApiError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return
            raise unavailable(f"the pod {namespace}/{name} cannot be deleted now", error) from error
        if answer.get("kind") == "Pod":
            self._pods.remember(namespace, answer)

    async def delete_job(self, job: JobView) -> None:
        """See `Cluster.delete_job`."""
        try:
            is_deleted = await self.jobs.store.delete(job)
        except ApiError as error:
            raise unavailable(f"the MapReduceJob {job.key} cannot be deleted now", error) from error
        if is_deleted:
            log.info("job deleted: deleteAfterFinishedSeconds is over", job=str(job.key), uid=job.uid)

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        """See `Cluster.read_log_tail`."""
        path = core_path("pods", job.key.namespace, name, "log")
        query = {"container": TASK_CONTAINER, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        try:
            return await self.api.read_text(path, query)
        except ApiError:
            return ""

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        """See `Cluster.read_source`."""
        return await read_program_text(self.api, job.key.namespace, config_map, key)

    async def read_storage(self, job: JobView) -> JobStorage:
        """See `Cluster.read_storage`. If the job and its Secret are gone, the last known storage is returned."""
        return await self.read_secret(job.key.namespace, job.spec.storage.secret_ref.name, lives=self.jobs.lives(job))

    async def read_secret(self, namespace: str, name: str, *, lives: bool) -> JobStorage:
        """Return the storage in a Secret; the last known one if the Secret is gone with what named it.

        Args:
            namespace: of the Secret.
            name: of the Secret.
            lives: whether the resource that names it still exists.

        Raises:
            ActionError: there is no such Secret, or one of its keys is missing.
        """
        try:
            return await self._storage.read(namespace, name)
        except ActionError as error:
            if not error.permanent:
                raise
            if lives:
                raise
            known = self._storage.last_known(namespace, name) or self.own_storage()
            if known is None:
                raise
            return known

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        """See `Cluster.write_status`."""
        return await self.jobs.write_status(job, status)

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """See `Cluster.record_event`."""
        await self.jobs.record_event(job, kind, reason, message)

    async def _find_own(self, request: PodRequest) -> Json:
        """Return the pod that already has the name, if it belongs to this attempt."""
        path = core_path("pods", request.job.key.namespace, request.name)
        try:
            found = await self.api.get(path)
        except ApiError as error:
            raise unavailable(f"the pod {request.name} already exists but cannot be read now", error) from error
        metadata = found["metadata"]
        owners = {owner["uid"] for owner in metadata.get("ownerReferences") or []}
        is_ours = (metadata.get("labels") or {}).get(RUN_HASH_LABEL) == request.run_hash and request.job.uid in owners
        if is_ours and not metadata.get("deletionTimestamp"):
            return found
        state = "is being deleted" if is_ours else "belongs to something else: delete it"
        message = f"the pod name {request.job.key.namespace}/{request.name} is in use: the pod {state}"
        raise ActionError(NAME_TAKEN, message, permanent=False)


def with_progress_target(request: PodRequest, url: str) -> PodRequest:
    """Return the request with the progress `url` and a new token, so that the pod reports its progress."""
    environment = msgspec.structs.replace(
        request.environment, progress_url=url, progress_token=secrets.token_urlsafe(TOKEN_BYTES)
    )
    return replace(request, environment=environment)


@asynccontextmanager
async def open_cluster(
    settings: ClusterSettings,
    kubeconfig: Path | None = None,
    *,
    before_write: Callable[[], None] = lambda: None,
    telemetry: ClusterTelemetry | None = None,
) -> AsyncIterator[KubernetesCluster]:
    """Connect to the API server, wait until it answers, and check that it serves MapReduceJobs.

    Args:
        settings: the installation's settings.
        kubeconfig: see `connect`.
        before_write: called before each write to the API server or a store. If it raises, the write is not sent.
        telemetry: told what happens.

    Raises:
        OperatorError: the CRD is missing, or there are no credentials.
    """
    async with connect(kubeconfig, before_write=before_write) as api:
        await when_served(partial(check_api, api))
        installation = settings.installation
        if installation is None:
            installation = await when_served(partial(read_installation, api, settings.release))
        with tempfile.TemporaryDirectory(prefix="podreduce-") as directory:
            yield KubernetesCluster(
                api,
                settings,
                installation=installation,
                directory=Path(directory),
                before_write=before_write,
                telemetry=telemetry,
            )
