from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from podreduce_operator.cluster.kubernetes.progress_endpoint import PROGRESS_PATH, build_progress_app
from podreduce_operator.cluster.progress_board import ProgressBoard
from podreduce_operator.pods.pod_manifest import digest_token
from tests.support.builders.pods import make_pod

TOKEN = "a-token"  # noqa: S105 - the test's own
DIGESTS = {"uid": digest_token(TOKEN), "old": ""}
REPORT = {"attemptId": "uid-0", "records": 1, "bytes": 2, "reduced": 0, "recordsOut": 1, "beats": 0, "fraction": 0.5}


@pytest.fixture
def board() -> ProgressBoard:
    return ProgressBoard()


@pytest.fixture
async def client(board: ProgressBoard) -> AsyncIterator[Any]:
    async with TestClient(TestServer(build_progress_app(board, DIGESTS.get))) as made:
        yield made


async def post(client: Any, report: object, token: str = TOKEN) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with client.post(PROGRESS_PATH, json=report, headers=headers) as response:
        return int(response.status)


async def test_report_with_the_pods_token_is_taken(client: Any, board: ProgressBoard) -> None:
    assert await post(client, REPORT) == 204
    assert board.of([make_pod(uid="uid")])["uid-0"].fraction == 0.5


@pytest.mark.parametrize(
    ("report", "token"),
    [
        (REPORT, "another"),
        (REPORT, ""),
        (REPORT | {"attemptId": "unknown-0"}, TOKEN),
        (REPORT | {"attemptId": "old-0"}, ""),
        (REPORT | {"attemptId": ""}, TOKEN),
    ],
    ids=["another token", "no token", "no such pod", "a pod without a token", "no attempt"],
)
async def test_report_of_somebody_else_is_refused(
    client: Any, board: ProgressBoard, report: dict[str, Any], token: str
) -> None:
    assert await post(client, report, token) == 403
    assert board.of([make_pod(uid="uid"), make_pod(uid="old")]) == {}


@pytest.mark.parametrize("fraction", [0.0, 1.0], ids=["at the start", "at the end"])
async def test_report_of_the_first_and_of_the_last_moment_is_taken(
    client: Any, board: ProgressBoard, fraction: float
) -> None:
    assert await post(client, REPORT | {"fraction": fraction}) == 204
    assert board.of([make_pod(uid="uid")])["uid-0"].fraction == fraction


@pytest.mark.parametrize(
    "report",
    [{}, [], "text", REPORT | {"fraction": 1.5}, REPORT | {"fraction": -0.1}, REPORT | {"records": "many"}],
    ids=str,
)
async def test_what_is_no_report_is_refused(client: Any, report: object) -> None:
    assert await post(client, report) == 400


async def test_a_body_without_end_is_refused(client: Any) -> None:
    assert await post(client, REPORT | {"attemptId": "x" * 10_000}) == 413
