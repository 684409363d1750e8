"""Where tasks report their progress: one POST of a small JSON, by whoever holds the attempt's token.

Rule: takes nothing on trust. A report is believed only of the pod whose token came with it; it changes what the
operator thinks of that attempt's speed, and nothing else.
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
"""Returns the digest of the token of the pod with that UID, if there is such a pod."""


def build_progress_app(board: ProgressBoard, find_digest: FindDigest) -> web.Application:
    """Return the application that puts reports on the board."""

    async def take(request: web.Request) -> web.Response:
        report = decode_report(await request.read())
        if report is None:
            return web.Response(status=400, text="no progress report")
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
    """Decode a report; None if it is none."""
    try:
        report = msgspec.json.decode(body, type=ProgressReport)
    except msgspec.DecodeError:
        return None
    return report if 0.0 <= report.fraction <= 1.0 else None
