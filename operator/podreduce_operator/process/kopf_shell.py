"""Runs kopf: its start-up, its login, and its watch of MapReduceJobs.

Rule: the only file that imports kopf; decides nothing. kopf gets no handler that patches (no finalizers, no
annotations), no pods and no peering. Each event passes on the job and wakes its loop.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import kopf
import structlog
from kopf._core.engines.peering import Identity

from podreduce_operator.api.crd import GROUP, PLURAL, VERSION
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.resource_cache import key_of
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.process.settings import Settings

__all__ = ["serve"]

EXIT_SECONDS = 20.0
Stop = Callable[[], Awaitable[None]]
Wake = Callable[[JobKey], None]

log = structlog.get_logger(__name__)


class EndlessBackoffs:
    """Delays between kopf's tries of a request. They never run out, because kopf then ends the operator."""

    def __iter__(self) -> Iterator[float]:
        """Yield 1, 2, 4, 8, then 15 s for ever."""
        yield from (1.0, 2.0, 4.0, 8.0)
        while True:
            yield 15.0


async def serve(cluster: KubernetesCluster, wake: Wake, settings: Settings, stop: Stop) -> None:
    """Run kopf until a signal stops the process (SIGTERM, SIGINT). `wake` is called with each job that changed.

    `stop` is called at the end, to stop all other tasks. Otherwise kopf would wait for them, because it treats all
    tasks of the event loop as its own.
    """
    is_stopping = False

    async def begin_stop() -> None:
        nonlocal is_stopping
        is_stopping = True
        await stop()

    try:
        await kopf.operator(
            registry=build_registry(cluster, wake, begin_stop),
            settings=build_kopf_settings(),
            standalone=True,
            identity=Identity("podreduce"),  # otherwise kopf asks for a user name, and the image has none
            clusterwide=not settings.cluster.namespaces,
            namespaces=settings.cluster.namespaces,
        )
    except Exception as error:
        if not is_stopping:
            raise
        # If kopf is stopped during its first scan of the API, it closes the session that the scan uses.
        log.info("stopped during the start", error=repr(error))


def build_kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: it posts nothing, scans for nothing, and never gives up."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.watching.chunk_size = 100
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    return settings


def build_registry(cluster: KubernetesCluster, wake: Wake, stop: Stop) -> kopf.OperatorRegistry:
    """Return the three handlers that kopf calls: login, job events and cleanup."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)
    async def login(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's keyword arguments
        return kopf.AiohttpSession(server=cluster.api.server, aiohttp_session=await cluster.api.open_session())

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def on_job(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - kopf's keyword arguments
        handle_event(cluster, wake, event)

    @kopf.on.cleanup(registry=registry, errors=kopf.ErrorsMode.PERMANENT, retries=1)
    async def cleanup(**_: Any) -> None:  # noqa: ANN401 - kopf's keyword arguments
        await stop()

    return registry


def handle_event(cluster: KubernetesCluster, wake: Wake, event: Mapping[str, Any]) -> None:
    """Store the job from a watch event, and wake its loop."""
    manifest: dict[str, Any] = event["object"]
    if event["type"] == "DELETED":
        cluster.observe_deletion(manifest)
        return
    key = key_of(manifest)
    try:
        problem = cluster.observe_job(manifest).spec_error
    except SpecError as error:
        problem = str(error)
    if problem:
        log.error("spec not understood: check the version of the CRD", job=str(key), error=problem)
    wake(key)
