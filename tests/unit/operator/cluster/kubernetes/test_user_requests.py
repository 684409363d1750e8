"""What `podreduce submit` sends, on a server of a few lines."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce_operator.cluster.kubernetes.api import ApiServer, connect
from podreduce_operator.cluster.kubernetes.user_requests import apply_documents
from podreduce_operator.model.errors import OperatorError
from tests.support.kubeconfig import make_kubeconfig

JOB: dict[str, Any] = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "metadata": {"name": "words"}}
CONFIG_MAP: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "namespace": "own"}}
JOBS = "/apis/podreduce.dev/v1beta1/namespaces/{}/mapreducejobs"


class Server:
    """Keeps what it was asked, and gives back what it got."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, dict(request.query), request.content_type))
        if "refused" in request.path:
            return web.json_response({"reason": "Forbidden", "message": "no right"}, status=403)
        return web.json_response(await request.json())


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server, tmp_path: Path) -> AsyncIterator[ApiServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as listening:
        (tmp_path / "kubeconfig").write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        async with connect(tmp_path / "kubeconfig") as opened:
            yield opened


@pytest.mark.parametrize(("asked", "place"), [(None, "team"), ("mine", "mine")])
async def test_a_job_goes_to_the_namespace_that_is_asked_for(
    server: Server, api: ApiServer, asked: str | None, place: str
) -> None:
    (applied,) = await apply_documents(api, [JOB], default_namespace="team", asked_namespace=asked)
    query = {"fieldManager": "podreduce", "force": "true"}
    assert server.requests == [("PATCH", f"{JOBS.format(place)}/words", query, "application/apply-patch+yaml")]
    assert applied["metadata"] == {"name": "words", "namespace": place}


async def test_documents_are_applied_in_order_each_in_its_own_namespace(server: Server, api: ApiServer) -> None:
    await apply_documents(api, [CONFIG_MAP, JOB], default_namespace="default")
    paths = [path for _, path, _, _ in server.requests]
    assert paths == ["/api/v1/namespaces/own/configmaps/code", f"{JOBS.format('default')}/words"]


async def test_a_job_without_a_name_is_created(server: Server, api: ApiServer) -> None:
    await apply_documents(api, [{**JOB, "metadata": {"generateName": "words-"}}], default_namespace="default")
    assert server.requests[0][:2] == ("POST", JOBS.format("default"))


@pytest.mark.parametrize(
    ("asked", "document", "why"),
    [
        ("other", CONFIG_MAP, "--namespace other: a document names another one, own"),
        (None, {**CONFIG_MAP, "kind": "Secret"}, "only MapReduceJob and ConfigMap are submitted"),
        (None, {**JOB, "metadata": {"name": "refused"}}, "no right"),
    ],
)
async def test_what_cannot_be_applied_is_an_error(
    api: ApiServer, asked: str | None, document: dict[str, Any], why: str
) -> None:
    with pytest.raises(OperatorError, match=why):
        await apply_documents(api, [document], default_namespace="default", asked_namespace=asked)
