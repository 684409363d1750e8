import asyncio
from functools import partial

import pytest

from podreduce_operator.concurrency import gather_bounded


async def test_results_come_in_order_and_no_more_than_the_limit_run_at_once() -> None:
    running, most = 0, 0

    async def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    assert await gather_bounded([partial(call, number) for number in range(20)], limit=3) == list(range(20))
    assert most == 3


async def test_the_first_error_is_raised_and_what_has_not_started_is_left_out() -> None:
    started = []

    async def call(number: int) -> None:
        started.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        await gather_bounded([partial(call, number) for number in range(20)], limit=2)
    assert len(started) < 5


async def test_nothing_to_await_gives_nothing() -> None:
    assert await gather_bounded([], limit=4) == []


@pytest.mark.virtual_time
async def test_what_has_not_started_in_time_is_left_out() -> None:
    async def call(number: int) -> int:
        await asyncio.sleep(0.05)
        return number

    assert await gather_bounded([partial(call, number) for number in range(20)], limit=2, seconds=0.02) == [0, 1]


async def test_cancelled_it_cancels_what_is_under_way() -> None:
    ended = []

    async def call() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    gathering = asyncio.create_task(gather_bounded([call, call, call], limit=2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering
    assert ended == ["cancelled", "cancelled"]
