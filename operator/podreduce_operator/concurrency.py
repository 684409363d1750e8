"""Several coroutines at once, but not too many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

__all__ = ["gather_bounded"]

T = TypeVar("T")


async def gather_bounded(calls: Sequence[Callable[[], Awaitable[T]]], *, limit: int) -> list[T]:
    """Await all `calls`, `limit` at a time, and return their results in order.

    The first exception is raised once no call is under way any more; calls not yet started then are left out.
    """
    gate = asyncio.Semaphore(limit)
    failed = False

    async def run(call: Callable[[], Awaitable[T]]) -> T:
        nonlocal failed
        async with gate:
            if failed:
                raise asyncio.CancelledError
            try:
                return await call()
            except BaseException:
                failed = True
                raise

    results = await asyncio.gather(*(run(call) for call in calls), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    real = [error for error in errors if not isinstance(error, asyncio.CancelledError)]
    if errors:
        raise (real or errors)[0]
    return [result for result in results if not isinstance(result, BaseException)]
