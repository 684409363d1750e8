"""The endpoints for the kubelet's probes, /healthz for liveness and /readyz for readiness, and /metrics beside them.

Rule: `health` decides. The probes answer 200 or 503, with JSON that has the problems and the numbers. Anybody in the
cluster may ask for the metrics, and rendering them holds up the event loop, so that is done once in two seconds.
"""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from podreduce_operator.cluster.kubernetes.serving import serving
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.process.health import HealthFigures, find_liveness_problems, find_readiness_problems

__all__ = ["serve_probes"]

KEPT_SECONDS = 2.0
"""How long the metrics are kept. Thousands of jobs take tens of milliseconds; no scraper asks so often."""


class KeptMetrics:
    """The metrics as last rendered. Rendering does not wait for anything, so simultaneous scrapes share one.

    Args:
        render: returns all metrics in Prometheus's text format.
        clock: seconds that only go forward.
    """

    def __init__(self, render: Callable[[], bytes], clock: Callable[[], float]) -> None:
        self._render = render
        self._clock = clock
        self._body = b""
        self._fresh_until = -math.inf

    def read(self) -> bytes:
        """Return the metrics, rendered at most `KEPT_SECONDS` ago."""
        if self._clock() >= self._fresh_until:
            self._body = self._render()
            self._fresh_until = self._clock() + KEPT_SECONDS
        return self._body


@asynccontextmanager
async def serve_probes(
    port: int,
    read: Callable[[], HealthFigures],
    render_metrics: Callable[[], bytes] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[None]:
    """Serve the endpoints on all addresses.

    Args:
        port: where.
        read: called for each probe.
        render_metrics: called for a scrape, but not again within `KEPT_SECONDS` of its end.
        clock: seconds that only go forward.

    Raises:
        OperatorError: the port is taken.
    """
    app = web.Application()
    app.router.add_get("/healthz", partial(answer, read, find_liveness_problems))
    app.router.add_get("/readyz", partial(answer, read, find_readiness_problems))
    if render_metrics is not None:
        app.router.add_get("/metrics", partial(answer_metrics, KeptMetrics(render_metrics, clock)))
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(serving(app, port))
        except OSError as error:
            raise OperatorError(
                f"the port {port} for health probes cannot be opened ({error.strerror}): "
                "set PODREDUCE_OPERATOR_HEALTH_PORT to another port"
            ) from error
        yield


async def answer(
    read: Callable[[], HealthFigures], find: Callable[[HealthFigures], tuple[str, ...]], _request: web.Request
) -> web.Response:
    """Answer one probe."""
    figures = read()
    problems = find(figures)
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    return web.json_response(build_body(figures, problems), status=status)


async def answer_metrics(metrics: KeptMetrics, _request: web.Request) -> web.Response:
    """Answer with the metrics in Prometheus's text format."""
    return web.Response(body=metrics.read(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def build_body(figures: HealthFigures, problems: tuple[str, ...]) -> dict[str, Any]:
    """Return the body of the answer."""
    return {
        "ok": not problems,
        "problems": list(problems),
        "standing": None if figures.standing is None else figures.standing.value,
        "leader": figures.leader,
        "synced": figures.is_synced,
        "loopLagSeconds": round(figures.loop_lag_seconds, 3),
        "silenceSeconds": round(figures.silence_seconds, 1),
        "overdueSeconds": round(figures.overdue_seconds, 1),
        "missingRights": list(figures.missing_rights),
    }
