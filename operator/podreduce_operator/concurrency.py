"""A limited number of coroutines at a time."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

__all__ = ["LOOP_ENDS", "gather_bounded", "in_thread_unless"]

T = TypeVar("T")

LOOP_ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""The exceptions that end a coroutine on purpose.

Every other BaseException is a fault. For example, a panic in a Rust library is a BaseException but not an Exception.
Code that must continue after any fault re-raises these and then catches BaseException.
"""


async def in_thread_unless(is_brief: bool, call: Callable[[], T]) -> T:
    """Make a call that blocks: in a thread, so that other coroutines need not wait, unless it takes less than that."""
    return call() if is_brief else await asyncio.to_thread(call)


async def gather_bounded(
    calls: Sequence[Callable[[], Awaitable[T]]], *, limit: int, seconds: float = math.inf
) -> list[T]:
    """Await all `calls`, `limit` at a time, and return their results in order.

    After an exception no further call starts. The first exception is raised when all running calls have ended. Calls
    that do not start within `seconds` are left out of the results.
    """
    waiting = iter(enumerate(calls))
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    async def work() -> None:
        while not errors and clock() <= until:
            index, call = next(waiting, (0, None))
            if call is None:
                return
            try:
                results[index] = await call()
            except LOOP_ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(min(limit, len(calls)))))
    if errors:
        raise errors[0]
    return [results[index] for index in sorted(results)]
