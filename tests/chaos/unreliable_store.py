"""A MinIO that cannot be relied on: behind a proxy that answers 503 now and then, or with a disk that is full.

The proxy is a pod of the operator's image, which has aiohttp. It leaves the Host header as it came, which S3's
signatures include.
"""

from typing import TYPE_CHECKING, Any

import obstore

from tests.cluster.images import Images
from tests.cluster.node import FIRST
from tests.cluster.object_store import ClusterMinio
from tests.cluster.processes import ClusterError

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

__all__ = ["deploy", "fill", "make_room"]

NAME = "unreliable"
PORT = 9000
BALLAST = "ballast"
BALLAST_MIB = 16
PROXY = """\
import os, random
import aiohttp
from aiohttp import web

ERROR = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

async def handle(request):
    body = await request.read()
    if random.random() < 0.2:
        return web.Response(status=503, body=ERROR, content_type="application/xml")
    url = os.environ["TARGET"] + request.raw_path
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
    async with request.app["client"].request(
        request.method, aiohttp.client.URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
    ) as answer:
        data = await answer.read()
        kept = {name: value for name, value in answer.headers.items()
                if name.lower() != "transfer-encoding"}
        if request.method != "HEAD":
            kept.pop("Content-Length", None)
        return web.Response(status=answer.status, headers=kept, body=None if request.method == "HEAD" else data)

async def client(app):
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as session:
        app["client"] = session
        yield

app = web.Application(client_max_size=2**30)
app.cleanup_ctx.append(client)
app.router.add_route("*", "/{tail:.*}", handle)
web.run_app(app, port=9000)
"""


def deploy(stage: "Stage") -> dict[str, Any]:
    """Run the proxy before MinIO; return the storage Secret of those who go through it."""
    namespace, labels = stage.minio.namespace, {"app": NAME}
    container = {
        "name": "proxy",
        "image": Images().operator,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROXY],
        "env": [{"name": "TARGET", "value": stage.minio.endpoint}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": FIRST.name},
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    stage.cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME},
            "spec": {"selector": labels, "ports": [{"port": PORT}]},
        },
        namespace=namespace,
    )
    stage.cluster.kubectl(
        "rollout", "status", f"deployment/{NAME}", "--namespace", namespace, "--timeout=60s", timeout=70
    )
    return stage.secret(f"http://{NAME}.{namespace}.svc:{PORT}")


def fill(minio: ClusterMinio) -> None:
    """Put ballast into the store until it takes no more."""
    minio.make_bucket(BALLAST)
    store = minio.store(BALLAST)
    block = bytes(BALLAST_MIB << 20)
    for number in range(1000):
        try:
            obstore.put(store, f"block-{number}", block)
        except obstore.exceptions.BaseError:
            return
    raise ClusterError("a thousand blocks of ballast, and still room: is MinIO's disk a small one?")


def make_room(minio: ClusterMinio) -> None:
    """Take the ballast away."""
    store = minio.store(BALLAST)
    for page in obstore.list(store):
        obstore.delete(store, [found["path"] for found in page])
