"""Several coroutines at once, but not too many."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

__all__ = ["LOOP_ENDS", "gather_bounded"]

T = TypeVar("T")

LOOP_ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""What ends a coroutine by intent. Every other BaseException is a fault: a panic of a library in Rust is one, and no
Exception. Whoever must go on whatever happens catches BaseException after these."""


async def gather_bounded(
    calls: Sequence[Callable[[], Awaitable[T]]], *, limit: int, seconds: float = math.inf
) -> list[T]:
    """Await all `calls`, `limit` at a time, and return their results in order.

    The first exception is raised once no call is under way any more; calls not yet started then are left out, and so
    are those that were not started within `seconds`: the results are the fewer.
    """
    todo = iter(enumerate(calls))
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    async def work() -> None:
        while not errors and clock() <= until:
            index, call = next(todo, (0, None))
            if call is None:
                return
            try:
                results[index] = await call()
            except LOOP_ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - it is raised below
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(min(limit, len(calls)))))
    if errors:
        raise errors[0]
    return [results[index] for index in sorted(results)]
