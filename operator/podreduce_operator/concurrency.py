"""Several coroutines at once, but not too many."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

__all__ = ["gather_bounded"]

T = TypeVar("T")


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
    errors: list[Exception] = []

    async def work() -> None:
        while not errors and clock() <= until:
            index, call = next(todo, (0, None))
            if call is None:
                return
            try:
                results[index] = await call()
            except Exception as error:  # noqa: BLE001 - it is raised below
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(min(limit, len(calls)))))
    if errors:
        raise errors[0]
    return [results[index] for index in sorted(results)]
