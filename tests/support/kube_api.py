"""An API server of a few lines, for the commands that ask one. What it does not know it answers with 404."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.kubeconfig import make_kubeconfig

__all__ = ["KubeApi", "serve"]

GROUP = "/apis/podreduce.dev/v1beta1"
PLURALS = {
    "MapReduceJob": "mapreducejobs",
    "MapReduceSchedule": "mapreduceschedules",
    "MapReducePipeline": "mapreducepipelines",
}


class KubeApi:
    """Resources by their paths. `refused` maps the start of a path to the status of its answer."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.objects: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.logs: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.requests: list[tuple[str, str, Any]] = []

    def put(self, *resources: dict[str, Any]) -> None:
        """Have these resources."""
        for each in resources:
            metadata = each["metadata"]
            path = f"{GROUP}/namespaces/{metadata['namespace']}/{PLURALS[each['kind']]}"
            self.objects[f"{path}/{metadata['name']}"] = each
            self.lists.setdefault(f"{GROUP}/{PLURALS[each['kind']]}", [])

    def put_core(self, namespace: str, resource: str, items: Iterable[dict[str, Any]]) -> None:
        """Have these objects of the core group."""
        self.lists[f"/api/v1/namespaces/{namespace}/{resource}"] = list(items)

    def written(self) -> list[tuple[str, str, Any]]:
        """Return the writes: method, the end of the path, and the body."""
        return [(method, path.rpartition("/")[2], body) for method, path, body in self.requests if method != "GET"]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path, body))
        for start, status in self.refused.items():
            if request.path.startswith(start):
                return web.json_response({"message": f"{request.path} is refused"}, status=status)
        if request.path.endswith("/log"):
            log = self.logs.get(request.path.split("/")[-2])
            return web.Response(text=log) if log is not None else web.json_response({}, status=404)
        return self.answer_object(request, body)

    def answer_object(self, request: web.Request, body: Any) -> web.Response:
        """Answer a request for an object or a list."""
        found = self.objects.get(request.path)
        if found is not None and request.method == "DELETE":
            del self.objects[request.path]
        elif found is not None and request.method == "PATCH":
            found["spec"] |= body["spec"]
        if found is not None:
            return web.json_response(found)
        below = [each for path, each in self.objects.items() if path.rpartition("/")[0] == request.path]
        everywhere = [each for each in self.objects.values() if f"{GROUP}/{PLURALS[each['kind']]}" == request.path]
        items = below or everywhere or self.lists.get(request.path)
        if items is None and request.path.rpartition("/")[2] not in PLURALS.values():
            return web.json_response({"message": f"{request.path} not found", "reason": "NotFound"}, status=404)
        return web.json_response({"metadata": {}, "items": select(items or [], request.query.get("fieldSelector", ""))})


def select(items: Iterable[dict[str, Any]], selector: str) -> list[dict[str, Any]]:
    """Return the objects whose field has the value that a selector such as `involvedObject.kind=Pod` names."""
    path, _, value = selector.partition("=")
    outer, _, inner = path.partition(".")
    return [each for each in items if not selector or each[outer].get(inner) == value]


@asynccontextmanager
async def serve(directory: Path) -> AsyncIterator[KubeApi]:
    """Start an API server, and write its KUBECONFIG into a directory."""
    api = KubeApi(directory / "kubeconfig")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    async with TestServer(app) as listening:
        api.kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{listening.port}")))
        yield api
