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
