"""The client of the API server, on a server of a few lines."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce_operator.cluster.api import ApiError, ApiServer, connect
from tests.builders import make_kubeconfig

PATH = "/api/v1/namespaces/team/pods"


class ForbiddenError(Exception):
    """What a forbidden write raises."""


class Server:
    """Answers from a list of statuses, then 200; counts requests, and asks before each write for as many as allowed."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[str] = []
        self.writes_allowed = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.method)
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response({"reason": "TooManyRequests"}, status=status, headers={"Retry-After": "0.01"})

    def before_write(self) -> None:
        if self.writes_allowed == 0:
            raise ForbiddenError
        self.writes_allowed -= 1


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server, tmp_path: Path) -> AsyncIterator[ApiServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as listening:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        async with connect(kubeconfig, before_write=server.before_write) as connected:
            yield connected


WRITES: dict[str, Callable[[ApiServer], Awaitable[Any]]] = {
    "create": lambda api: api.create(PATH, {}),
    "replace": lambda api: api.replace(PATH, {}),
    "patch": lambda api: api.patch(PATH, {}),
    "delete": lambda api: api.delete(PATH, {}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_forbidden_write_is_not_sent(
    api: ApiServer, server: Server, write: Callable[[ApiServer], Awaitable[Any]]
) -> None:
    with pytest.raises(ForbiddenError):
        await write(api)
    assert server.requests == []
    server.writes_allowed = 1
    await write(api)
    assert len(server.requests) == 1


async def test_a_write_that_is_throttled_is_asked_for_each_time(api: ApiServer, server: Server) -> None:
    server.writes_allowed, server.statuses = 2, [429, 429, 429]
    with pytest.raises(ForbiddenError):
        await api.create(PATH, {})
    assert server.requests == ["POST", "POST"]


async def test_it_is_told_that_the_server_is_asked_too_much(api: ApiServer, server: Server) -> None:
    told: list[float] = []
    api.call_when_throttled(told.append)
    server.statuses = [429, 429]
    await api.get(PATH)
    assert told == [0.01, 0.01]


async def test_reads_are_not_asked_for(api: ApiServer, server: Server) -> None:
    await api.get(PATH)
    assert [event async for event in api.watch(PATH, {})] != []
    assert server.requests == ["GET", "GET"]


@pytest.mark.parametrize(
    ("status", "is_passing"),
    [(0, True), (400, False), (403, False), (404, False), (409, False), (429, True), (500, True), (503, True)],
)
def test_what_may_pass_is_told_from_what_will_not(status: int, is_passing: bool) -> None:
    assert ApiError(status, "", "").is_passing == is_passing
