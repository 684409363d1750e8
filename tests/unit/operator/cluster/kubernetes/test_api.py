"""The client of the API server, on a server of a few lines."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce_operator.cluster.kubernetes import api as api_module
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, connect
from podreduce_operator.cluster.kubernetes.cluster import open_cluster
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.support.kubeconfig import make_kubeconfig

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
        headers = {"Retry-After": "0.01", **({"Location": "/elsewhere"} if 300 <= status < 400 else {})}
        return web.json_response({"reason": "TooManyRequests"}, status=status, headers=headers)

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


async def watch_all(api: ApiServer) -> list[Any]:
    return [event async for event in api.watch(PATH, {})]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "request_",
    [*WRITES.values(), lambda api: api.get(PATH), lambda api: api.read_text(PATH, {}), watch_all],
    ids=[*WRITES, "get", "read_text", "watch"],
)
async def test_no_request_follows_a_redirect(
    api: ApiServer, server: Server, request_: Callable[[ApiServer], Awaitable[Any]], status: int
) -> None:
    server.statuses, server.writes_allowed = [status], 1
    with pytest.raises(ApiError) as raised:
        await request_(api)
    assert (raised.value.status, raised.value.is_passing, len(server.requests)) == (status, False, 1)


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


class SilentServer:
    """Shows one event of a watch, says nothing for longer than a watch may be silent, and then another."""

    def __init__(self) -> None:
        self.watches = 0
        self.let_go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.watches += 1
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps({"type": "ADDED", "object": {"metadata": {"name": "seen"}}}).encode() + b"\n")
        await self.let_go.wait()
        return response


async def test_a_watch_that_has_become_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_module.WATCH_SILENCE_SECONDS == 90.0, "a server says something every minute"
    monkeypatch.setattr(api_module, "WATCH_SILENCE_SECONDS", 0.05)
    silent, app, seen = SilentServer(), web.Application(), list[str]()
    app.router.add_get("/{path:.*}", silent.answer)
    async with TestServer(app) as listening:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        async with connect(kubeconfig) as api:
            with pytest.raises(ApiError) as given_up:  # noqa: PT012 - it ends amid its events
                async for event in api.watch(PATH, {}):
                    seen.append(event["object"]["metadata"]["name"])
        silent.let_go.set()
    assert seen == ["seen"]
    assert given_up.value.is_passing, "so that the reflector watches again"
    assert not given_up.value.is_expired, "and from where it was"


MISSING_CRD = "the API server has no mapreducejobs of podreduce.dev/v1beta1: apply the files in crds/"


def served(*plurals: str) -> dict[str, Any]:
    return {"kind": "APIResourceList", "resources": [{"name": plural} for plural in plurals]}


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (404, {"reason": "NotFound"}, MISSING_CRD),
        (200, served("others"), MISSING_CRD),
        (200, served("mapreduceschedules"), MISSING_CRD),
        (200, served(), MISSING_CRD),
        (200, served("others", "mapreducejobs"), None),
    ],
    ids=["no group", "other kinds", "schedules alone", "nothing", "there"],
)
async def test_an_api_server_without_the_crd_is_refused_with_what_to_do(
    tmp_path: Path, status: int, answer: dict[str, Any], words: str | None
) -> None:
    asked: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    async with TestServer(app) as listening:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        settings = ClusterSettings(pod_defaults=PodDefaults(image="runtime:1"), installation="here")
        refused = contextlib.nullcontext() if words is None else pytest.raises(OperatorError, match=words)
        with refused:
            async with open_cluster(settings, kubeconfig) as cluster:
                assert cluster.api.server.endswith(str(listening.port))
    assert asked[0] == "/apis/podreduce.dev/v1beta1"
