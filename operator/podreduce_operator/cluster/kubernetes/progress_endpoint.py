"""The endpoint where tasks report their progress, with a POST of small JSON and the attempt's token.

Rule: trusts nothing. A report is accepted only for an attempt of the pod whose token came with it, and only so often.
It only affects the progress that the operator knows for this attempt. So a pod, whatever it sends, holds one small
entry for each of its tasks until it is gone.
"""

import asyncio
from collections.abc import Callable
from hmac import compare_digest
from http import HTTPStatus

import msgspec
from aiohttp import web

from podreduce.contract.progress import ProgressReport
from podreduce.contract.wire import decode_json
from podreduce_operator.cluster.kubernetes.report_rate import ReportRate
from podreduce_operator.cluster.progress_board import ProgressBoard
from podreduce_operator.pods.pod_manifest import digest_token
from podreduce_operator.pods.pod_view import OwnedPod

__all__ = ["PROGRESS_PATH", "build_progress_app"]

PROGRESS_PATH = "/v1/progress"
MAX_REPORT_BYTES = 4096
MAX_COUNT = 2**63
READ_SECONDS = 5.0
"""How long a report may take to arrive. A task gives up after two seconds."""
SCHEME = "Bearer "

FindPod = Callable[[str], OwnedPod | None]
"""Returns the pod with this UID; None if it is not known."""


def build_progress_app(board: ProgressBoard, find_pod: FindPod, rate: ReportRate | None = None) -> web.Application:
    """Return the application that puts reports on the board. `rate` limits the reports of each pod."""
    reports = ReportRate() if rate is None else rate

    async def take(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_SECONDS):
                report = decode_report(await request.read())
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT, text="the report did not arrive in time")
        if report is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST, text="not a progress report")
        token = request.headers.get("Authorization", "").removeprefix(SCHEME)
        pod = find_pod(report.attempt_id.rpartition("-")[0])
        if pod is None or not is_token_of(pod, token) or not pod.view.has_attempt(report.attempt_id):
            return web.Response(status=HTTPStatus.FORBIDDEN, text="not the token of that attempt's pod")
        if not reports.allows(pod.view.uid):
            return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS, text="too many reports of this pod")
        board.take(report)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    app = web.Application(client_max_size=MAX_REPORT_BYTES)
    app.router.add_post(PROGRESS_PATH, take)
    return app


def is_token_of(pod: OwnedPod, token: str) -> bool:
    """Tell whether the pod has a token and this is it."""
    return bool(pod.token_digest) and compare_digest(pod.token_digest.encode(), digest_token(token).encode())


def decode_report(body: bytes) -> ProgressReport | None:
    """Decode a report; None if it is invalid."""
    try:
        report = decode_json(body, ProgressReport)
    except msgspec.DecodeError:
        return None
    counts = (report.records, report.bytes, report.reduced, report.records_out, report.beats)
    is_valid = 0.0 <= report.fraction <= 1.0 and all(0 <= count < MAX_COUNT for count in counts)
    return report if is_valid else None
