"""The endpoints for the kubelet's probes, /healthz for liveness and /readyz for readiness, and /metrics beside them.

Rule: `health` decides. Each endpoint answers 200 or 503, with JSON that has the problems and the numbers.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from podreduce_operator.cluster.kubernetes.serving import serving
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.process.health import HealthFigures, find_hindrances, find_illness

__all__ = ["serve_probes"]

UNAVAILABLE = 503


@asynccontextmanager
async def serve_probes(
    port: int, read: Callable[[], HealthFigures], render_metrics: Callable[[], bytes] | None = None
) -> AsyncIterator[None]:
    """Serve the endpoints on all addresses. Both callables are called for each request.

    Raises:
        OperatorError: the port is taken.
    """
    app = web.Application()
    app.router.add_get("/healthz", partial(answer, read, find_illness))
    app.router.add_get("/readyz", partial(answer, read, find_hindrances))
    if render_metrics is not None:
        app.router.add_get("/metrics", partial(answer_metrics, render_metrics))
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
    return web.json_response(build_body(figures, problems), status=UNAVAILABLE if problems else 200)


async def answer_metrics(render: Callable[[], bytes], _request: web.Request) -> web.Response:
    """Answer with the metrics in Prometheus's text format."""
    return web.Response(body=render(), headers={"Content-Type": CONTENT_TYPE_LATEST})


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
    }
