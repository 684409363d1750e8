"""Runs kopf: its start-up, its login, and its watches of the served kinds.

Rule: the only file that imports kopf; decides nothing. kopf gets no handler that patches (no finalizers, no
annotations), no pods and no peering. Each event goes to `served_kinds`.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import kopf
import structlog

from podreduce_operator.api.crd import GROUP, VERSION
from podreduce_operator.cluster.kubernetes.api import ApiServer
from podreduce_operator.process.served_kinds import ServedKind, ServedKinds
from podreduce_operator.process.settings import Settings

__all__ = ["serve"]

EXIT_SECONDS = 20.0
IDENTITY: Any = "podreduce"
"""kopf declares a private type of texts for it."""
Stop = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class EndlessBackoffs:
    """Delays between kopf's tries of a request. They never run out, because kopf then ends the operator."""

    def __iter__(self) -> Iterator[float]:
        """Yield 1, 2, 4, 8, then 15 s for ever."""
        yield from (1.0, 2.0, 4.0, 8.0)
        while True:
            yield 15.0


async def serve(api: ApiServer, kinds: ServedKinds, settings: Settings, stop: Stop) -> None:
    """Run kopf until a signal stops the process (SIGTERM, SIGINT).

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
            registry=build_registry(api, kinds, begin_stop),
            settings=build_kopf_settings(),
            standalone=True,
            identity=IDENTITY,  # otherwise kopf asks for a user name, and the image has none
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


def build_registry(api: ApiServer, kinds: ServedKinds, stop: Stop) -> kopf.OperatorRegistry:
    """Return the handlers that kopf calls: login, the events of each kind, and cleanup."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)
    async def login(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's keyword arguments
        return kopf.AiohttpSession(server=api.server, aiohttp_session=await api.open_session())

    for kind in kinds:
        kopf.on.event(GROUP, VERSION, kind.names.plural, registry=registry)(build_handler(kinds, kind))

    @kopf.on.cleanup(registry=registry, errors=kopf.ErrorsMode.PERMANENT, retries=1)
    async def cleanup(**_: Any) -> None:  # noqa: ANN401 - kopf's keyword arguments
        await stop()

    return registry


def build_handler(kinds: ServedKinds, kind: ServedKind) -> Callable[..., Awaitable[None]]:
    """Return what kopf calls with each event of a kind."""

    async def on_event(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - kopf's keyword arguments
        kinds.handle_event(kind, event)

    return on_event
