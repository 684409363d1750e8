"""The endpoint where tasks report their progress, with a POST of small JSON and the attempt's token.

Rule: trusts nothing. A report is accepted only for the pod with the token that came with it. It only affects the
progress that the operator knows for this attempt.
"""

from collections.abc import Callable
from hmac import compare_digest

import msgspec
from aiohttp import web

from podreduce.contract.progress import ProgressReport
from podreduce_operator.cluster.progress_board import ProgressBoard
from podreduce_operator.pods.pod_manifest import digest_token

__all__ = ["PROGRESS_PATH", "build_progress_app"]

PROGRESS_PATH = "/v1/progress"
MAX_REPORT_BYTES = 4096
SCHEME = "Bearer "

FindDigest = Callable[[str], str | None]
"""Returns the digest of the token of the pod with this UID; None if there is no such pod."""


def build_progress_app(board: ProgressBoard, find_digest: FindDigest) -> web.Application:
    """Return the application that puts reports on the board."""

    async def take(request: web.Request) -> web.Response:
        report = decode_report(await request.read())
        if report is None:
            return web.Response(status=400, text="not a progress report")
        digest = find_digest(report.attempt_id.rpartition("-")[0])
        token = request.headers.get("Authorization", "").removeprefix(SCHEME)
        if not digest or not compare_digest(digest, digest_token(token)):
            return web.Response(status=403, text="not the token of that attempt's pod")
        board.take(report)
        return web.Response(status=204)

    app = web.Application(client_max_size=MAX_REPORT_BYTES)
    app.router.add_post(PROGRESS_PATH, take)
    return app


def decode_report(body: bytes) -> ProgressReport | None:
    """Decode a report; None if it is invalid."""
    try:
        report = msgspec.json.decode(body, type=ProgressReport)
    except msgspec.DecodeError:
        return None
    return report if 0.0 <= report.fraction <= 1.0 else None
