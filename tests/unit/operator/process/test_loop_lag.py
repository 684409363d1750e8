import asyncio
import time

from podreduce_operator.process.loop_lag import LoopLag


class World:
    """A clock, and sleeps that last as long as a test lets them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.may_wake = asyncio.Event()
        self.lag = LoopLag(self.sleep, lambda: self.now)

    async def sleep(self, _: float) -> None:
        await self.may_wake.wait()
        self.may_wake.clear()

    async def beat_at(self, now: float) -> None:
        self.now = now
        self.may_wake.set()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_the_lag_is_what_the_last_beat_missed_its_time_by() -> None:
    world = World()
    async with world.lag.measured():
        await asyncio.sleep(0)
        await world.beat_at(1.0)
        assert world.lag.seconds() == 0
        await world.beat_at(9.5)
        assert world.lag.seconds() == 7.5
        await world.beat_at(10.5)
        assert world.lag.seconds() == 0


async def test_a_beat_that_is_overdue_counts_before_it_comes() -> None:
    world = World()
    async with world.lag.measured():
        await asyncio.sleep(0)
        world.now = 21.0
        assert world.lag.seconds() == 20


async def test_a_loop_that_is_held_up_shows() -> None:
    lag = LoopLag()
    async with lag.measured():
        await asyncio.sleep(0)
        time.sleep(1.2)  # noqa: ASYNC251 - that is what is measured
        assert lag.seconds() > 0.1
