import asyncio
import gc
import socket

from aiohttp import web

from podreduce_operator.cluster.kubernetes.serving import serving


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def serve(port: int) -> None:
    async with serving(web.Application(), port):
        await asyncio.Event().wait()


async def test_a_server_that_is_cancelled_at_any_moment_of_its_start_leaves_no_socket() -> None:
    port = free_port()
    for turns in range(12):  # of the event loop: before, amid and after the start
        task = asyncio.create_task(serve(port))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        del task
        gc.collect()  # a socket that nobody closed warns here, and warnings are errors
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("0.0.0.0", port))  # noqa: S104 - the address that it served
            other.listen()
