"""The shell: kopf's start-up, login, and watch of MapReduceJobs.

Rule: the only file that imports kopf, and it decides nothing. kopf gets no handler that patches (no finalizers, no
annotations), no pods, no peering; of each event it hands on the job and the wake-up.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import kopf
import structlog
from kopf._core.engines.peering import Identity

from podreduce_operator.api.crd import GROUP, PLURAL, VERSION
from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.process.settings import Settings

__all__ = ["serve"]

EXIT_SECONDS = 20.0
Stop = Callable[[], Awaitable[None]]
Wake = Callable[[JobKey], None]

log = structlog.get_logger(__name__)


class EndlessBackoffs:
    """Delays between kopf's tries of a request: it ends the operator when they run out, so they do not."""

    def __iter__(self) -> Iterator[float]:
        """Yield 1, 2, 4, 8, then 15 s for ever."""
        yield from (1.0, 2.0, 4.0, 8.0)
        while True:
            yield 15.0


async def serve(cluster: KubernetesCluster, wake: Wake, settings: Settings, stop: Stop) -> None:
    """Run kopf until the process is told to stop (SIGTERM, SIGINT); `wake` is called with each job that changed.

    `stop` is called then, to end every other task: kopf takes all of the loop's tasks for its own and would first wait
    for them.
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
            identity=Identity("podreduce"),  # else kopf asks for a user's name, and the image has none
            clusterwide=not settings.cluster.namespaces,
            namespaces=settings.cluster.namespaces,
        )
    except Exception as error:
        if not is_stopping:
            raise
        # Told to stop amid its first scan of the API, kopf closes the session under it.
        log.info("stopped while it started", error=repr(error))


def build_kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: nothing is posted, scanned for or given up."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.watching.chunk_size = 100
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    return settings


def build_registry(cluster: KubernetesCluster, wake: Wake, stop: Stop) -> kopf.OperatorRegistry:
    """Return the three things that kopf calls."""
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
    """Hand on what a watch event says of a job."""
    manifest: dict[str, Any] = event["object"]
    if event["type"] == "DELETED":
        cluster.observe_deletion(manifest)
        return
    try:
        job = cluster.observe_job(manifest)
    except SpecError as error:
        name = manifest["metadata"]["name"]
        log.error("job not understood: is the CRD of another version?", job=name, error=str(error))  # noqa: TRY400
        return
    wake(job.key)
