"""Serves a web application at a port while a block runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ["serving"]


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[None]:
    """Serve `app` on all addresses.

    Raises:
        OSError: the port cannot be opened.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    opening = asyncio.ensure_future(web.TCPSite(runner, port=port).start())
    try:
        await asyncio.shield(opening)  # asyncio never closes the sockets of a server whose start is cancelled
        yield
    finally:
        await asyncio.wait([opening])
        await runner.cleanup()
