"""The session that kopf gets, against a server with a certificate and a proxy, both of the KUBECONFIG."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from podreduce_operator.cluster.kubernetes.api import connect
from tests.cluster.certificates import Authority, Certificate
from tests.support.kubeconfig import make_kubeconfig

NAME = "api.cluster.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(directory=tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def port(authority: Authority) -> AsyncIterator[int]:
    """A server on loopback whose certificate has a name that is not its address."""
    issued: Certificate = authority.issue("server", subject=f"/CN={NAME}", addresses=(f"DNS:{NAME}",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"gitVersion": "v1.37.2"})

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/version")

    app = web.Application()
    app.router.add_get("/version", answer)
    app.router.add_get("/moved", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


def write_kubeconfig(directory: Path, authority: Authority, port: int, **more: str) -> Path:
    kubeconfig = make_kubeconfig(f"https://127.0.0.1:{port}")
    ca = str(authority.certificate().certificate)
    kubeconfig["clusters"][0]["cluster"] |= {"certificate-authority": ca, **more}
    file = directory / "kubeconfig"
    file.write_text(json.dumps(kubeconfig))
    return file


async def test_the_certificate_may_be_that_of_the_tls_server_name(
    authority: Authority, port: int, tmp_path: Path
) -> None:
    kubeconfig = write_kubeconfig(tmp_path, authority, port, **{"tls-server-name": NAME})
    async with connect(kubeconfig) as api:
        assert await api.get("/version") == {"gitVersion": "v1.37.2"}
        async with await api.open_session() as session, session.get(f"{api.server}/version") as answer:
            assert await answer.json() == {"gitVersion": "v1.37.2"}


async def test_a_redirect_is_not_followed(authority: Authority, port: int, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path, authority, port, **{"tls-server-name": NAME})
    async with connect(kubeconfig) as api, await api.open_session() as session:
        with pytest.raises(aiohttp.ClientError, match="which is not followed"):
            await session.get(f"{api.server}/moved")


async def test_without_the_name_the_certificate_must_be_the_addresss(
    authority: Authority, port: int, tmp_path: Path
) -> None:
    async with (
        connect(write_kubeconfig(tmp_path, authority, port)) as api,
        await api.open_session() as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{api.server}/version")


async def test_the_proxy_url_is_the_sessions_proxy(authority: Authority, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path, authority, 1, **{"proxy-url": "http://proxy.example:3128"})
    async with connect(kubeconfig) as api, await api.open_session() as session:
        assert str(session._default_proxy) == "http://proxy.example:3128"  # noqa: SLF001 - aiohttp does not show it
