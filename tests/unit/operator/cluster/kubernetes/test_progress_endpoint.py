import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from podreduce_operator.cluster.kubernetes.progress_endpoint import PROGRESS_PATH, build_progress_app
from podreduce_operator.cluster.kubernetes.report_rate import MAX_REPORTS, WINDOW_SECONDS, ReportRate
from podreduce_operator.cluster.progress_board import ProgressBoard
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.pods.pod_manifest import digest_token
from podreduce_operator.pods.pod_view import OwnedPod
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task

TOKEN = "a-token"  # noqa: S105 - the test's own
TASKS = (map_task(0), map_task(1), map_task(2))
REPORT = {"attemptId": "uid-0", "records": 1, "bytes": 2, "reduced": 0, "recordsOut": 1, "beats": 0, "fraction": 0.5}


def own(uid: str, token_digest: str, **fields: Any) -> OwnedPod:
    job = JobKey(namespace="default", name="wordcount")
    return OwnedPod(job=job, owner_uid=JOB_UID, view=make_pod(uid=uid, **fields), token_digest=token_digest)


PODS = {
    "uid": own("uid", digest_token(TOKEN)),
    "old": own("old", ""),
    "many": own("many", digest_token(TOKEN), tasks=TASKS),
}


@pytest.fixture
def board() -> ProgressBoard:
    return ProgressBoard()


@pytest.fixture
async def client(board: ProgressBoard) -> AsyncIterator[Any]:
    async with TestClient(TestServer(build_progress_app(board, PODS.get))) as made:
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


async def test_only_what_the_pod_can_attempt_takes_room(client: Any, board: ProgressBoard) -> None:
    """Whatever ids the pods' tokens are used for, the board holds an entry for each task of each pod and no more."""
    taken = [
        f"{uid}-{number}"
        for uid in ("uid", "many", "unknown", "")
        for number in ("0", "1", "2", "3", "00", "01", "+1", "-1", "1_0", "", "٣", "1 ", "x" * 3000, "9" * 3000)
        if await post(client, REPORT | {"attemptId": f"{uid}-{number}"}) == 204
    ]
    assert taken == ["uid-0", "many-0", "many-1", "many-2"]
    assert len(board) == len(taken)


@pytest.mark.parametrize("count", [-1, 2**63, 10**3000], ids=["below 0", "too many", "thousands of digits"])
@pytest.mark.parametrize("field", ["records", "bytes", "reduced", "recordsOut", "beats"])
async def test_a_count_that_no_task_reaches_is_refused(client: Any, field: str, count: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = json.dumps(REPORT).replace(f'"{field}": {REPORT[field]}', f'"{field}": {count}')
    async with client.post(PROGRESS_PATH, data=body, headers=headers) as response:
        assert response.status == 400


async def test_a_pod_that_reports_without_end_is_slowed_down_alone() -> None:
    now, board = [0.0], ProgressBoard()
    rate = ReportRate(lambda: now[0])
    async with TestClient(TestServer(build_progress_app(board, PODS.get, rate))) as client:
        answers = [await post(client, REPORT) for _ in range(MAX_REPORTS + 2)]
        assert answers == [204] * MAX_REPORTS + [429] * 2
        assert await post(client, REPORT | {"attemptId": "many-0"}) == 204
        now[0] = WINDOW_SECONDS
        assert await post(client, REPORT) == 204
    assert len(rate) == 1
