"""What a person's commands send, on a server of a few lines and a KUBECONFIG with two contexts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podreduce_operator.cluster.kubernetes import user_requests
from podreduce_operator.cluster.kubernetes.user_requests import apply_all, follow
from podreduce_operator.model.errors import OperatorError
from tests.support.kubeconfig import make_kubeconfig

JOB: dict[str, Any] = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "metadata": {"name": "words"}}
CONFIG_MAP: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "namespace": "own"}}
JOBS = "/apis/podreduce.dev/v1beta1/namespaces/{}/mapreducejobs"


class Server:
    """Keeps what it was asked, and gives back what it got; a job that is read makes progress."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.phases = ["Running", "Running", "Complete"]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, dict(request.query), request.content_type))
        if request.method == "GET":
            return web.json_response({"status": {"phase": self.phases.pop(0)}})
        if "refused" in request.path:
            return web.json_response({"reason": "Forbidden", "message": "no right"}, status=403)
        return web.json_response(await request.json())


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(autouse=True)
async def _kubeconfig(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as listening:
        config = make_kubeconfig(f"http://127.0.0.1:{listening.port}")
        context = {"cluster": "x", "user": "x", "namespace": "team"}
        config["contexts"].append({"name": "with-namespace", "context": context})
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield


@pytest.mark.parametrize(
    ("context", "namespace", "place"),
    [
        (None, None, "default"),
        ("with-namespace", None, "team"),
        ("with-namespace", "mine", "mine"),
        (None, "mine", "mine"),
    ],
)
async def test_a_job_goes_to_the_namespace_that_kubectl_would_take(
    server: Server, context: str | None, namespace: str | None, place: str
) -> None:
    (applied,) = await apply_all(context, namespace, [JOB])
    query = {"fieldManager": "podreduce", "force": "true"}
    assert server.requests == [("PATCH", f"{JOBS.format(place)}/words", query, "application/apply-patch+yaml")]
    assert applied["metadata"] == {"name": "words", "namespace": place}


async def test_documents_are_applied_in_order_each_in_its_own_namespace(server: Server) -> None:
    await apply_all(None, None, [CONFIG_MAP, JOB])
    paths = [path for _, path, _, _ in server.requests]
    assert paths == ["/api/v1/namespaces/own/configmaps/code", f"{JOBS.format('default')}/words"]


async def test_a_job_without_a_name_is_created(server: Server) -> None:
    await apply_all(None, None, [{**JOB, "metadata": {"generateName": "words-"}}])
    assert server.requests[0][:2] == ("POST", JOBS.format("default"))


@pytest.mark.parametrize(
    ("context", "namespace", "document", "why"),
    [
        ("gone", None, JOB, "there is no context 'gone' in .*; there are: with-namespace, x"),
        (None, "other", CONFIG_MAP, "--namespace other: a document names another one, own"),
        (None, None, {**CONFIG_MAP, "kind": "Secret"}, "only MapReduceJob and ConfigMap are submitted"),
        (None, None, {**JOB, "metadata": {"name": "refused"}}, "no right"),
    ],
)
async def test_what_cannot_be_applied_is_an_error(
    context: str | None, namespace: str | None, document: dict[str, Any], why: str
) -> None:
    with pytest.raises(OperatorError, match=why):
        await apply_all(context, namespace, [document])


async def test_a_job_is_read_until_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_requests, "POLL_SECONDS", 0)
    seen: list[str] = []

    def tell(job: dict[str, Any]) -> bool:
        seen.append(job["status"]["phase"])
        return seen[-1] == "Complete"

    await follow("with-namespace", "team", "words", tell)
    assert seen == ["Running", "Running", "Complete"]
    assert {path for _, path, _, _ in server.requests} == {f"{JOBS.format('team')}/words"}
